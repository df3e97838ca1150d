"""An Authorization header → who is calling, and what they may see and do.

The App's JWT is checked the way GitHub checks it: its RS256 signature against the App's public key, its issuer, and
its lifetime. Tokens have the long form with dots that GitHub has been rolling out since 2026, so that nobody counts
on forty characters.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from app.sandbox.records import Account, App, Installation, Repository, Role, Token
from app.sandbox.refusals import (
    NOT_BY_INTEGRATION,
    NOT_BY_TOKEN,
    SUSPENDED,
    Refused,
    forbidden,
    not_found,
)
from app.sandbox.state import State

TOKEN_LIFETIME = timedelta(hours=1)
JWT_LIFETIME_SECONDS = 600
CLOCK_LEEWAY_SECONDS = 60
LEVELS = ("read", "write", "admin")
PUSH_NEEDED = frozenset({"contents=write", "statuses=write"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: nobody, an App with its JWT, an installation or a person."""

    app: App | None = None
    token: Token | None = None

    @property
    def installation(self) -> Installation | None:
        """The installation whose token was sent."""
        return self.token.installation if self.token else None

    @property
    def account(self) -> Account | None:
        """Under whose name things are written."""
        if self.token is None:
            return None
        return self.token.user if self.token.installation is None else self.token.installation.app.bot

    @property
    def writing_app(self) -> App | None:
        """The App that things are written via."""
        return self.token.installation.app if self.token and self.token.installation else None

    @property
    def identity(self) -> str:
        """A word for the ledger: `anonymous`, `app`, `installation:ID` or `user:LOGIN`."""
        if self.installation is not None:
            return f"installation:{self.installation.id}"
        if self.account is not None:
            return f"user:{self.account.login}"
        return "app" if self.app else "anonymous"


def authenticate(state: State, header: str | None) -> Caller:
    """Who a REST or GraphQL request comes from.

    Raises:
        Refused: 401 for credentials that are wrong, expired or revoked; 403 for a suspended installation.

    """
    if not header:
        return Caller()
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            return _by_value(state, value.strip())
        case "basic":
            return _by_value(state, password_of(value))
        case _:
            raise Refused(401, "Bad credentials")


def password_of(encoded: str) -> str:
    """The password of HTTP Basic credentials, empty if they cannot be read."""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _by_value(state: State, value: str) -> Caller:
    if value.count(".") == 2 and not value.startswith(("ghs_", "ghp_")):
        return Caller(app=verify_jwt(state, value))
    token = state.tokens.get(value)
    if token is None or token.revoked or (token.expires_at is not None and token.expires_at <= state.now()):
        raise Refused(401, "Bad credentials")
    if token.installation is not None and token.installation.id not in state.installations:
        raise Refused(401, "Bad credentials")
    if token.installation is not None and token.installation.suspended_at is not None:
        raise Refused(403, SUSPENDED)
    return Caller(token=token)


