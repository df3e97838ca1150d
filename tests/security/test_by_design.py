"""What cannot happen because there is no code that could do it. Each test reads our sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from app.core.registration import EVENTS, PERMISSIONS
from app.github.credentials import LOOKING

ROOT = Path(__file__).parents[2]
SOURCES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in (ROOT / "app").rglob("*.py")}
SANDBOX = "app/sandbox/"
PROCESS_DOORS = {"app/git/run.py", "app/analysis/scanner.py"}
STARTING = re.compile(
    r"subprocess\.(?:Popen|run|call|check_\w+|get\w+)|asyncio\.create_subprocess_\w+|os\.(?:system|popen|exec\w+|spawn\w+|fork\w*)"
)


def called(tree: ast.AST) -> set[str]:
    """The dotted names of everything that is called."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def calls_with(tree: ast.AST, word: str) -> set[str]:
    """The dotted names of what is called with this text."""
    return {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(isinstance(one, ast.Constant) and one.value == word for one in node.args)
    }


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_s20_only_git_and_our_own_parser_are_processes() -> None:
    """No analyzer of others is run, so no setting, plugin or hook of a change can be."""
    doors = {path for path, tree in SOURCES.items() if any(STARTING.fullmatch(name) for name in called(tree))}
    doors -= {path for path in doors if path.startswith(SANDBOX)}
    assert doors == PROCESS_DOORS
    everything = {name for tree in SOURCES.values() for name in called(tree)}
    assert everything.isdisjoint({"eval", "exec", "compile", "__import__", "os.system", "os.popen"})
    assert not any(name.endswith("create_subprocess_shell") for name in everything)


def test_s23_a_shell_is_never_asked_for() -> None:
    with_shell = [
        path
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert with_shell == []


def test_s45_no_archive_is_opened_and_nothing_is_unpickled() -> None:
    unpacking = {"tarfile", "zipfile", "pickle", "marshal", "shelve", "dill", "bz2", "lzma"}
    assert {
        path: sorted(imported(tree) & unpacking) for path, tree in SOURCES.items() if imported(tree) & unpacking
    } == {}
    assert "shutil.unpack_archive" not in {name for tree in SOURCES.values() for name in called(tree)}


def test_s12_nobody_is_believed_for_what_a_payload_calls_them() -> None:
    words = {
        node.value
        for path, tree in SOURCES.items()
        if not path.startswith(SANDBOX)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert "author_association" not in words
    endings = {name for tree in SOURCES.values() for name in calls_with(tree, "[bot]")}
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
