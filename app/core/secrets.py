"""Text in, secrets out: where they stand, what they are, and how sure that is.

Three degrees. PROVEN: the form is one that a provider issues, or a private key. LIKELY: a value with much entropy under a
name that says it is secret. POSSIBLE: good enough to keep it out of a prompt, not good enough to say so to a person.

Every pattern starts at a literal that is looked for first, has bounded repeats, and cannot start inside its own run, so
that hostile text costs time in proportion to its length.
"""

from __future__ import annotations

import base64
import math
import re
import string
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from app.core.secret_forms import FORMS, LEAST_RUN, RUN, WEB_TOKEN, Certainty, Form

__all__ = ["Certainty", "Secret", "entropy", "find", "is_placeholder", "mask", "redact"]

LONGEST_KEY_BLOCK = 20_000
MOST_KEY_LINES = 200
LEAST_KEY_CHARACTERS = 100
LONGEST_NAME_PREFIX = 40


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's place (character offsets of the value alone), its kind in words, and the name it is assigned to."""

    kind: str
    start: int
    end: int
    certainty: Certainty
    name: str = ""


_KEY_BLOCK = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_NO_KEY = re.compile(
    r"example|placeholder|your|redacted|<[a-z]|x{8}|\*{3}|\.{3}|…|fake|dummy|not[ _-]a[ _-]real", re.IGNORECASE
)
"""Of a key's first characters. A run of `A` says nothing here: every OpenSSH key without a passphrase begins with one."""
_ENCODED_OPENING = base64.b64encode(b"-----BEGIN ").decode()[:14]
_ENCODED_KEY = re.compile(rf"{_ENCODED_OPENING}[A-Za-z0-9+/]{{60,12000}}={{0,2}}")
_WEB_KEY = re.compile(r"\"(?:d|k|p|q|dp|dq|qi)\"\s{0,4}:\s{0,4}\"(?P<value>[A-Za-z0-9_-]{16,1400})\"")
_KEY_LINE = re.compile(r"[\s\d+\-\"'|>]{0,20}[A-Za-z0-9+/=\\]{16,100}[\"',\\n+\s]{0,8}")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,20})://(?P<user>[^\s:/@\"'`<>]{0,80}):"
    r"(?P<value>[^\s/@\"'`<>]{3,200})@(?P<host>[^\s/\"'`:?,;)\]}]{1,200})"
)
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
LEAST_JUMBLED = 6
LONGEST_NESTED = 64
"""What follows a telling word and is no value may hold another one, unless it is longer than this."""
_SIGN = re.compile(r"[!@#$%^*~]")
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
_PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|placeholder|change[_-]?me|change[_-]?this|replace|your[_-]|[_-]your|<[^>]*>|x{4,}|\*{3,}|\.{3}|…|"
    r"redacted|todo|insert|foobar|lorem|secret[_-]?here|key[_-]?here|token[_-]?here|not[_-]?a[_-]?real|invalid|"
    r"(?<![a-z])(?:test|mock|stub|none|null|undefined|default|demo|local|dev|some|my)(?![a-z])|"
    r"0123456789|1234567|abcdef(?:gh|12)|deadbeef|qwerty|asdf|AAAAAAAA|00000000",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|%\(|%[sd]|^\$|^env[.:(]|process\.env|os\.environ|getenv|secretKeyRef|^arn:|^vault:|^op://|^ssm:|^projects/|\{\w*\}|<%|^@"
)
_WORDS_ONLY = re.compile(r"^[A-Za-z]+(?:[ ._:/-][A-Za-z]+)*$")
_DATE_OR_NUMBER = re.compile(r"^[\d.,:/+TZ -]+$")
_PASSWORD_WORD = re.compile(r"passw|passphrase|pwd", re.IGNORECASE)
_LOCAL_HOST = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1|host\.docker\.internal|db$|postgres$|redis$|mysql$|mongo|rabbitmq$|host$|.*\bexample\b)",
    re.IGNORECASE,
)
_KNOWN_PASSWORDS = frozenset((
    "password", "pass", "passwd", "postgres", "root", "admin", "secret", "user", "guest", "mysql", "redis", "mongo",
    "test", "pwd", "changeme",
))  # fmt: skip


