"""What went wrong at a provider → `Transient` or `Permanent`: one reading of statuses, codes and words for all providers.

A failure's sentence is ours, with the status and the provider's own word for it; the provider's message is added only
when it is plain text, short, and holds nothing that looks like a key.
"""

from __future__ import annotations

import json
import math
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from app.errors import Code, Permanent, PrincipalError, Transient

LONGEST_MESSAGE = 200
KEY_WINDOW = 8
"""So many characters of a key in a row count as the key."""
SEARCHED_CHARACTERS = 20_000

CREDIT_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_error",
    }
)
"""https://platform.claude.com/docs/en/api/errors, https://developers.openai.com/api/docs/guides/error-codes."""
CREDIT_WORDS = (
    "credit balance is too low",
    "exceeded your current quota",
    "insufficient credits",
    "insufficient balance",
)
TOO_LARGE_CODES = frozenset({"context_length_exceeded", "request_too_large", "exceed_context_size_error"})
TOO_LARGE_WORDS = (
    "prompt is too long",
    "maximum context length",
    "context window",
    "context size",
    "context length",
    "request too large",
    "input is too long",
)
REFUSED_CODES = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
UNKNOWN_CODES = frozenset({"model_not_found", "not_found_error"})
TRIED_AGAIN = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Rejection:
    """An HTTP error as it came: status, headers (names in lower case), and the body, decoded where it was JSON."""

    provider: str
    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def codes(self) -> frozenset[str]:
        """The provider's own words for it: `type`, `code` and `error_code`, in lower case."""
        error = _error(self.body)
        details = error.get("details")
        found = [error.get("type"), error.get("code"), details.get("error_code") if isinstance(details, dict) else None]
        return frozenset(str(word).lower() for word in found if isinstance(word, str | int) and word != "")

    @property
    def message(self) -> str:
        """What the provider says about it, as it came; empty for anything but a JSON answer."""
        message = _error(self.body).get("message")
        return message if isinstance(message, str) else ""

    @property
    def text(self) -> str:
        """All of the body as text in lower case, to look for words in."""
        if isinstance(self.body, str):
            return self.body[:SEARCHED_CHARACTERS].lower()
        return json.dumps(self.body, default=str)[:SEARCHED_CHARACTERS].lower()


def rejected(rejection: Rejection, *, now: float, secrets: Sequence[str] = ()) -> PrincipalError:
    """The failure that an HTTP error stands for. `now` is the time in seconds since the epoch, for `Retry-After` dates."""
    code = _code(rejection)
    what = _what(rejection, code, secrets)
    if code in {Code.MODEL_BUSY, Code.MODEL_UNAVAILABLE}:
        return Transient(code, what, retry_after_seconds=asked_wait_seconds(rejection.headers, now=now))
    return Permanent(code, what)


def unreachable(provider: str, error: BaseException) -> Transient:
    """No connection, or one that broke before the answer was complete."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        what = f"the certificate of {provider}'s server is signed by nobody this machine trusts (SSL_CERT_FILE may name yours)"
    else:
        what = f"the connection to {provider} failed before the answer was complete"
    return Transient(Code.MODEL_UNAVAILABLE, what)


def silent(provider: str, seconds: float) -> Transient:
    """No complete answer in time."""
    return Transient(Code.MODEL_TIMEOUT, f"{provider} did not answer within {seconds:g} seconds")


def garbled(provider: str) -> Transient:
    """An answer that is not the API's JSON at all: a proxy's page, half a document."""
    return Transient(Code.MODEL_UNAVAILABLE, f"{provider} answered with something that is not its API's JSON")


def asked_wait_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """The wait that an answer asks for: `retry-after-ms`, or `Retry-After` in seconds or as a date; None without one."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "").strip()) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def presentable(message: str, secrets: Sequence[str] = ()) -> str:
    """A provider's message as it may be shown: one line, at most 200 characters; empty when it holds part of a secret."""
    if any(_holds_part_of(secret, message) for secret in secrets) or "<html" in message.lower():
        return ""
    plain = "".join(character if character.isprintable() else " " for character in message)
    plain = re.sub(r"(?i)\b(bearer\s+\S+|(?:sk|pk|key)-[\w*-]{3,}|[\w*+/-]{32,})", "[removed]", plain)
    return re.sub(r"\s+", " ", plain).strip()[:LONGEST_MESSAGE]


def _code(rejection: Rejection) -> Code:
    status, codes, text = rejection.status, rejection.codes, rejection.text
    if status == 402 or codes & CREDIT_CODES or any(words in text for words in CREDIT_WORDS):
        return Code.MODEL_CREDIT
    if (
        status == 413
        or codes & TOO_LARGE_CODES
        or (
            # A 429 of this kind says that one request alone is over the limit per minute: waiting does not make it smaller.
            status in {400, 422, 429} and any(words in text for words in TOO_LARGE_WORDS)
        )
    ):
        return Code.MODEL_TOO_LARGE
    if status in TRIED_AGAIN or status >= 500:
        return Code.MODEL_BUSY if status in {429, 529} or "overloaded" in text else Code.MODEL_UNAVAILABLE
    return _code_of_refusal(status, codes)


def _code_of_refusal(status: int, codes: frozenset[str]) -> Code:
    if status == 404 or (status in {400, 403} and codes & UNKNOWN_CODES):
        return Code.MODEL_UNKNOWN
    if status in {401, 403}:
        return Code.MODEL_UNAUTHORIZED
    return Code.MODEL_REFUSED if codes & REFUSED_CODES else Code.MODEL_REJECTED


def _what(rejection: Rejection, code: Code, secrets: Sequence[str]) -> str:
    provider, status = rejection.provider, rejection.status
    if 300 <= status < 400:
        return f"{provider}'s server answered with a redirect ({status}), and keys do not follow one"
    words = sorted(word for word in rejection.codes if re.fullmatch(r"[a-z0-9_.-]{1,64}", word) and not word.isdigit())
    said = f"{provider} answered {status}" + (f" ({', '.join(words)})" if words else "")
    # A message about a key repeats parts of it.
    message = "" if code is Code.MODEL_UNAUTHORIZED else presentable(rejection.message, secrets)
    return f"{said}: {message}" if message else said


def _error(body: object) -> dict[str, Any]:
    """The part of an error's body that describes it, in the shapes that servers use."""
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    return {}


def _holds_part_of(secret: str, message: str) -> bool:
    windows = (secret[start : start + KEY_WINDOW] for start in range(max(1, len(secret) - KEY_WINDOW + 1)))
    return bool(secret) and any(window in message for window in windows)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