def verify_jwt(state: State, value: str) -> App:
    """The App that signed a JWT.

    Raises:
        Refused: 401, saying which claim is wrong; 404 for an issuer that is no App here.

    """
    undecodable = Refused(401, "A JSON web token could not be decoded")
    try:
        head, payload, signature = value.split(".")
        header, claims = json.loads(_decoded(head)), json.loads(_decoded(payload))
        signed = _decoded(signature)
    except ValueError:
        raise undecodable from None
    if not isinstance(claims, dict) or not isinstance(header, dict) or header.get("alg") != "RS256":
        raise undecodable
    app = _issuer(state, claims.get("iss"))
    if app is None:
        raise Refused(404, "Integration not found")
    key = serialization.load_pem_public_key(app.public_key_pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise undecodable
    try:
        key.verify(signed, f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise undecodable from None
    _check_lifetime(claims, now=state.now().timestamp())
    return app


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _issuer(state: State, issuer: object) -> App | None:
    return next((app for app in state.apps.values() if str(issuer) in {str(app.id), app.client_id}), None)


def _check_lifetime(claims: Mapping[str, Any], *, now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(expires, int | float) or expires <= now:
        raise Refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
            "assertion expires",
        )
    if expires > now + JWT_LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(issued, int | float) or issued > now + CLOCK_LEEWAY_SECONDS:
        raise Refused(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )
    if expires - issued > JWT_LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")


def issue_token(
    state: State,
    installation: Installation,
    *,
    permissions: Mapping[str, str] | None = None,
    repositories: frozenset[int] | None = None,
) -> Token:
    """A new installation token, narrowed where asked.

    Raises:
        Refused: 422 for a permission or repository that the installation has not; 403 when it is suspended.

    """
    if installation.suspended_at is not None:
        raise Refused(403, SUSPENDED)
    for name, level in (permissions or {}).items():
        if not _grants(installation.permissions, name, level):
            raise Refused(422, "The permissions requested are not granted to this installation.")
    if repositories is not None:
        seen = {repository.id for repository in visible(state, installation)}
        if not repositories <= seen:
            raise Refused(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
    token = Token(
        value=_long_token(installation.app),
        expires_at=state.now() + TOKEN_LIFETIME,
        installation=installation,
        permissions=dict(permissions) if permissions else None,
        repositories=repositories,
    )
    state.tokens[token.value] = token
    return token


def _long_token(app: App) -> str:
    return f"ghs_{app.id}_" + ".".join(secrets.token_urlsafe(size) for size in (27, 190, 160))


def personal_token(
    state: State,
    user: Account,
    *,
    permissions: Mapping[str, str] | None = None,
    expires_at: datetime | None = None,
) -> Token:
    """A person's token; with `permissions` a fine-grained one."""
    fine = dict(permissions) if permissions is not None else None
    prefix = "ghp_" if fine is None else "github_pat_"
    token = Token(prefix + secrets.token_hex(18), expires_at, user=user, permissions=fine)
    state.tokens[token.value] = token
    return token


def visible(state: State, installation: Installation) -> list[Repository]:
    """The repositories an installation sees."""
    return [
        repository
        for repository in state.repositories.values()
        if not repository.deleted and installation in state.installations_of(repository)
    ]


def _grants(permissions: Mapping[str, str], name: str, level: str) -> bool:
    if name == "metadata" and level == "read":
        return True
    held = permissions.get(name)
    return held in LEVELS and level in LEVELS and LEVELS.index(held) >= LEVELS.index(level)


def may(caller: Caller, name: str, level: str) -> bool:
    """Whether a token holds a permission, by what the installation was given and what the token was narrowed to."""
    token = caller.token
    if token is None:
        return False
    if token.installation is not None and not _grants(token.installation.permissions, name, level):
        return False
    return token.permissions is None or _grants(token.permissions, name, level)


def covers(state: State, caller: Caller, repository: Repository) -> bool:
    """Whether a token was made for a repository: its installation sees it and its narrowing includes it."""
    token = caller.token
    if token is None or token.installation is None:
        return False
    if token.repositories is not None and repository.id not in token.repositories:
        return False
    return token.installation in state.installations_of(repository)


def role_of(state: State, caller: Caller, repository: Repository) -> Role:
    """What a person's token may do in a repository; for an installation's see `may`."""
    account = caller.token.user if caller.token else None
    return Role.NONE if account is None else state.role(repository, account)


def may_see(state: State, caller: Caller, repository: Repository) -> bool:
    """Whether a caller may know that a repository exists."""
    if not repository.private or covers(state, caller, repository):
        return True
    if caller.app is not None:
        return any(installation.app is caller.app for installation in state.installations_of(repository))
    return role_of(state, caller, repository) is not Role.NONE


def require(state: State, caller: Caller, repository: Repository, needs: tuple[str, ...], *, writes: bool) -> None:
    """Passes where one of `needs` (as `issues=write`) is held for the repository.

    Raises:
        Refused: 404 for what the caller may not know of, 401 for nobody, 403 with the permissions that would do.

    """
    if not may_see(state, caller, repository):
        raise not_found()
    if caller.app is not None:
        raise Refused(401, "Bad credentials")
    if not writes and not repository.private:
        return
    if caller.token is None:
        raise Refused(401, "Requires authentication")
    held = not needs or any(may(caller, *need.split("=")) for need in needs)
    if caller.installation is not None:
        if not held or not covers(state, caller, repository):
            raise forbidden(NOT_BY_INTEGRATION, *needs)
    elif not held:
        raise forbidden(NOT_BY_TOKEN, *needs)
    elif PUSH_NEEDED & set(needs) and role_of(state, caller, repository).rank < Role.WRITE.rank:
        # What needs push access is hidden from those who have none.
        raise not_found()
