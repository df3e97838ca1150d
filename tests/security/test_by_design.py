"""What cannot happen because there is no code that could do it. Each test reads our sources."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.core.registration import EVENTS, PERMISSIONS
from app.github.credentials import LOOKING

ROOT = Path(__file__).parents[2]
SANDBOX = "app/sandbox/"
PROCESS_DOORS = {"app/git/run.py", "app/analysis/scanner.py"}
STARTING = re.compile(
    r"subprocess\.(?:Popen|run|call|check_\w+|get\w+)|asyncio\.create_subprocess_\w+|os\.(?:system|popen|exec\w+|spawn\w+|fork\w*)"
)


@dataclass(frozen=True)
class Source:
    """What a file of ours does, as far as its text tells: the dotted names it calls, and with which words; what it imports."""

    called: frozenset[str]
    called_with: frozenset[tuple[str, str]]
    imported: frozenset[str]
    keywords: frozenset[str]
    words: frozenset[str]


@cache
def sources() -> dict[str, Source]:
    """Every file of ours. The trees themselves are not kept: they are larger than all the rest of the tests."""
    return {str(path.relative_to(ROOT)): read(ast.parse(path.read_text())) for path in (ROOT / "app").rglob("*.py")}


def read(tree: ast.AST) -> Source:
    nodes = list(ast.walk(tree))
    calls = [(ast.unparse(node.func), node.args) for node in nodes if isinstance(node, ast.Call)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return Source(
        called=frozenset(name for name, _ in calls),
        called_with=frozenset((name, one.value) for name, given in calls for one in given if is_word(one)),
        imported=frozenset(names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}),
        keywords=frozenset(node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg),
        words=frozenset(node.value for node in nodes if is_word(node)),
    )


def is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def everything_called() -> set[str]:
    return {name for source in sources().values() for name in source.called}


def test_s20_only_git_and_our_own_parser_are_processes() -> None:
    """No analyzer of others is run, so no setting, plugin or hook of a change can be."""
    doors = {path for path, source in sources().items() if any(STARTING.fullmatch(name) for name in source.called)}
    doors -= {path for path in doors if path.startswith(SANDBOX)}
    assert doors == PROCESS_DOORS
    everything = everything_called()
    assert everything.isdisjoint({"eval", "exec", "compile", "__import__", "os.system", "os.popen"})
    assert not any(name.endswith("create_subprocess_shell") for name in everything)


def test_s23_a_shell_is_never_asked_for() -> None:
    assert [path for path, source in sources().items() if "shell" in source.keywords] == []


def test_s45_no_archive_is_opened_and_nothing_is_unpickled() -> None:
    unpacking = {"tarfile", "zipfile", "pickle", "marshal", "shelve", "dill", "bz2", "lzma"}
    assert {
        path: sorted(source.imported & unpacking) for path, source in sources().items() if source.imported & unpacking
    } == {}
    assert "shutil.unpack_archive" not in everything_called()


def test_s12_nobody_is_believed_for_what_a_payload_calls_them() -> None:
    ours = [source for path, source in sources().items() if not path.startswith(SANDBOX)]
    assert not any("author_association" in source.words for source in ours)
    endings = {name for source in sources().values() for name, word in source.called_with if word == "[bot]"}
    assert not any(name.endswith(".endswith") for name in endings)


def test_s55_the_documented_permissions_are_those_that_the_app_and_its_tokens_ask_for() -> None:
    page = (ROOT / "docs" / "permissions.md").read_text().partition("## Repository permissions")[2].partition("###")[0]
    rows = re.findall(r"^\| ([A-Z][A-Za-z ]+) \| (read|write) \|", page, re.MULTILINE)
    assert {name.lower().replace(" ", "_"): level for name, level in rows} == PERMISSIONS
    events = (ROOT / "docs" / "permissions.md").read_text().partition("## Events")[2].partition("##")[0]
    named = re.findall(r"^\| ([A-Z][a-z ]+) \|", events, re.MULTILINE)
    assert sorted(name.lower().replace(" ", "_") for name in named) == list(EVENTS)
    assert LOOKING.items() <= dict.fromkeys(PERMISSIONS, "read").items()
    assert PERMISSIONS["contents"] == "read"
