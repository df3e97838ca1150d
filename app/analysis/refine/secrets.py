"""Rule `secrets`: values in the source that open something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from app.analysis import languages, roles
from app.analysis.context import FileContext, Match
from app.analysis.refine import searches, token_proof
from app.analysis.roles import Role
from app.core import secrets
from app.core.secrets import Certainty, Secret

LONGEST_PREFIX = 4
_QUIET_ROLES = frozenset((Role.TEST, Role.EXAMPLE))
_PROSE = frozenset((".md", ".mdx", ".rst", ".txt", ".adoc", ".html", ".csv", ".po", ".xlf"))
_MACHINE_MADE = (
    ".lock",
    ".snap",
    ".svg",
    ".map",
    ".min.js",
    "package-lock.json",
    "pnpm-lock.yaml",
    ".sum",
    ".ipynb_checkpoints",
)
LINES_BESIDE = 3
LINES_ABOVE = 8
_KEY_FILES = frozenset((".key", ".pem", ".crt"))
_OF_A_SETUP = re.compile(
    r"(?:^|/)(?:certs?|certificates?|ssl|tls|artifacts)/|(?:^|/)(?:server|nginx|cert|domain)\.(?:key|pem)$"
)
"""Where the key of a certificate stands that somebody made for a first start."""
_LIST_OF_A_SCANNER = re.compile(r"^\.?(?:secrets?ignore|gitleaks|trufflehog|.*baseline)")
_SURE_NAME = re.compile(r"secret|passw|pwd|api_?-?key|private|credential|_key$|Key$", re.IGNORECASE)
"""Of a bare `token` or `id` half of the values are samples."""
_WORDS_FOLDER = re.compile(r"(?:^|/)(?:locales?|i18n|lang|langs|languages|translations?|messages)/", re.IGNORECASE)


@searches("secrets.provider-token")
def provider_token(file: FileContext) -> Iterable[Match]:
    """Tokens and private keys that show by themselves who made them, in code and configuration that is put to use."""
    for secret in _issued(file):
        if _is_put_to_use(file) and _proves_itself(file, secret):
            yield _match(file, secret)


@searches("secrets.token-elsewhere")
def token_elsewhere(file: FileContext) -> Iterable[Match]:
    """The same in what people read or develop with, and what has a provider's form and nothing more to show for it."""
    for secret in _issued(file):
        if not (_is_put_to_use(file) and _proves_itself(file, secret)):
            yield _match(file, secret)


@searches("secrets.named-value")
def named_value(file: FileContext) -> Iterable[Match]:
    """Random values and passwords under a name that says so, and addresses with a password, in code that a service runs."""
    for secret in _named(file):
        if _is_told_by_itself(file, secret):
            yield _match(file, secret)


@searches("secrets.value-elsewhere")
def value_elsewhere(file: FileContext) -> Iterable[Match]:
    """The same in configuration, in scripts and pages, and under names that samples have as well."""
    for secret in _named(file):
        if not _is_told_by_itself(file, secret):
            yield _match(file, secret)


def _issued(file: FileContext) -> Iterator[Secret]:
    if _is_quiet(file):
        return
    for secret in file.secrets:
        if secret.certainty is Certainty.PROVEN and not (
            _is_meant_to_be_public(file, secret) or _is_shown_as_example(file, secret)
        ):
            yield secret


def _is_put_to_use(file: FileContext) -> bool:
    """Whether a service may be run with the file: it is no prose, no list for a scanner, and not for those who develop it."""
    path = PurePosixPath(file.path.lower())
    if path.suffix in _PROSE or _LIST_OF_A_SCANNER.search(path.name) or roles.is_for_developers(file.path):
        return False
    return not (path.suffix in _KEY_FILES and _OF_A_SETUP.search(str(path)))


def _proves_itself(file: FileContext, secret: Secret) -> bool:
    line = file.line_of(secret.start)
    beside = "\n".join(file.lines[max(0, line - 1 - LINES_BESIDE) : line + LINES_BESIDE])
    return token_proof.proves_itself(secret.kind, file.text[secret.start : secret.end], beside=beside)


