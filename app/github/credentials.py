"""Who the bot is: an App's keys and an installation and a repository go in, a token for just those comes out.

    AppKeys ─ JWT ─► POST /app/installations/ID/access_tokens ─► token for one repository, renewed before it ends
    PersonalToken ─► the token that the operator gave

A token is an opaque text: its length and form are GitHub's business, and they change. Everything here blocks and is
called in worker threads; the locks see to it that many threads in need of a token make one request.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from github.Auth import AppAuth, Token

from app import identity
from app.core.registration import PERMISSIONS
from app.errors import Code, Permanent, PrincipalError, UserError
from app.github import errors, replies
from app.github.transport import Transport
from app.github.wire import Effect, Reply, Request

RESOLVING = {"contents": "write", "metadata": "read", "pull_requests": "write"}
"""What resolving a thread takes. Only the token for that has it, and only where the operator gave it to the App."""
READING = {"contents": "read", "metadata": "read"}
REFUSED_SECONDS = 600
"""For so long a token that was refused for want of a permission is not asked for again."""
LOOKING = {"checks": "read", "metadata": "read", "pull_requests": "read"}
"""What a token for all repositories of an installation may do: sweeps look for pull requests that nobody told us of."""
RENEW_BEFORE_SECONDS = 300
JWT_BACKDATE_SECONDS = 60
JWT_SECONDS = 480
"""With the backdating a span of nine minutes; GitHub refuses more than ten."""
SKEW_SECONDS = 20
"""A difference between the clocks that may explain why GitHub refused a JWT."""
TOKENS_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is good for: one installation, one of its repositories (by id or name; neither: all), some permissions."""

    installation: int
    repository_id: int | None = None
    repository_name: str = ""
    permissions: tuple[tuple[str, str], ...] = tuple(PERMISSIONS.items())

    def body(self) -> dict[str, object]:
        """The scope as GitHub is asked for it."""
        body: dict[str, object] = {"permissions": dict(self.permissions)}
        if self.repository_id is not None:
            body["repository_ids"] = [self.repository_id]
        elif self.repository_name:
            body["repositories"] = [self.repository_name]
        return body


class Credentials(Protocol):
    """A source of tokens for one installation or person."""

    @property
    def is_app(self) -> bool:
        """Whether GitHub sees an App, which may write check runs, or a person, who may not."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether a token is at hand without a request."""
        ...

    def token(self) -> str:
        """A token that lives for some minutes at least."""
        ...

    def renewed(self, rejected: str) -> str | None:
        """Another token than the one GitHub rejected, or None if there is none to be had."""
        ...

    def narrowed(self, permissions: Mapping[str, str]) -> Credentials:
        """Credentials for the same place with these permissions."""
        ...

    def beside(self, repository_name: str) -> Credentials:
        """Credentials for nothing but reading another repository of the same owner."""
        ...

    def login(self) -> str:
        """The login under which the bot's words appear."""
        ...


