"""Text in, out what stands behind a telling name, in an address, or in a statement that asks for a password."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.core.literals import Literals
from app.core.secret import Secret
from app.core.secret_forms import Certainty
from app.core.secret_values import (
    KNOWN_PASSWORDS,
    LEAST_JUMBLED,
    REFERENCE,
    has_digit,
    is_jumbled,
    is_password,
    is_placeholder,
    is_plain,
    is_random,
)

LONGEST_NAME_PREFIX = 40
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,20})://(?P<user>[^\s:/@\"'`<>]{0,80}):"
    r"(?P<value>[^\s/@\"'`<>]{3,200})@(?P<host>[^\s/\"'`:?,;)\]}]{1,200})"
)
_SCHEME_END = re.compile("://")
LONGEST_SCHEME = 21
_SCHEME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "+.-")
_TELLING_WORD = (
    r"passwords?|passwd|passphrase|pwd|secrets?|api[_-]?keys?|apikeys?|access[_-]?keys?|secret[_-]?keys?|private[_-]?key|"
    r"signing[_-]?key|encryption[_-]?key|master[_-]?key|auth[_-]?key|account[_-]?key|tokens?|credentials?"
)
_TELLING_STARTS = (
    ("pass", "passw"),
    ("pass", "passphrase"),
    ("pw", "pwd"),
    ("secret", "secret"),
    ("token", "token"),
    ("credential", "credential"),
)
"""Words that tell a secret's name, each behind the hint that it begins with."""
_KEYS_OF = ("api", "access", "private", "signing", "encryption", "master", "auth", "account")
"""What stands before `key`, with or without a joint, where the key is to be kept."""
LONGEST_KEY_OF = max(map(len, _KEYS_OF))
_QUOTED = re.compile(
    rf"(?P<name>(?:{_TELLING_WORD})[\w-]{{0,30}}+)[\"'\]]{{0,2}}+[ \t]{{0,8}}+(?::[ \t]{{0,4}}[A-Za-z][\w.|<>\[\] ]{{0,30}})?"
    r"(?:=>|:=|===?|!==?|\|\||\?\?|[:=])[ \t]{0,8}+(?:\r?\n[ \t]{1,40})?(?:new |Buffer\.from\()?[bruf]?"
    r"(?P<quote>[\"'`])(?P<value>[^\"'`\r\n]{6,400})(?P=quote)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"(?P<name>(?:{_TELLING_WORD})[\w-]{{0,30}}+)[ \t]{{0,8}}+(?:=|:[ \t])[ \t]{{0,8}}+"
    r"(?P<value>[^\s\"'`#;,(){}\[\]<>]{8,300}+)(?=[ \t]*(?:[#;].{0,200})?\r?(?:\n|$))",
    re.IGNORECASE,
)
_HINTS = (
    "pass",
    "pw",
    "psw",
    "pssw",
    "pasw",
    "secret",
    "token",
    "key",
    "credential",
    "cred",
    "salt",
    "nonce",
    "bearer",
)
_HINTED = re.compile(
    r"(?:p(?:a?s{1,2})?w(?:o?r?)?d?s?|pass(?:words?|wd|phrase|code)?|secrets?|tokens?|key|cred(?:ential)?s?|salt|nonce|bearer)[\w-]{0,20}+"
    r"(?:[\"'\])]{0,2}[ \t]{0,4}(?::=|=>|->|[!=]==?|[:=,])[ \t]{0,4}(?:[bruf]|\\)?|\\?[\"']?(?:[ \t]|\\t){1,4}(?:is[ \t]{1,4})?)"
    r"(?P<quote>(?:\\{0,3}[\"'`]){1,3}|&quot;)?(?P<value>[^\s\"'`,;()<>\[\]{}\\&|]{6,200}+)",
    re.IGNORECASE,
)
"""A telling word, something that joins, and what may be its value."""
LONGEST_NESTED = 64
"""What follows a telling word and is no value may hold another one, unless it is longer than this."""
_VALUE_IN_SQL = r"[\"'`]{0,2}(?P<value>(?![:?$@%])[^\s\"'`;\\)]{4,120})"
_STATEMENTS = (
    (
        "password in SQL",
        ("identified ",),
        re.compile(
            r"IDENTIFIED[ \t]{1,4}(?:WITH[ \t]{1,4}[\"'`]?\w{1,40}[\"'`]?[ \t]{1,4})?(?:BY|AS)[ \t]{1,4}(?:PASSWORD[ \t]{1,4})?"
            + _VALUE_IN_SQL,
            re.IGNORECASE,
        ),
    ),
    (
        "password in SQL",
        ("create user", "alter user", "create role", "alter role"),
        re.compile(
            rf"(?:CREATE|ALTER) (?:USER|ROLE)[ \t][^;\n]{{1,120}}?\bPASSWORD[ \t]{{1,4}}{_VALUE_IN_SQL}", re.IGNORECASE
        ),
    ),
    (
        "credential in a header",
        ("authorization", "authentication", "x-api-key", "x-auth-token"),
        re.compile(
            r"[\w-]{10,14}[\"']{0,2}[ \t]{0,4}[:=,][ \t]{0,4}[\"'`]{0,2}"
            r"(?:(?:Basic|Bearer|Token|NTLM|Negotiate|ApiKey)[ \t]{1,4})?(?!AWS4-HMAC-SHA256\b)"
            r"(?P<value>[A-Za-z0-9+/._~-]{12,2000}={0,2})",
            re.IGNORECASE,
        ),
    ),
    (
        "credential in a header",
        ("oauth_signature=",),
        re.compile(r"oauth_signature=[\"']?(?P<value>[A-Za-z0-9+/%=]{16,200})"),
    ),
    (
        "key in a connection string",
        ("accountkey=", "sharedaccesskey=", "sharedsecret="),
        re.compile(r"\w{10,16}=(?P<value>[A-Za-z0-9+/]{32,120}={0,2})"),
    ),
    (
        "password in a connection string",
        ("user id", "user_id", "userid", "uid=", "username=", "user=", "server=", "data source", "host=", "database="),
        re.compile(
            r"[\w ]{3,12}=[^=\n\"'`;]{1,80};(?:[^=\n\"'`;]{1,40}=[^=\n\"'`;]{1,80};){0,4}[ \t]{0,4}(?:Password|Pwd)[ \t]?="
            r"(?P<value>[^;\s\"'`&$]{4,120})",
            re.IGNORECASE,
        ),
    ),
    (
        "password in a command",
        ("curl ", "userpwd,"),
        re.compile(
            r"(?:curl\b[^\n]{0,200}?[ \t](?:-u|--user)[ \t]{1,4}|USERPWD,[ \t]{0,4})[\"']?[\w.@-]{1,80}:"
            r"(?P<value>[^\s\"'`$@]{4,120})"
        ),
    ),
)
"""What a value is, the lower-case words one of which begins the statement, and the statement."""
_WORDS = Literals((*_HINTS, *(word for _, words, _ in _STATEMENTS for word in words)))
_NAME_PREFIX = re.compile(r"[\w.-]*$")
_NOT_A_VALUE = frozenset((
    "name", "names", "field", "fields", "label", "labels", "type", "types", "url", "uri", "path", "file", "files",
    "header", "headers", "id", "ids", "hint", "placeholder", "length", "size", "count", "regex", "pattern",
    "prefix", "suffix", "message", "error", "errors", "text", "title", "description", "expiry", "expires", "ttl",
    "timeout", "policy", "endpoint", "host", "hash", "hashed", "algorithm", "alg", "mode", "scheme", "input",
    "element", "selector", "class", "column", "key_name", "keyname", "env", "var", "variable", "param", "params",
    "parameter", "arn", "ref", "reference", "store", "manager", "provider", "strategy", "schema", "format",
    "version", "status", "state", "usage", "limit", "budget", "symbol", "address", "contract", "mint", "kind",
    "category", "event", "action", "role", "scope", "page", "route", "view", "form", "reset", "strength",
    "confirmation", "confirm", "help", "rule", "rules", "validator", "token_type", "grant",
))  # fmt: skip
_PUBLIC = re.compile(
    r"public|publishable|anon[_-]?key|csrf|xsrf|sitekey|site[_-]key|cancel|design|page|next|continuation|css|author",
    re.IGNORECASE,
)
_PUBLIC_VALUE = re.compile(r"^(?:phc|pk|pub|public)[_-]", re.IGNORECASE)
"""Keys that are sent to every browser: PostHog's, Stripe's and their like."""
_PASSWORD_WORD = re.compile(r"passw|passphrase|pwd", re.IGNORECASE)
_LOCAL_HOST = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1|host\.docker\.internal|db$|postgres$|redis$|mysql$|mongo|rabbitmq$|host$|.*\bexample\b)",
    re.IGNORECASE,
)


