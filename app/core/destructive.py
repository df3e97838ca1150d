"""Advice that cannot be undone, and the way to do the same thing safely.

    find("… then run rm -rf build") ─► (Danger(name="rm -rf", safe_path="list what would go …"),)
    caution(texts of a finding) ─► what to do before, or instead, as a part of its comment

The names and the safe paths are ours; nothing of the text that was looked at is repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.core import gate


@dataclass(frozen=True, slots=True)
class Danger:
    """A command that destroys: its name, and what to do before it, or instead of it. Both may contain code spans."""

    name: str
    safe_path: str
    words: tuple[str, ...]
    """In lower case; a text without any of them is not searched, because most texts are harmless and some are long."""
    pattern: re.Pattern[str]


def _danger(name: str, words: str, pattern: str, safe_path: str) -> Danger:
    return Danger(name, safe_path, tuple(words.split()), re.compile(pattern, re.IGNORECASE | re.MULTILINE))


_REWRITTEN = (
    "keep the old head first (`git branch before-this`), and push with `--force-with-lease`, which stops when somebody else has"
    " pushed"
)
_THROWN_AWAY = "`git status` and `git clean -n` show what would go; `git stash -u` or `git branch before-this` keeps it"
_ROWS = (
    "take a backup and try to restore it; count the rows on a copy first; run it inside a transaction, or rename now and drop"
    " a release later"
)
_CLUSTER = "`--dry-run=server` shows what would go; save it with `kubectl get -o yaml`; then name one object at a time"
DANGERS = (
    _danger(
        "rm -rf",
        "rm rmdir del remove-item -delete",
        r"\brm\s{1,9}(?:-[\w-]{1,30}\s{1,9}){0,4}-(?:\w{0,9}r\w{0,9}|-recursive)\b|\brmdir\s{1,9}/s\b|\bdel\s{1,9}/[sfq]\b"
        r"|\bremove-item\b[^\n]{0,200}-recurse|\bfind\b[^\n]{0,200}\s-delete\b|\brmtree\s?\(",
        "list what would go (`ls`, or `find … -print`), move it aside or back it up, then delete it by its full name",
    ),
    _danger(
        "DROP, TRUNCATE or DELETE without WHERE",
        "drop truncate delete",
        r"\bdrop\s{1,9}(?:table|database|schema|column|index|view|user|role)\b|\btruncate\s{1,9}(?:table\s{1,9})?[\w.\"`]{2,80}\s{0,9}(?:;|$)"
        r"|\bdelete\s{1,9}from\s{1,9}[\w.\"`]{1,80}\s{0,9}(?:;|$)",
        _ROWS,
    ),
    _danger(
        "emptying a data store",
        "flush drop s3",
        r"\b(?-i:FLUSHALL|FLUSHDB)\b|\bredis-cli\b[^\n]{0,200}\bflush(?:all|db)\b|\bdropdatabase\s?\("
        r"|\.drop\s?\(\s?\)|\bs3\s{1,9}(?:rm\b[^\n]{0,200}--recursive|rb\b[^\n]{0,200}--force)",
        "count what would go and take a snapshot first; delete by key or prefix, with the tool's dry run where it has one",
    ),
    _danger(
        "git push --force",
        "git",
        r"\bgit\s{1,9}push\b[^\n]{0,200}\s(?:--force(?!-with-lease)\b|-f\b|\+[\w./-]+)|\bgit\s{1,9}filter-(?:branch|repo)\b",
        _REWRITTEN,
    ),
    _danger(
        "git reset --hard",
        "git",
        r"\bgit\s{1,9}(?:reset\b[^\n]{0,80}\s--hard\b|clean\b[^\n]{0,40}\s-\w{0,9}f|checkout\s{1,9}(?:--\s{1,9})?\.(?:\s|$)"
        r"|branch\s{1,9}-D\b|stash\s{1,9}(?:drop|clear)\b|reflog\s{1,9}expire\b)",
        _THROWN_AWAY,
    ),
    _danger(
        "terraform destroy",
        "terraform tofu pulumi cdk -auto-approve",
        r"\b(?:terraform|tofu|pulumi|cdk)\s{1,9}(?:[\w=-]{1,40}\s{1,9}){0,4}(?:destroy|down)\b|\s-auto-approve\b",
        "read `terraform plan -destroy` with a second person, and back the state up before anything is applied",
    ),
    _danger(
        "kubectl delete",
        "kubectl helm",
        r"\bkubectl\s{1,9}(?:[\w=/-]{1,60}\s{1,9}){0,4}delete\b|\bhelm\s{1,9}(?:uninstall|delete)\b",
        _CLUSTER,
    ),
    _danger(
        "docker prune",
        "docker",
        r"\bdocker\s{1,9}(?:system|volume|image)\s{1,9}(?:prune|rm)\b|\bdocker\b[^\n]{0,80}\sdown\b[^\n]{0,40}\s(?:-v|--volumes)\b",
        "`docker volume ls` and `docker system df` show what would go; export the volumes that hold data",
    ),
    _danger(
        "writing to a disk device",
        "mkfs dd wipefs /dev/",
        r"\bmkfs(?:\.\w{2,6})?\s|\bdd\b[^\n]{0,200}\bof=/dev/|\bwipefs\b|>\s{0,3}/dev/(?:sd|nvme|vd)",
        "make sure of the device with `lsblk`, and take an image of it first",
    ),
    _danger(
        "chmod -R 777",
        "chmod",
        r"\bchmod\s{1,9}(?:-\w{1,9}\s{1,9}){0,3}0?777\b",
        "give the one account that needs it the one right it needs; `stat` shows what to go back to",
    ),
    _danger(
        "running a download",
        "curl wget iwr invoke-webrequest",
        r"\b(?:curl|wget|iwr|invoke-webrequest)\b[^\n|]{0,300}\|\s{0,9}(?:sudo\s{1,9})?(?:(?:ba|z|da|k)?sh|python3?|node|perl|ruby|iex)\b"
        r"|\b(?:ba|z|da|k)?sh\s{1,9}<\(\s{0,3}(?:curl|wget)\b",
        "download it, compare its checksum with the publisher's, read it, and only then run it",
    ),
)  # fmt: skip


def caution(*texts: str) -> str:
    """What to do before, or instead of, each thing in these texts that cannot be undone, as Markdown; empty for harmless ones."""
    dangers = find("\n".join(texts))
    if not dangers:
        return ""
    told = [f"- {gate.span(danger.name)}: {danger.safe_path}" for danger in dangers]
    return "\n".join(["**Before you run that** — it cannot be undone:", "", *told])


def find(text: str) -> tuple[Danger, ...]:
    """What the text would destroy, each kind once, in the order of the table."""
    folded = text.casefold()
    likely = (danger for danger in DANGERS if any(word in folded for word in danger.words))
    return tuple(danger for danger in likely if danger.pattern.search(text))
