"""Rule `input-validation`: shell commands and programs that are made at run time."""

from __future__ import annotations

import re
from functools import lru_cache

from ast_grep_py import SgNode

from app.analysis import calls, flow
from app.analysis.context import Candidate, Match
from app.analysis.refine import refines
from app.analysis.refine.injected import CONSTANT, IN_PROGRAMS, OUTSIDE_SCRIPTS, told
from app.analysis.texts import HOPS, Text, all_values, has_values, text_of

_CHILD_PROCESS = frozenset(("exec", "execSync"))
_RUNNERS = frozenset((
    "exec", "execSync", "spawn", "spawnSync", "execFile", "execFileSync", "shell", "shellSync", "command", "commandSync",
    "execaCommand", "execaCommandSync", "$",
))  # fmt: skip
_ALIAS = re.compile(
    r"\b(?P<name>[\w$]+)\s*=\s*(?:require\([\"'](?:node:|mz/)?(?:child_process|shelljs|execa)[\"']\)\.\w+|"
    r"(?:[\w$]+\.)?promisify\([^()\n]{0,60}(?:\([^()\n]{0,60}\)[^()\n]{0,20})?exec\s*\))"
)
_PROGRAMS = frozenset(("spawn", "spawnSync", "execFile", "execFileSync"))
_REQUIRED = re.compile(
    r"require\([\"'](?:node:|mz/)?(?P<module>child_process|shelljs|execa)[\"']\)(?:\.(?P<member>\w+))?$"
)


@refines("injection.command-from-request", where=IN_PROGRAMS, shows=flow.reads_a_request)
def command_from_request(candidate: Candidate) -> Match | None:
    """A shell command with a part of a request in it."""
    command = _command(candidate)
    if command is None:
        return None
    source = next((found for part in all_values(command) if (found := flow.from_request(part))), None)
    if source is None or flow.is_checked(source.split(".")[-1], candidate.node):
        return None
    return told(candidate, source, "reaches a shell")


@refines("injection.command-joined", where=OUTSIDE_SCRIPTS)
def command_joined(candidate: Candidate) -> Match | None:
    """A shell command that is not a constant."""
    command = _command(candidate)
    if command is None:
        return None
    for value in all_values(command):
        plain = value.text()
        if CONSTANT.match(plain) or re.search(
            r"__dirname|process\.(?:execPath|cwd|argv|platform)|quote|escape|\.join\(__", plain
        ):
            continue
        return told(candidate, plain, "becomes part of a shell command")
    return None


@refines("injection.code-from-request", where=IN_PROGRAMS, shows=flow.reads_a_request)
def code_from_request(candidate: Candidate) -> Match | None:
    """A part of a request that is run as a program."""
    code = _code(candidate)
    source = flow.from_request(code) if code is not None else None
    return told(candidate, source, "is run as a program") if source is not None else None


@refines("injection.code-joined", where=OUTSIDE_SCRIPTS)
def code_joined(candidate: Candidate) -> Match | None:
    """A program made at run time."""
    code = _code(candidate)
    if code is None:
        return None
    text = text_of(code, HOPS)
    if text is not None and not text.values:
        return None
    return told(candidate, code.text(), "is run as a program")


def _command(candidate: Candidate) -> Text | None:
    """The shell command of a call, where it holds anything but constants."""
    given = calls.arguments(candidate.node)
    if not given or not _runs_a_shell(candidate, given):
        return None
    text = text_of(given[0], HOPS)
    if text is None:
        if given[0].kind() in (
            "identifier",
            "member_expression",
            "subscript_expression",
            "attribute",
            "call_expression",
            "call",
        ):
            return Text("", (("", given[0]),))
        return None
    return text if text.values else None


def _runs_a_shell(candidate: Candidate, given: list[SgNode]) -> bool:
    name = calls.callee(candidate.node)
    head, _, verb = name.rpartition(".")
    imports = candidate.file.imports
    if candidate.file.language == "python":
        if name in ("os.system", "os.popen"):
            return imports.get("os") == "os"
        return (head == "subprocess" or imports.get(verb, "").startswith("subprocess.")) and any(
            one.kind() == "keyword_argument" and re.fullmatch(r"shell\s*=\s*True", one.text()) for one in given
        )
    if verb not in _RUNNERS and (head or verb not in _aliases(candidate.file.text)):
        return False
    module, member = _program_runner(head, verb, candidate)
    if module == "execa":
        return member in ("shell", "shellSync") or (
            member.startswith(("command", "execaCommand", "$")) and _has_shell(given)
        )
    if module == "shelljs":
        return member == "exec"
    if module == "child_process":
        return member in _CHILD_PROCESS or (member in _PROGRAMS and _has_shell(given))
    return not head and _is_promisified_exec(verb, candidate)


@lru_cache(maxsize=8)
def _aliases(text: str) -> frozenset[str]:
    """The names that a file gives to functions which run a shell."""
    return frozenset(found["name"] for found in _ALIAS.finditer(text))


def _program_runner(head: str, verb: str, candidate: Candidate) -> tuple[str, str]:
    """The module that a called name comes from, and its name there: by an import, or by what the name was declared as."""
    name = head or verb
    required = _REQUIRED.match(head)
    if required is not None:
        return required["module"], verb
    value = flow.declaration(name, candidate.node) if re.fullmatch(r"[\w$]+", name) else None
    declared = _REQUIRED.match(re.sub(r"\s+", "", value.text())) if value is not None else None
    if declared is not None:
        return declared["module"], verb if head else declared["member"] or verb
    module = candidate.file.imports.get(name, "").removeprefix("mz/")
    return (module, verb) if module in ("child_process", "shelljs", "execa") else ("", "")


def _has_shell(given: list[SgNode]) -> bool:
    return any(one.kind() == "object" and re.search(r"\bshell\s*:\s*(?!false)", one.text()) for one in given)


def _is_promisified_exec(name: str, candidate: Candidate) -> bool:
    if name in _CHILD_PROCESS and re.search(r"child_process", candidate.file.text):
        value = flow.declaration(name, candidate.node)
        return value is None or "child_process" in value.text() or "promisify" in value.text()
    value = flow.declaration(name, candidate.node) if re.search(r"exec", name, re.IGNORECASE) else None
    return value is not None and re.search(r"promisify\(\s*(?:\w+\.)?exec\s*\)", value.text()) is not None


def _code(candidate: Candidate) -> SgNode | None:
    """What `eval`, `new Function` or `vm` is given, where it is no constant."""
    given = [one for one in calls.arguments(candidate.node) if one.kind() != "keyword_argument"]
    constructor = candidate.node.field("constructor")
    name = calls.callee(candidate.node) or (constructor.text() if constructor is not None else "")
    if not given or (name in ("eval", "exec", "Function") and candidate.file.declares(name)):
        return None
    code = given[-1] if name == "Function" else given[0]
    if code.kind() in ("arrow_function", "function_expression", "string", "spread_element") and not has_values(code):
        return None
    return code