def in_addresses(text: str) -> Iterator[Secret]:
    """Passwords in addresses: `scheme://user:password@host`."""
    if "@" not in text:
        return
    for joint in _SCHEME_END.finditer(text):
        match = _URL.match(text, _scheme_start(text, joint.start()))
        if match is None:
            continue
        value, host = match["value"], match["host"]
        if REFERENCE.search(value) or "<" in value:
            continue
        tame = is_placeholder(value) or value.lower() in KNOWN_PASSWORDS or value.lower() == match["user"].lower()
        if tame or _LOCAL_HOST.match(host) or REFERENCE.search(host) or len(value) < 6 or value.isdigit():
            certainty = Certainty.POSSIBLE
        else:
            certainty = Certainty.LIKELY
        yield Secret("password in an address", match.start("value"), match.end("value"), certainty)


def _scheme_start(text: str, end: int) -> int:
    """Where the characters of a scheme begin that end there; no scheme is longer than the pattern allows."""
    start = end
    while start > 0 and end - start <= LONGEST_SCHEME and text[start - 1] in _SCHEME_CHARACTERS:
        start -= 1
    return start


def named_and_spoken(text: str, *, least: Certainty = Certainty.POSSIBLE) -> Iterator[Secret]:
    """What a telling word stands before; what is no surer than POSSIBLE is mostly not even looked for where more is asked."""
    lower = _lowered(text)
    places = _WORDS.places(lower)
    if not places:
        return
    yield from _named(text, _telling_places(lower, places))
    yield from _spoken(text, places)
    if least is Certainty.POSSIBLE:
        yield from _hinted(text, places)