def find(text: str) -> tuple[Secret, ...]:
    """Every secret in the text, in order, none inside another; the surer one wins where two overlap."""
    found = [
        *_key_blocks(text),
        *_encoded_keys(text),
        *_provider_tokens(text),
        *_addresses(text),
        *_named_and_spoken(text),
    ]
    found.sort(key=lambda secret: (-secret.certainty, secret.start, -secret.end))
    kept: list[tuple[int, int, Secret]] = []
    for secret in found:
        place = bisect_left(kept, (secret.start, secret.end))
        before_is_clear = place == 0 or kept[place - 1][1] <= secret.start
        if before_is_clear and (place == len(kept) or secret.end <= kept[place][0]):
            kept.insert(place, (secret.start, secret.end, secret))
    return tuple(secret for _, _, secret in kept)


def mask(text: str, secrets: tuple[Secret, ...]) -> str:
    """The text with each secret's value replaced by stars, lines kept: for showing to a person where it stands."""
    return _replace(text, secrets, lambda secret, value: _stars(value))


def redact(text: str) -> str:
    """The text with each secret replaced by a placeholder that is the same for the same value; lines are kept.

    `<SECRET:GitHub token#1>`; the number counts the different values of this text.
    """
    numbers: dict[str, int] = {}

    def placeholder(secret: Secret, value: str) -> str:
        number = numbers.setdefault(value, len(numbers) + 1)
        return f"<SECRET:{secret.kind}#{number}>" + "\n" * value.count("\n")

    return _replace(text, find(text), placeholder)


def entropy(value: str) -> float:
    """Bits per character of the value's own distribution; 0 for an empty one."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0


def is_placeholder(value: str) -> bool:
    """Whether the value is a stand-in that a person wrote (`your-key-here`, `xxxx`, `AKIA…EXAMPLE`)."""
    return _PLACEHOLDER.search(value) is not None or _REFERENCE.search(value) is not None or len(set(value)) < 5


def _replace(text: str, secrets: tuple[Secret, ...], shown: Callable[[Secret, str], str]) -> str:
    parts: list[str] = []
    last = 0
    for secret in secrets:
        parts += (text[last : secret.start], shown(secret, text[secret.start : secret.end]))
        last = secret.end
    return "".join((*parts, text[last:]))


def _stars(value: str) -> str:
    """The first line shows its first characters where they are a provider's public prefix; the rest is stars."""
    head, *rest = value.split("\n")
    if head.startswith("-----BEGIN"):
        opening = _KEY_BLOCK.match(head)
        shown = opening.group() if opening else ""
        return "\n".join([shown if rest else f"{shown}********", *("********" for _ in rest)])
    shown = head[:4] if len(head) >= 16 else ""
    return "\n".join([f"{shown}********", *("********" for _ in rest)])


def _key_blocks(text: str) -> Iterator[Secret]:
    if "PRIVATE KEY" not in text:
        return
    ends = [(found.start(), found.end()) for found in _KEY_END.finditer(text)]
    for begin in _KEY_BLOCK.finditer(text):
        following = bisect_left(ends, (begin.end(), 0))
        closed = following < len(ends) and ends[following][0] - begin.end() <= LONGEST_KEY_BLOCK
        stop = ends[following][1] if closed else _body_end(text, begin.end())
        body = text[begin.end() : min(stop, begin.end() + 4 * LEAST_KEY_CHARACTERS)]
        if len(_NOT_BASE64.sub("", body)) >= LEAST_KEY_CHARACTERS and not _NO_KEY.search(body[:60]):
            yield Secret("private key", begin.start(), stop, Certainty.PROVEN)


def _body_end(text: str, start: int) -> int:
    """Where a key without its last line stops: at the first line that is not base64, diff marks and quotes aside."""
    end = start
    for _ in range(MOST_KEY_LINES):
        line_end = text.find("\n", end)
        if line_end < 0:
            return len(text) if _KEY_LINE.fullmatch(text, end) else end
        if end != start and not _KEY_LINE.fullmatch(text, end, line_end):
            return max(start, end - 1)
        end = line_end + 1
    return end - 1


