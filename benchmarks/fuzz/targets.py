"""What is fuzzed: bytes go in; whatever they are, only the error that is promised may come out, and what is promised holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from markdown_it import MarkdownIt

from app.core import diff, gate, policy
from app.core.broken_policy import BrokenPolicy
from app.core.diff import UnsupportedDiff
from app.core.reply import FixesReply, ReviewReply, SharedReviewReply, VerifyReply
from app.events import ACTED_ON, InvalidPayload, parse
from app.llm.form import Misread, read

ACTIVE = frozenset({"image", "link_open", "html_block", "html_inline"})
EVENTS = (*sorted(ACTED_ON), "ping")
FORMS = (ReviewReply, VerifyReply, SharedReviewReply, FixesReply)
PULL = {
    "action": "opened",
    "pull_request": {
        "number": 7,
        "draft": False,
        "head": {"sha": "a" * 40, "repo": {"id": 5}},
        "base": {"sha": "b" * 40},
    },
    "repository": {"id": 42, "full_name": "octo/shop"},
    "installation": {"id": 9},
    "sender": {"id": 3, "login": "mona", "type": "User"},
}
COMMENT = {
    **{key: PULL[key] for key in ("repository", "installation", "sender")},
    "action": "created",
    "issue": {"number": 7, "state": "open", "pull_request": {}},
    "comment": {"id": 11, "body": "```\n/no\n```\n/review deep", "user": PULL["sender"]},
}
REMOVED = {"action": "removed", "installation": {"id": 9}, "repositories_removed": [{"id": 42}]}
DIFF = (
    b'diff --git "a/\\303\\244 b.ts" b/c.ts\nsimilarity index 90%\nrename from "\\303\\244 b.ts"\nrename to c.ts\n'
    b"index 1111111..2222222 100644\n--- a/x.ts\n+++ b/c.ts\n@@ -1,2 +1,2 @@ f()\n-a\n+b\n c\n\\ No newline at end of file\n"
)
CLAIM = {
    "kind": "bug", "category": "correctness", "rule": "", "severity": "high", "confidence": "80%", "path": "a.ts",
    "line": 3, "quote": "x", "title": "t", "explanation": "e", "scenario": "s", "assumptions": [],
}  # fmt: skip


class Broken(AssertionError):
    """What was promised does not hold."""


@dataclass(frozen=True)
class Target:
    """A function to feed, and inputs to begin with."""

    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def webhook(data: bytes) -> None:
    """The first byte chooses the event; the rest is the body."""
    try:
        parse(EVENTS[data[0] % len(EVENTS)] if data else "ping", data[1:])
    except InvalidPayload:
        return


def change(data: bytes) -> None:
    try:
        files = diff.parse(data)
    except UnsupportedDiff:
        return
    for file in files:
        for hunk in file.hunks:
            counted = sum(1 for line in hunk.lines() if line.new is not None)
            if counted != hunk.new_count:
                raise Broken(f"a hunk of {hunk.new_count} lines has {counted}")


def reply(data: bytes) -> None:
    """The first byte chooses the form; the rest is what a model said."""
    try:
        read(
            data[1:].decode("utf-8", "surrogatepass" if data[:1] > b"\x80" else "replace"),
            FORMS[data[0] % 3 if data else 0],
        )
    except (Misread, UnicodeDecodeError):
        return


def a_policy(data: bytes) -> None:
    """A policy file, or one of a folder, if the first byte is even."""
    text = data[1:].decode("utf-8", "replace")
    try:
        if data[:1] and data[0] % 2 == 0:
            policy.parse_folder(text, folder="src")
        else:
            policy.parse(text)
    except BrokenPolicy:
        return


_RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")


def markdown(data: bytes) -> None:
    cleaned = gate.clean(data.decode("utf-8", "replace"))
    for token in _RENDERER.parse(cleaned):
        kinds = {token.type, *(child.type for child in token.children or ())}
        if kinds & ACTIVE:
            raise Broken(f"{sorted(kinds & ACTIVE)} in {cleaned!r}")


def _json(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


TARGETS = {
    "webhook": Target(
        webhook,
        tuple(bytes([EVENTS.index(name)]) + body for name, body in zip(
            ("pull_request", "issue_comment", "installation_repositories"), _json(PULL, COMMENT, REMOVED), strict=True
        )),
    ),
    "diff": Target(change, (DIFF, b"--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n", b"Binary files a/x and b/x differ\n")),
    "reply": Target(
        reply,
        (
            b"\0" + json.dumps({"overview": "x", "findings": [CLAIM]}).encode(),
            b'\1```json\n{"verdicts": [{"id": 1, "verdict": "confirmed"}]}\n```',
            b'\2<think>no</think>{"risk": "none"',
        ),
    ),
    "policy": Target(
        a_policy,
        (
            b"\1paths:\n  exclude: ['dist/**']\nmax_comments: 5\nrules: {timeouts: off}\nbots: supply-chain\n",
            b"\2rules: {timeouts: off}\na: &x [1]\nb: *x\n",
        ),
    ),
    "markdown": Target(
        markdown,
        (
            b"![x](http://evil/?q=1) [a][r]\n\n[r]: http://evil\n<img src=x>\n<http://evil> @you &#64;you\nFixes #1\n",
            b"```suggestion\nx\n```\n~~~mermaid\nx\n~~~\n| a | b |\n|---|---|\n| <a href=javascript:1> | \\\\[x](y) |\n",
        ),
    ),
}  # fmt: skip