@dataclass(slots=True, repr=False)
class _Slot:
    """The place of one token, or of its refusal. `ends` is on the monotonic clock: a wall clock that jumps renews nothing."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    ends: float = 0.0
    refusal: Permanent | None = None
    refused_until: float = 0.0


class AppKeys:
    """An App's identity: makes JWTs with it, and gets and keeps installation tokens."""

    def __init__(
        self,
        *,
        app_id: str,
        private_key_pem: str,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        key = _key(private_key_pem)
        self._auth = AppAuth(app_id, sign_func=lambda claims: jwt.encode(self._on_time(claims), key, algorithm="RS256"))
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._skew_seconds = 0.0
        self._lock = threading.Lock()
        self._slots: OrderedDict[Scope, _Slot] = OrderedDict()
        self._login = ""

    def __repr__(self) -> str:
        return f"AppKeys(app_id={self._auth.app_id!r})"

    def is_ready(self, scope: Scope) -> bool:
        """Whether a token is at hand without a request."""
        return self._lives(self._slot(scope))

    def token(self, scope: Scope, *, rejected: str | None = None) -> str:
        """A token of this scope, other than `rejected`.

        Raises `Permanent` when the installation is gone, suspended, or lacks a permission.
        """
        slot = self._slot(scope)
        with slot.lock:
            if slot.refusal is not None and self._monotonic() < slot.refused_until:
                raise slot.refusal
            if not self._lives(slot) or slot.token == rejected:
                self._fill(slot, scope)
            return slot.token

    def login(self) -> str:
        """The login of the App's own account, asked for once."""
        if not self._login:
            request = Request("GET", "/app", {}, "read its own App")
            self._login = f"{replies.read(replies.App, self._signed(request), request).slug}[bot]"
        return self._login

    def send(self, request: Request) -> Reply:
        """The successful reply to a request of the App's own. Blocks: for threads. Raises as `Transport.send` does."""
        reply = self._answered(request)
        if reply.status >= 300:
            raise errors.refusal(reply, request)
        return reply

    def _slot(self, scope: Scope) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(scope, _Slot())
            self._slots.move_to_end(scope)
            if len(self._slots) > TOKENS_KEPT:
                self._slots.popitem(last=False)
            return slot

    def _lives(self, slot: _Slot) -> bool:
        return self._monotonic() < slot.ends - RENEW_BEFORE_SECONDS

    def _fill(self, slot: _Slot, scope: Scope) -> None:
        request = Request(
            "POST",
            "/app/installations/{installation}/access_tokens",
            {"installation": scope.installation},
            "act for this installation",
            Effect.REPEATABLE,
            body=scope.body(),
        )
        asked = self._monotonic()
        try:
            reply = self._signed(request, scope)
        except Permanent as error:
            if error.code is Code.GITHUB_FORBIDDEN and scope.permissions != tuple(PERMISSIONS.items()):
                slot.refusal, slot.refused_until = error, self._monotonic() + REFUSED_SECONDS
            raise
        given = replies.read(replies.AccessToken, reply, request)
        now = self._now() if reply.server_time is None else reply.server_time
        slot.token, slot.ends = given.token, asked + given.expires_at.timestamp() - now

    def _signed(self, request: Request, scope: Scope | None = None) -> Reply:
        reply = self._answered(request)
        if reply.status >= 300:
            raise _refusal(reply, request, scope)
        return reply

    def _answered(self, request: Request) -> Reply:
        """The reply to a request signed by the App itself; a refusal that our clock explains is corrected once."""
        reply = self._transport.exchange(request, auth=self._auth)
        if reply.status == 401 and self._learn_time(reply):
            reply = self._transport.exchange(request, auth=self._auth)
        return reply

    def _on_time(self, claims: dict[str, Any]) -> dict[str, Any]:
        now = int(self._now())
        return {**claims, "iat": now - JWT_BACKDATE_SECONDS, "exp": now + JWT_SECONDS}

    def _now(self) -> float:
        return self._clock() + self._skew_seconds

    def _learn_time(self, reply: Reply) -> bool:
        """Whether the server's clock differs from what we took for it; from now on JWTs go by the server's."""
        if reply.server_time is None or abs(reply.server_time - self._now()) < SKEW_SECONDS:
            return False
        self._skew_seconds = reply.server_time - self._clock()
        return True


class InstallationToken:
    """The credentials of one installation, narrowed to a scope."""

    is_app = True

    def __init__(self, keys: AppKeys, scope: Scope) -> None:
        self._keys = keys
        self._scope = scope

    @property
    def is_ready(self) -> bool:
        """Whether a token is at hand without a request."""
        return self._keys.is_ready(self._scope)

    def token(self) -> str:
        """A token that lives for five minutes at least."""
        return self._keys.token(self._scope)

    def renewed(self, rejected: str) -> str | None:
        """A new token in place of the one GitHub rejected."""
        return self._keys.token(self._scope, rejected=rejected)

    def narrowed(self, permissions: Mapping[str, str]) -> InstallationToken:
        """Credentials for the same place with these permissions, which need not be fewer."""
        return InstallationToken(self._keys, replace(self._scope, permissions=tuple(permissions.items())))

    def beside(self, repository_name: str) -> InstallationToken:
        """Credentials for nothing but reading another repository of the same owner, by its name."""
        return InstallationToken(
            self._keys, Scope(self._scope.installation, None, repository_name, tuple(READING.items()))
        )

    def login(self) -> str:
        """The App's own account."""
        return self._keys.login()


class PersonalToken:
    """A token the operator gave: a person's, or the one a workflow run got."""

    is_app = False
    is_ready = True

    def __init__(self, token: str, *, transport: Transport) -> None:
        if not token:
            raise UserError("GITHUB_TOKEN is empty", Code.SETTINGS_INVALID)
        self._token = token
        self._transport = transport
        self._login = ""

    def __repr__(self) -> str:
        return "PersonalToken()"

    def narrowed(self, permissions: Mapping[str, str]) -> PersonalToken:
        """The same: a person's token is what it is."""
        del permissions
        return self

    def beside(self, repository_name: str) -> PersonalToken:
        """The same: a person's token is what it is."""
        del repository_name
        return self

    def token(self) -> str:
        """The token."""
        return self._token

    def renewed(self, rejected: str) -> str | None:
        """Nothing: a person's token cannot be renewed from here."""
        del rejected
        return None

    def login(self) -> str:
        """The person's login, asked for once."""
        if not self._login:
            request = Request("GET", "/user", {}, "read its own account")
            self._login = replies.read(
                replies.User, self._transport.send(request, auth=Token(self._token)), request
            ).login
        return self._login


def _key(private_key_pem: str) -> RSAPrivateKey:
    try:
        return identity.signing_key(private_key_pem)
    except ValueError as error:
        raise UserError(f"GITHUB_PRIVATE_KEY {error}", Code.SETTINGS_INVALID) from None


def _refusal(reply: Reply, request: Request, scope: Scope | None) -> PrincipalError:
    """What the refusal of a token means; the general words would name the wrong thing."""
    error = errors.refusal(reply, request)
    match error.code, reply.status:
        case Code.GITHUB_UNAUTHORIZED, _:
            return Permanent(
                error.code, f"GitHub did not accept the App's key: {errors.message(reply.body) or 'no reason'}"
            )
        case Code.GITHUB_GONE, _:
            return Permanent(error.code, "The App is not installed there any more")
        case Code.GITHUB_FORBIDDEN, _:
            return Permanent(
                error.code, f"The installation gives no token: {errors.message(reply.body) or 'no reason'}"
            )
        case Code.GITHUB_REFUSED, 422 if "permission" in errors.message(reply.body).lower():
            asked = scope.permissions if scope else ()
            wanted = ", ".join(f"{name}={level}" for name, level in asked)
            return Permanent(Code.GITHUB_FORBIDDEN, f"The installation has not accepted the permissions {wanted}")
        case Code.GITHUB_REFUSED, 422:
            return Permanent(Code.GITHUB_GONE, "The App is not installed on this repository any more")
        case _:
            return error