def _named(file: FileContext) -> Iterator[Secret]:
    path = file.path.lower()
    if _is_quiet(file) or PurePosixPath(path).suffix in _PROSE:
        return
    if _WORDS_FOLDER.search(path) or roles.is_for_developers(path) or "/.github/workflows/" in f"/{path}":
        return
    for secret in file.secrets:
        harmless = (_is_commented_example, _is_search_key, _is_a_call)
        if secret.certainty is Certainty.LIKELY and not any(look(file, secret) for look in harmless):
            yield secret


def _is_told_by_itself(file: FileContext, secret: Secret) -> bool:
    """Whether nothing but the value's own place has to be known: most of the others are samples and development settings."""
    if languages.of(file.path) is None or file.role not in (Role.SERVER, Role.UNKNOWN):
        return False
    return not secret.name or _SURE_NAME.search(secret.name) is not None


def _is_a_call(file: FileContext, secret: Secret) -> bool:
    """Whether what looks like a value is the name of a function that is called."""
    return file.text[secret.end : secret.end + 1] == "("


def _is_search_key(file: FileContext, secret: Secret) -> bool:
    """Whether a page hands the value to a search service, whose key for reading is sent to every visitor."""
    line = file.line_of(secret.start)
    around = "\n".join(file.lines[max(0, line - 5) : line + 4])
    return file.role is Role.CLIENT and re.search(r"docsearch|algolia|indexName", around, re.IGNORECASE) is not None


def _is_quiet(file: FileContext) -> bool:
    return file.role in _QUIET_ROLES or file.path.lower().endswith(_MACHINE_MADE)


def _is_meant_to_be_public(file: FileContext, secret: Secret) -> bool:
    """Google keys of browser code and Firebase are sent to every visitor anyway, as is the key's id in a signed address."""
    if file.text.endswith("X-Amz-Credential=", 0, secret.start):
        return True
    if not secret.kind.startswith("Google API"):
        return False
    return (
        file.role is Role.CLIENT
        or re.search(r"firebase|authDomain|maps\.googleapis|NEXT_PUBLIC|VITE_", file.text, re.IGNORECASE) is not None
    )


def _is_shown_as_example(file: FileContext, secret: Secret) -> bool:
    """Whether the value shows a form: `example: …` in a schema, or below a line that calls it an example."""
    line = file.line_of(secret.start)
    above = "\n".join(file.lines[max(0, line - 1 - LINES_ABOVE) : line])
    return re.search(r"example|sample|placeholder|dummy|\bfake|\bno actual\b", above, re.IGNORECASE) is not None


def _is_commented_example(file: FileContext, secret: Secret) -> bool:
    line = file.lines[file.line_of(secret.start) - 1]
    if re.search(r"@?(?:localhost|127\.0\.0\.1)\b", line):
        return True
    return (
        re.match(r"\s*(?:#|//|\*|/\*|--|<!--|;)", line) is not None
        or re.search(r"\be\.g\.|\bexample\b", line, re.IGNORECASE) is not None
    )


def _match(file: FileContext, secret: Secret) -> Match:
    value = file.text[secret.start : secret.end]
    first, last = file.line_of(secret.start), file.line_of(secret.end - 1)
    start = file.start_of(first)
    lines = "\n".join(file.lines[first - 1 : last])
    inside = tuple(
        Secret(one.kind, max(one.start - start, 0), min(one.end - start, len(lines)), one.certainty, one.name)
        for one in file.secrets
        if one.start < start + len(lines) and one.end > start
    )
    name = secret.name or secret.kind
    return Match(
        secret.start,
        secret.end,
        captures={
            "kind": secret.kind,
            "name": name,
            "variable": _variable(secret),
            "masked": secrets.mask(
                value.split("\n")[0], (Secret(secret.kind, 0, len(value.split("\n")[0]), secret.certainty),)
            ),
        },
        note=f"{secret.kind} in the source ({len(value)} characters)",
        why_no_patch="the value has to be replaced at its issuer first, and a patch would repeat it here",
        quote=secrets.mask(lines, inside),
    )


def _variable(secret: Secret) -> str:
    """The name an environment variable for it would have."""
    words = re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", secret.name.split(".")[-1] if secret.name else secret.kind
    )
    return words.strip("_").upper() or "SECRET"
