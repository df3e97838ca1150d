"""A model server that counts what a reviewer asks, and answers PR-Agent's prompts in their form with next to nothing.

    python -m benchmarks.peers.counting --port 9233 --ledger ledger.jsonl     # writes a line for each call
    python -m benchmarks.peers.counting --ledger ledger.jsonl --sums          # prompt tokens by key and kind

It speaks the part of OpenAI's chat completions that PR-Agent uses, on loopback only. The API key that a client sends names what
its calls are counted under, so that each pull request can have its own. Tokens are estimated as `principal eval --by-hand` does,
3.5 characters each.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from app.core.budget import estimate_tokens

REVIEW = """review:
  estimated_effort_to_review_[1-5]: 2
  relevant_tests: |
    No
  key_issues_to_review: []
  security_concerns: |
    No
"""
_FILE = re.compile(r"^## (?:File|file): '([^'\n]+)'", re.MULTILINE)
_ADDED = re.compile(r"^\d+ \+(.*\S.*)$", re.MULTILINE)


def kind_of(text: str) -> str:
    """Which of PR-Agent's three prompts this is: `review`, `improve`, or `reflect`, in which it rates what `improve` gave."""
    if "suggestion_score" in text:
        return "reflect"
    return "review" if "key_issues_to_review" in text else "improve"


def reply_to(text: str) -> str:
    """The shortest answer in the form that is asked for: one suggestion, so that the third prompt follows the second."""
    path = next(iter(_FILE.findall(text)), "a")
    match kind_of(text):
        case "review":
            return REVIEW
        case "reflect":
            told = {"suggestion_summary": "Check it", "relevant_file": path, "why": "Because"}
            lines = {"relevant_lines_start": 1, "relevant_lines_end": 2, "suggestion_score": 8}
            return _listed({**told, **lines})
        case _:
            line = next(iter(_ADDED.findall(text)), "x").strip()
            told = {
                "relevant_file": path,
                "language": "text",
                "existing_code": line,
                "suggestion_content": "Check it.",
                "improved_code": f"{line} // checked",
                "one_sentence_summary": "Check it",
                "label": "possible issue",
            }
            return _listed(told)


def _listed(fields: dict[str, str | int]) -> str:
    """One entry of `code_suggestions` in YAML; JSON's strings are YAML's too."""
    told = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
    return "code_suggestions:\n- " + "\n  ".join(told) + "\n"


def server(port: int, ledger: Path) -> ThreadingHTTPServer:
    """A server that listens and waits to be told to serve; port 0 is any free one."""
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """The ledger is the log."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = "\n".join(str(message["content"]) for message in asked["messages"])
            said, tokens = reply_to(text), estimate_tokens(text)
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            with lock, ledger.open("a") as file:
                file.write(json.dumps({"key": key, "kind": kind_of(text), "tokens": tokens}) + "\n")
            message = {"role": "assistant", "content": said}
            usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            reply = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"]}
            body = json.dumps({**reply, "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def sums(ledger: Path) -> Iterator[str]:
    """A line for each key, with its kinds and their sum, and the average over all keys."""
    by_key: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in ledger.read_text().splitlines():
        call = json.loads(line)
        by_key[call["key"]][call["kind"]] += call["tokens"]
    for key, kinds in by_key.items():
        yield f"{key}: {' + '.join(f'{kind} {tokens:,}' for kind, tokens in kinds.items())} = {sum(kinds.values()):,}"
    if by_key:
        yield f"on average {sum(sum(kinds.values()) for kinds in by_key.values()) / len(by_key):,.0f}"


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--port", type=int, default=9233)
    options.add_argument("--ledger", type=Path, required=True)
    options.add_argument("--sums", action="store_true")
    given = options.parse_args()
    if given.sums:
        print("\n".join(sums(given.ledger)))
    else:
        server(given.port, given.ledger).serve_forever()


if __name__ == "__main__":
    main()
