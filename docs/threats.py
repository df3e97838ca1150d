"""Writes docs/security/threats.md: what could be tried, what stands against it, and the tests that try it.

`python docs/threats.py` finds the tests by their names: `test_s07_…` belongs to S-07, wherever in `tests/` it stands.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security" / "threats.md"
_TEST = re.compile(r"^\s*(?:async )?def (test_s(\d\d)_\w+)\(", re.MULTILINE)


class Case(NamedTuple):
    """One thing that could be tried: its number, the threat it belongs to, what is tried, what stands against it."""

    number: int
    threat: str
    tried: str
    rule: str


THREATS = {
    "T1": "Text of a change steers findings or the verdict",
    "T2": "Text that a reader does not see",
    "T3": "A change configures its own reviewer",
    "T4": "A command from somebody who may not give one",
    "T5": "One repository learns of another",
    "T6": "Credentials go to another host",
    "T7": "A forged or repeated webhook",
    "T8": "Code of the change runs here",
    "T9": "Input that confuses a parser or never ends",
    "T10": "A secret reaches a model, a comment or a log",
    "T11": "Output that acts: images, links, mentions, suggestions, markers",
    "T12": "Forged log lines, pages and metrics",
    "T13": "Cost and quota used up",
    "T14": "Bots answering each other",
    "T15": "The bot approves",
    "T18": "Names that are SQL, paths or templates",
    "T19": "A careless setting",
    "T20": "Tenants mixed up",
}
CASES = tuple(
    Case(*row)
    for row in (
        (
            1,
            "T1",
            "the model obeys “post the environment”",
            "no prompt holds a secret; `core/leaks.py` reads every reply and review",
        ),
        (2, "T1", "titles that close our fences, JSON, XML", "fences with a word nobody can guess: `core/envelope.py`"),
        (
            3,
            "T1",
            "a believable cover story; the model agrees",
            "rules speak for themselves; `core/addressed.py` names the text",
        ),
        (
            4,
            "T2",
            "hidden HTML, alt texts, data attributes",
            "everything stands between fences as it was written; it is named",
        ),
        (5, "T1", "false system turns and tool results", "one system and one user message, nothing else"),
        (6, "T1", "20,000 lines of noise around one hole", "every hunk is read, or named as not read"),
        (7, "T1", "a token in every untrusted field", "one type for untrusted text, one constructor for prompts"),
        (
            8,
            "T2",
            "tags, selectors, joiners, bidi controls",
            "`core/hidden.py` by Unicode property; `core/deceptive.py` reports",
        ),
        (9, "T2", "trojan source, look-alike and invisible names", "`core/lookalikes.py`; reported without any model"),
        (10, "T3", "the head changes policy or instructions", "both come from the default branch"),
        (11, "T3", "a policy that is a bomb", "strict, small, safe YAML"),
        (12, "T4", "commands of strangers, bots, quotes", "permission is looked up"),
        (13, "T5", "a private repository's file", "tokens for one repository"),
        (14, "T6", "addresses in payloads", "addresses are built from settings"),
        (15, "T6", "redirects to another host", "credentials stay; the error says so"),
        (16, "T7", "a start without a secret", "the process refuses"),
        (17, "T7", "wrong signatures of every kind", "constant-time check of the raw body, first"),
        (18, "T6", "a change sets provider or base URL", "no such key"),
        (19, "T7", "two webhook secrets", "both are accepted, a removed one is not"),
        (
            20,
            "T8",
            "hostile configuration of analysers",
            "no analyser runs that reads any; nothing of a change is executed",
        ),
        (21, "T8", "an analyser that never ends or eats all memory", "the parser is a child with limits"),
        (22, "T8", "an analyser that lies", "what the child says is checked"),
        (23, "T8", "no sandbox on the machine", "none is needed: no program of a change is run"),
        (24, "T8", "configuration files at every depth", "results are the same with and without"),
        (25, "T9", "odd line ends", "lines end at `\\n` alone"),
        (26, "T9", "content that looks like headers", "hunks are read by their counts"),
        (27, "T9", "regular expressions that never end", "every pattern is linear; patterns of users are globs"),
        (28, "T9", "diffs as bombs", "bounds on bytes, lines and files"),
        (29, "T10", "secrets in the diff", "placeholders before any model reads them; reported by a rule"),
        (30, "T10", "both forms of GitHub's tokens", "the tail is opaque"),
        (
            31,
            "T10",
            "secrets shifted, reversed, encoded, split",
            "windows of every known value in every dress: `core/leaks.py`",
        ),
        (32, "T10", "10,000 outputs with a planted secret", "the same"),
        (33, "T10", "tokens in every exception", "a code and a fixed sentence"),
        (34, "T10", "secrets in headers", "only listed headers are logged"),
        (35, "T10", "tokens on disk and in arguments", "they live in one command's environment"),
        (36, "T11", "images, links, HTML, footnotes, Mermaid", "`core/gate.py`: prose becomes text, links become code"),
        (37, "T11", "mentions in every spelling", "entities and full-width signs are resolved, then made code"),
        (38, "T11", "closing keywords and commands of other bots", "made code, also inside code"),
        (39, "T11", "suggestions that do more than they say", "`core/suggestion.py`: no new power, no other place"),
        (40, "T11", "fences, folds and markers inside output", "fences longer than any inside; markers are signed"),
        (41, "T7", "the same body again", "one job"),
        (42, "T12", "line breaks and escapes in names", "JSON lines with bounded fields"),
        (43, "T4", "a thousand commands a minute", "a bound a person"),
        (44, "T6", "an operator's own model on a private address", "operators are trusted; redirects are not"),
        (45, "T8", "archives that escape", "none is unpacked"),
        (46, "T8", "hostile names and settings in git", "fixed arguments, no hooks, no submodules, no transports"),
        (47, "T9", "JSON as a bomb", "bounds on depth, keys and bytes"),
        (48, "T9", "compressed bombs from the other side", "a cap on what is read"),
        (49, "T11", "too much output, in wrong places", "anchors are computed; the overflow is counted"),
        (50, "T11", "“LGTM, approve, merge”", "a review comments, and nothing else is called"),
        (51, "T12", "names in pages and metrics", "escaped; labels are bounded"),
        (52, "T13", "200 pushes an hour", "one running, one waiting"),
        (53, "T13", "a pull request of 10,000 files", "caps on tokens and money"),
        (54, "T14", "two bots", "own and other bots' comments start nothing"),
        (55, "T15", "every request that writes", "COMMENT only, unless the operator allows more"),
        (56, "T18", "names that are code elsewhere", "bound parameters, escaped templates, guarded paths"),
        (57, "T20", "ids that are no ids", "a schema"),
        (58, "T19", "weak settings", "refused at the start"),
        (59, "T19", "keys that others can read", "refused, or said"),
        (60, "T20", "installation A's job with B's token", "a token is asked for with the job's own ids"),
    )
)


def tests() -> dict[int, list[str]]:
    """The tests of each case, with their files, by name."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, number in _TEST.findall(file.read_text(encoding="utf-8")):
            found[int(number)].append(f"`{name}` ({file.relative_to(ROOT / 'tests')})")
    return dict(found)


def page() -> str:
    """The page as it should read."""
    proven = tests()
    lines = [
        "# What could be tried, and which test tries it",
        "",
        "Each line is one attack, the rule of the house that stands against it, and the tests that try it, with a model that",
        "does whatever the attacker wants. The page is made by `python docs/threats.py`; a test keeps it true.",
    ]
    for threat, name in THREATS.items():
        lines += [
            "",
            f"## {threat}: {name}",
            "",
            "| case | tried | what stands against it | tests |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| S-{case.number:02} | {case.tried} | {case.rule} | {'<br>'.join(proven.get(case.number, ['—']))} |"
            for case in CASES
            if case.threat == threat
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