def _encoded_keys(text: str) -> Iterator[Secret]:
    """Private keys that were encoded once more, as configuration that allows no line breaks holds them; and JSON Web Keys."""
    if _ENCODED_OPENING in text:
        for match in _ENCODED_KEY.finditer(text):
            opening = base64.b64decode(match.group()[: 4 * (min(len(match.group()), 80) // 4)])
            if b"PRIVATE KEY" in opening:
                yield Secret("private key", match.start(), match.end(), Certainty.LIKELY)
    if '"kty"' in text:
        for match in _WEB_KEY.finditer(text):
            yield Secret("private JSON Web Key", match.start("value"), match.end("value"), Certainty.LIKELY)


def _provider_tokens(text: str) -> Iterator[Secret]:
    # A run holds no white space, so it stands in a word as long as itself; code repeats its words.
    long_words = dict.fromkeys(word for word in text.split() if len(word) >= LEAST_RUN)
    runs = "\n".join(RUN.findall("\n".join(long_words)))
    near = dict.fromkeys(form for literal, form in _looked_for(runs) if literal in (text if form.spaced else runs))
    for form in near:
        for start, end in form.find(text, runs):
            if not _obviously_made_up(text[start:end]):
                yield Secret(form.kind, start, end, form.certainty)
    for start, end in WEB_TOKEN.find(text, runs):
        yield Secret(WEB_TOKEN.kind, start, end, WEB_TOKEN.certainty)


def _looked_for(runs: str) -> Iterator[tuple[str, Form]]:
    """The literals that may stand in the text, with their forms: a token begins with its run, or behind a joint inside it."""
    openings = {piece[:LENGTH_OF_OPENING] for piece in _JOINTS.split(runs)} if runs else ()
    leading = (place for opening in openings for place in _LEADING.get(opening, ()))
    return (_LITERALS[place] for place in sorted((*leading, *(_ELSEWHERE if runs else _SPACED))))


def _opening(literal: str) -> str:
    return _JOINTS.split(literal)[0][:LENGTH_OF_OPENING]


LENGTH_OF_OPENING = 2
_JOINTS = re.compile(r"[.+/=%\n]+")
"""What of a run's characters may stand before a token."""
_LITERALS = tuple((literal, form) for form in FORMS for literal in form.literals)
"""Most texts hold none of them, so looking for each would be most of what looking for tokens costs."""
_SPACED = tuple(place for place, (_, form) in enumerate(_LITERALS) if form.spaced)
_ELSEWHERE = tuple(place for place, (_, form) in enumerate(_LITERALS) if form.spaced or not form.leads)
_LEADING = {
    opening: tuple(
        place
        for place, (literal, form) in enumerate(_LITERALS)
        if form.leads and not form.spaced and _opening(literal) == opening
    )
    for opening in {_opening(literal) for literal, form in _LITERALS if form.leads and not form.spaced}
}
"""The other literals' places, by how they open."""


def _obviously_made_up(token: str) -> bool:
    tail = token[4:]
    telling = re.search(
        r"example|dummy|fake|placeholder|your|x{5,}|0123456789|123456789|abcdefgh|test_?(?:key|token)|\.\.\.|EXAMPLE",
        token,
        re.IGNORECASE,
    )
    return telling is not None or entropy(tail) < min(2.6, math.log2(max(len(tail), 2)) * 0.7)


def _addresses(text: str) -> Iterator[Secret]:
    if "://" not in text or "@" not in text:
        return
    for place in _places(text, ("://",)):
        match = _URL.match(text, _scheme_start(text, place))
        if match is None:
            continue
        value, host = match["value"], match["host"]
        if _REFERENCE.search(value) or "<" in value:
            continue
        tame = is_placeholder(value) or value.lower() in _KNOWN_PASSWORDS or value.lower() == match["user"].lower()
        if tame or _LOCAL_HOST.match(host) or _REFERENCE.search(host) or len(value) < 6 or value.isdigit():
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


def _named_and_spoken(text: str) -> Iterator[Secret]:
    """What a telling word stands before. The words are looked for once; in most texts there are few."""
    lower = _lowered(text)
    hints = {word: _places(lower, (word,)) for word in _HINTS}
    yield from _named(text, _telling_places(lower, hints))
    yield from _spoken(text, lower, hints)


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


def _spoken(text: str, lower: str, hints: Mapping[str, list[int]]) -> Iterator[Secret]:
    """Values that are good enough to keep from a prompt: in prose, in commands, in SQL, in headers, in connection strings."""
    for kind, words, pattern in _STATEMENTS:
        for place in _places(lower, words):
            match = pattern.match(text, place)
            value = match["value"] if match is not None else ""
            if match is not None and not is_placeholder(value) and not _is_plain(value) and len(value) >= LEAST_JUMBLED:
                certainty = Certainty.LIKELY if _is_password(value) or _is_random(value) else Certainty.POSSIBLE
                yield Secret(kind, match.start("value"), match.end("value"), certainty)
    end = -1
    for place in sorted(set().union(*hints.values())):
        hinted = _HINTED.match(text, place) if place >= end else None
        value = hinted["value"].rstrip(".:") if hinted is not None else ""
        if hinted is None:
            continue
        start = hinted.start("value")
        if _is_jumbled(value):
            end = hinted.end()
            yield Secret("secret value", start, start + len(value), Certainty.POSSIBLE)
        elif len(value) > LONGEST_NESTED:
            end = hinted.end()


def _is_jumbled(value: str) -> bool:
    """Whether nobody would name anything so: kinds of characters change often, or signs stand among letters and digits."""
    if len(value) < LEAST_JUMBLED or not _has_digit(value) or not _has_letter(value):
        return False
    if is_placeholder(value) or _is_plain(value):
        return False
    bare = [character for character in value if character.isalnum()]
    changes = sum(1 for left, right in pairwise(bare) if _sort(left) != _sort(right))
    often = len(bare) >= LEAST_JUMBLED and changes >= len(bare) * 0.4
    if value.replace("_", "").isalnum():
        return often and len(value) >= 8
    return entropy(value) >= 2.5 and (often or _SIGN.search(value) is not None)


def _sort(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.isupper() else 2


def _has_letter(value: str) -> bool:
    return any(character.isalpha() for character in value)


def _telling_places(lower: str, hints: Mapping[str, list[int]]) -> list[int]:
    """Where a telling word begins. Plain search for each of them is a hundred times as fast as one pattern for all."""
    places = {place for hint, word in _TELLING_STARTS for place in hints[hint] if lower.startswith(word, place)}
    for place in hints["key"]:
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


def _places(lower: str, words: tuple[str, ...]) -> list[int]:
    places: set[int] = set()
    for word in words:
        place = lower.find(word)
        while place >= 0:
            places.add(place)
            place = lower.find(word, place + len(word))
    return sorted(places)


def _judge(name: str, value: str, *, quoted: bool) -> Certainty | None:
    words = [word.lower() for word in re.split(r"[_.-]|(?<=[a-z0-9])(?=[A-Z])", name) if word]
    if not words or words[-1] in _NOT_A_VALUE or _PUBLIC.search(name):
        return None
    if any(character.isspace() for character in value) or is_placeholder(value) or _is_plain(value):
        return None
    if _PUBLIC_VALUE.match(value) or (not quoted and "(" in value):
        return None
    if _PASSWORD_WORD.search(name):
        return Certainty.LIKELY if _is_password(value) else Certainty.POSSIBLE
    return Certainty.LIKELY if _is_random(value) else Certainty.POSSIBLE if _has_digit(value) else None


def _is_plain(value: str) -> bool:
    """Words, paths, addresses, dates and dotted names are no secrets, whatever they are assigned to."""
    if _WORDS_ONLY.match(value):
        # A run of letters without a separator may still be random; words are not.
        return not (len(value) >= 20 and value.isalpha() and entropy(value) >= 4.0 and _mixes_case(value))
    if _DATE_OR_NUMBER.match(value) or "://" in value or value.startswith(("/", "./", "../", "#", "~/", "@", "--")):
        return True
    return re.fullmatch(r"[A-Za-z_$][\w$]*(?:(?:\.|\?\.|::|->)[A-Za-z_$][\w$]*)+(?:\(.*)?", value) is not None


def _mixes_case(value: str) -> bool:
    """Whether case changes as often as in random text, not as in camelCase."""
    changes = sum(1 for left, right in pairwise(value) if left.islower() != right.islower())
    return changes >= len(value) * 0.35


def _has_digit(value: str) -> bool:
    return any(character.isdigit() for character in value)


def _is_password(value: str) -> bool:
    if (
        len(value) < 8
        or value.lower() in _KNOWN_PASSWORDS
        or re.fullmatch(r"[a-z_]+(?:[.-][a-z_]+)*", value, re.IGNORECASE)
    ):
        return False
    classes = sum(
        (
            any(character.islower() for character in value),
            any(character.isupper() for character in value),
            _has_digit(value),
            any(not character.isalnum() for character in value),
        )
    )
    return (classes >= 3 and _has_digit(value) and entropy(value) >= 2.75) or (
        classes >= 2 and entropy(value) >= 3.3 and _has_digit(value)
    )


def _is_random(value: str) -> bool:
    if len(value) < 16 or not re.fullmatch(r"[\w+/=.~!@#$%^&*:-]+", value):
        return False
    letters = any(character.isalpha() for character in value)
    if re.fullmatch(r"[0-9a-fA-F-]+", value):
        return letters and _has_digit(value) and len(value) >= 24 and entropy(value) >= 2.9
    if not (letters and sum(character.isdigit() for character in value) >= 2):
        return value.isalpha() and _mixes_case(value) and entropy(value) >= 4.0
    longest_word = max((len(run) for run in re.findall(r"[a-z]+", value)), default=0)
    return entropy(value) >= 3.5 and longest_word < 9