def _named(text: str, places: list[int]) -> Iterator[Secret]:
    for pattern in (_QUOTED, _BARE):
        end = -1
        for place in places:
            match = pattern.match(text, place) if place >= end else None
            if match is None:
                continue
            end = match.end()
            before = _NAME_PREFIX.search(text[max(0, match.start() - LONGEST_NAME_PREFIX) : match.start()])
            name = (before.group() if before else "") + match["name"]
            certainty = _judge(name, match["value"], quoted=pattern is _QUOTED)
            if certainty:
                yield Secret("secret value", match.start("value"), match.end("value"), certainty, name)


def _spoken(text: str, places: Mapping[str, Sequence[int]]) -> Iterator[Secret]:
    """Values in statements: in commands, in SQL, in headers, in connection strings."""
    for kind, words, pattern in _STATEMENTS:
        for place in _all_of(places, words):
            match = pattern.match(text, place)
            value = match["value"] if match is not None else ""
            if match is not None and not is_placeholder(value) and not is_plain(value) and len(value) >= LEAST_JUMBLED:
                certainty = Certainty.LIKELY if is_password(value) or is_random(value) else Certainty.POSSIBLE
                yield Secret(kind, match.start("value"), match.end("value"), certainty)


def _hinted(text: str, places: Mapping[str, Sequence[int]]) -> Iterator[Secret]:
    """Jumbled values behind a hint, also in prose: good enough to keep from a prompt."""
    end = -1
    for place in _all_of(places, _HINTS):
        hinted = _HINTED.match(text, place) if place >= end else None
        value = hinted["value"].rstrip(".:") if hinted is not None else ""
        if hinted is None:
            continue
        start = hinted.start("value")
        if is_jumbled(value):
            end = hinted.end()
            yield Secret("secret value", start, start + len(value), Certainty.POSSIBLE)
        elif len(value) > LONGEST_NESTED:
            end = hinted.end()


def _all_of(places: Mapping[str, Sequence[int]], words: Iterable[str]) -> list[int]:
    return sorted({place for word in words for place in places.get(word, ())})


def _telling_places(lower: str, hints: Mapping[str, Sequence[int]]) -> list[int]:
    """Where a telling word begins. Plain search for each of them is a hundred times as fast as one pattern for all."""
    places = {place for hint, word in _TELLING_STARTS for place in hints.get(hint, ()) if lower.startswith(word, place)}
    for place in hints.get("key", ()):
        before = lower[max(0, place - LONGEST_KEY_OF - 1) : place]
        owner = before[:-1] if before.endswith(("_", "-")) else before
        whose = next((one for one in _KEYS_OF if owner.endswith(one)), "") if owner.endswith(_KEYS_OF) else ""
        if whose:
            places.add(place - len(before) + len(owner) - len(whose))
    return sorted(places)


def _lowered(text: str) -> str:
    """The text in lower case with every offset kept."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(character.lower() if character.isascii() else character for character in text)
    return lower


def _judge(name: str, value: str, *, quoted: bool) -> Certainty | None:
    words = [word.lower() for word in re.split(r"[_.-]|(?<=[a-z0-9])(?=[A-Z])", name) if word]
    if not words or words[-1] in _NOT_A_VALUE or _PUBLIC.search(name):
        return None
    if any(character.isspace() for character in value) or is_placeholder(value) or is_plain(value):
        return None
    if _PUBLIC_VALUE.match(value) or (not quoted and "(" in value):
        return None
    if _PASSWORD_WORD.search(name):
        return Certainty.LIKELY if is_password(value) else Certainty.POSSIBLE
    return Certainty.LIKELY if is_random(value) else Certainty.POSSIBLE if has_digit(value) else None
