"""Why a patch may not be committed with one click. What is refused here is shown as a diff, with the reason.

A suggestion carries the name of whoever clicks it, and is read in a second. So it stays inside the hunk it is about, keeps out of
the files that decide what is built, installed and reviewed, and gives the code no power that the lines it replaces do not have
already. What the finding says is no evidence for a power: the same model wrote both.
"""

from __future__ import annotations

import re
import sys
from enum import Enum

from app.core import destructive, hidden, secrets
from app.core.change import FileDiff, Hunk
from app.core.finding import Anchor, Side
from app.core.gate import calls_a_bot
from app.core.patch import Draft


class Power(Enum):
    """What code can do beyond its own data, and how a person is told that a patch adds it."""

    RUNS = "it adds code that runs other programs or text as code"
    REACHES = "it adds a connection or an address that the lines it replaces do not have"
    DESTROYS = "it adds a command that cannot be undone"
    INSTALLS = "it brings in a module that the file does not use yet"


_STEERING = re.compile(
    r"(?:^|/)(?:\.github|\.circleci|\.buildkite|\.husky|\.githooks|\.vscode|\.devcontainer|\.cursor|\.claude|\.gemini)/"
    r"|(?:^|/)(?:\.gitlab-ci\.yml|\.travis\.yml|azure-pipelines\.yml|bitbucket-pipelines\.yml|Jenkinsfile|CODEOWNERS|\.pre-commit-config\.yaml"
    r"|\.gitattributes|\.gitmodules|\.npmrc|\.yarnrc(?:\.yml)?|\.pypirc|\.cursorrules|AGENTS\.md|CLAUDE\.md|GEMINI\.md|SKILL\.md"
    r"|Dockerfile(?:\.\w{1,30})?|Makefile)$",
    re.IGNORECASE,
)
_LOCKED = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|poetry\.lock|uv\.lock|Pipfile\.lock"
    r"|Cargo\.lock|Gemfile\.lock|composer\.lock|go\.sum|requirements[\w.-]{0,40}\.txt)$",
    re.IGNORECASE,
)
_RUNS = re.compile(
    r"\b(?:eval|exec|execSync|execFile|execFileSync|execve|spawn|spawnSync|fork|system|popen|Popen|check_output|check_call|shell_exec"
    r"|passthru|proc_open|ProcessBuilder|runInNewContext|runInThisContext|importScripts|__import__|import)\s?\("
    r"|\b(?:subprocess|child_process|ctypes|pickle|marshal)\b|\bnew\s{1,3}Function\b|\bFunction\s?\(|getRuntime\s?\("
    r"|\b(?:ba|z|da|k)?sh\s{1,3}-c\b|\bpowershell\b|\bpwsh\b|\bcmd(?:\.exe)?\s{1,3}/c\b|\|\s{0,3}(?:ba|z|da|k)?sh\b|\bsudo\b"
    r"|\binnerHTML\b|\bdangerouslySetInnerHTML\b|\bdocument\.write\b|\bshell\s?[=:]\s?[Tt]rue\b|\byaml\.(?:unsafe_)?load\s?\("
)
_REACHES = re.compile(
    r"\b(?:fetch|urlopen|sendBeacon|createConnection|XMLHttpRequest|WebSocket|EventSource|axios|got|curl|wget|netcat|Invoke-WebRequest"
    r"|requests|httpx|aiohttp|urllib|socket|dgram|smtplib|ftplib|paramiko|nslookup)\b|\bhttps?\.(?:get|request)\b|\bnet\.connect\b"
)
_HOST = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}:/{1,3}([^\s/'\"`)>\]]{1,200})|(?<![\w:])//([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
    re.IGNORECASE,
)
_MODULE = re.compile(
    r"\b(?:from|import|require)\b\s{0,3}\(?\s{0,3}['\"]([^'\"\n]{1,200})['\"]"
    r"|^\s{0,80}(?:import|from)\s{1,3}([A-Za-z_]\w{0,80})(?![^\n]{0,300}['\"])",
    re.MULTILINE,
)


def refusal(made: Draft, *, file: FileDiff, anchor: Anchor) -> str:
    """Why the patch is no suggestion; empty when nothing speaks against it."""
    return _wrong_place(made, file=file, anchor=anchor) or _wrong_text(made) or _new_power(made)


def _wrong_place(made: Draft, *, file: FileDiff, anchor: Anchor) -> str:
    if anchor.side is not Side.RIGHT:
        return "it concerns removed lines"
    if _STEERING.search(made.path):
        return "files that steer builds and reviews are changed by people"
    if _LOCKED.search(made.path):
        return "lock files are written by their own tool"
    if not made.path == file.path == anchor.path:
        return "it concerns another file than the finding"
    if not _inside(made, file.hunks[anchor.hunk]):
        return "it reaches beyond the part of the change that the finding is about"
    return ""


def _inside(made: Draft, hunk: Hunk) -> bool:
    return hunk.new_start <= made.start_line and made.end_line <= hunk.new_end


def _wrong_text(made: Draft) -> str:
    if hidden.count(made.replacement):
        return "it holds characters that do not show"
    if secrets.find(made.replacement):
        return "it would repeat a secret"
    if calls_a_bot(made.replacement):
        return "it holds a line that another bot would take for a command"
    if not made.replacement and made.start_line == 1:
        return "it would empty the file"
    return ""


def _new_power(made: Draft) -> str:
    replaced = "\n".join(made.before.split("\n")[made.start_line - 1 : made.end_line])
    added = _powers(made.replacement) - _powers(replaced)
    if _hosts(made.replacement) - _hosts(replaced):
        added |= {Power.REACHES}
    if _foreign_modules(made.replacement) - _modules(made.before):
        added |= {Power.INSTALLS}
    return next((power.value for power in Power if power in added), "")


def _powers(text: str) -> frozenset[Power]:
    seen = {
        Power.RUNS: _RUNS.search(text),
        Power.REACHES: _REACHES.search(text),
        Power.DESTROYS: destructive.find(text),
    }
    return frozenset(power for power, found in seen.items() if found)


def _hosts(text: str) -> frozenset[str]:
    return frozenset((found[1] or found[2]).lower() for found in _HOST.finditer(text))


def _modules(text: str) -> frozenset[str]:
    return frozenset(found[1] or found[2] for found in _MODULE.finditer(text))


def _foreign_modules(text: str) -> frozenset[str]:
    """The modules that come from elsewhere: not relative ones, not those that the language itself brings."""
    return frozenset(
        name
        for name in _modules(text)
        if not name.startswith((".", "node:", "@/", "~/")) and name not in sys.stdlib_module_names
    )
