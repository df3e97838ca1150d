"""The one place where GitHub's refusals and the network's failures become our errors.

    status, headers, body ─► refusal() ─► Transient | Permanent       a request that GitHub answered
    exception             ─► failure() ─► Transient | Permanent       a request without a (whole) answer

What matters most: a write whose outcome is not known is never called a failure. It is `GITHUB_ANSWER_UNKNOWN`, and
whoever sent it looks before sending again.
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

import re
import ssl

import requests
import urllib3.exceptions

from app.errors import Code, Permanent, PrincipalError, Transient
from app.github.wire import Effect, Reply, Request, http_date

SECONDARY_WAIT_SECONDS = 60.0
"""How long to wait when GitHub says “too fast” and names no time: at least a minute, says its documentation."""
MAX_WAIT_SECONDS = 3_900.0
"""The primary limit resets every hour; a longer wait is a broken header."""
MAX_MESSAGE = 300

_LIMIT_WORDS = ("rate limit", "abuse detection", "submitted too quickly", "please wait a few minutes")
_SECRET = re.compile(r"(?:gh[a-z]_|github_pat_|eyJ)[A-Za-z0-9._-]+")


def refusal(reply: Reply, request: Request) -> PrincipalError:
    """The error that an answer of 300 or above means for `request`."""
    wait = limit_wait_seconds(reply)
    if wait is not None:
        return Transient(
            Code.GITHUB_RATE_LIMITED, "GitHub asked this installation to slow down", retry_after_seconds=wait
        )
    status = reply.status
    if status == 408 or status >= 500:
        return lost(request, f"GitHub answered {status}", retry_after_seconds=_retry_after(reply))
    if status == 409:
        return Transient(
            Code.GITHUB_UNAVAILABLE, f"Something else changed at GitHub while the bot tried to {request.doing}"
        )
    return Permanent(*_final(reply, request))


def failure(error: Exception, request: Request) -> PrincipalError:
    """The error that an exchange which broke off means for `request`."""
    if never_sent(error):
        return Transient(Code.GITHUB_UNAVAILABLE, f"GitHub could not be reached to {request.doing}")
    return lost(request, "The connection to GitHub broke off")


def lost(request: Request, what: str, *, retry_after_seconds: float | None = None) -> Transient:
    """The error for an answer that never came, or came broken: unknown for a write that adds something."""
    if request.effect is Effect.ONCE:
        return Transient(
            Code.GITHUB_ANSWER_UNKNOWN, f"{what} when the bot tried to {request.doing}; it may have taken effect"
        )
    return Transient(
        Code.GITHUB_UNAVAILABLE,
        f"{what} when the bot tried to {request.doing}",
        retry_after_seconds=retry_after_seconds,
    )


def redirect_blocked(request: Request) -> Permanent:
    """The error for an answer that points to another host, scheme or port: credentials never follow there."""
    return Permanent(
        Code.GITHUB_REDIRECT_BLOCKED, f"GitHub pointed to another host when the bot tried to {request.doing}"
    )


def never_sent(error: Exception) -> bool:
    """Whether the request surely never left: no address, no connection, no trusted certificate, no way through a proxy."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, urllib3.exceptions.MaxRetryError) else cause
    match reason:
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ProxyError():
            # The first is also what a refused connection and an unknown name are, the second a proxy that was not reached.
            return True
        case urllib3.exceptions.SSLError():
            return any(isinstance(part, ssl.SSLCertVerificationError) for part in reason.args)
        case _:
            return False


def limit_wait_seconds(reply: Reply) -> float | None:
    """How long GitHub wants us to wait, in seconds; None if the answer is about something else.

    It says so as 429, as 403 with `Retry-After`, with an exhausted `X-RateLimit-Remaining` or in words, and as 422 with
    the code `abuse`. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    match reply.status:
        case 429:
            limited = True
        case 403:
            exhausted = reply.headers.get("x-ratelimit-remaining", "").strip() == "0"
            limited = exhausted or "retry-after" in reply.headers or _speaks_of_limits(reply.body)
        case 422:
            limited = _is_abuse(reply.body)
        case _:
            limited = False
    if not limited:
        return None
    waits = (_retry_after(reply), reset_seconds(reply), SECONDARY_WAIT_SECONDS)
    return next(wait for wait in waits if wait is not None)


def reset_seconds(reply: Reply) -> float | None:
    """Seconds until the primary limit resets, if it is used up; by the server's own clock, as ours may be wrong."""
    now = reply.server_time
    if now is None or reply.headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    try:
        return _bounded(float(reply.headers["x-ratelimit-reset"]) - now + 1)
    except (KeyError, ValueError):
        return None


def message(body: object) -> str:
    """What GitHub says in an error, in one short line without control characters and without anything like a token."""
    if not isinstance(body, dict):
        return ""
    said = [str(body.get("message") or "")]
    details = body.get("errors")
    for detail in details[:5] if isinstance(details, list) else ():
        match detail:
            case str():
                said.append(detail)
            case {"message": str(text)}:
                said.append(text)
            case {"field": str(name), "code": str(code)}:
                said.append(f"{name} {code}")
            case _:
                pass
    line = " ".join("".join(c if c.isprintable() else " " for c in "; ".join(filter(None, said))).split())
    line = _SECRET.sub("[secret]", line)
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _final(reply: Reply, request: Request) -> tuple[Code, str]:
    said = message(reply.body)
    match reply.status:
        case 401:
            return Code.GITHUB_UNAUTHORIZED, f"GitHub did not accept the credentials to {request.doing}"
        case 403:
            return Code.GITHUB_FORBIDDEN, _forbidden(reply, request, said)
        case 404 | 410 | 451:
            what = f"GitHub has nothing there that the bot may see ({reply.status})"
            return Code.GITHUB_GONE, f"{what}, so it could not {request.doing}"
        case _:
            reason = f": {said}" if said else ""
            return Code.GITHUB_REFUSED, f"GitHub refused to {request.doing} ({reply.status}){reason}"


def _forbidden(reply: Reply, request: Request, said: str) -> str:
    wanted = re.sub(r"[^a-z_=;, ]", "", reply.headers.get("x-accepted-github-permissions", ""))[:200].strip()
    sentence = f"GitHub does not let the bot {request.doing}"
    if wanted:
        return f"{sentence}: it wants the permission {wanted}"
    return f"{sentence}: {said}" if said else sentence


def _retry_after(reply: Reply) -> float | None:
    """The `Retry-After` header in seconds: a number, or an HTTP date, which is measured by the server's own clock."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _bounded(float(text[:9]))
    moment, now = http_date(text), reply.server_time
    return None if moment is None or now is None else _bounded(moment - now)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), MAX_WAIT_SECONDS)


def _speaks_of_limits(body: object) -> bool:
    said = str(body.get("message") or "").lower() if isinstance(body, dict) else ""
    return any(words in said for words in _LIMIT_WORDS)


def _is_abuse(body: object) -> bool:
    details = body.get("errors") if isinstance(body, dict) else None
    parts = details if isinstance(details, list) else []
    coded = any(isinstance(part, dict) and part.get("code") == "abuse" for part in parts)
    return coded or "submitted too quickly" in message(body).lower()
