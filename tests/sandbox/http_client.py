"""A plain client for the sandbox's REST API: what a person with curl would see."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.sandbox import Sandbox

GRAPHQL = "/graphql"


@dataclass(frozen=True)
class Reply:
    """A status, headers with small names, and the body: JSON where it is JSON, else text."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def reason(self) -> str:
        """Everything a refusal says, in one string."""
        return json.dumps(self.body, ensure_ascii=False)


def call(
    github: Sandbox,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> Reply:
    """What one request is answered, redirects not followed. A path that does not start with the API's prefix gets it."""
    where = urlsplit(github.api_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=90)
    sent = {"User-Agent": "a test", "Accept": "application/vnd.github+json", **(headers or {})}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    payload = data if data is not None else json.dumps(body).encode() if body is not None else None
    try:
        # GraphQL stands beside the REST prefix, not under it.
        prefix, path = ("/api/graphql", "") if path == GRAPHQL else (where.path, path)
        connection.request(method, prefix + path, payload, sent)
        answer = connection.getresponse()
        text = answer.read()
        given = {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    is_json = given.get("content-type", "").startswith("application/json") and text
    return Reply(answer.status, given, json.loads(text) if is_json else text.decode("utf-8", "replace"))


def graphql(github: Sandbox, query: str, *, token: str | None = None, **variables: object) -> Reply:
    """What a GraphQL request is answered."""
    return call(github, "POST", GRAPHQL, {"query": query, "variables": variables}, token=token)


def web(
    github: Sandbox, path: str, *, method: str = "GET", form: str | None = None, origin: str | None = None
) -> Reply:
    """What a browser would get from a page."""
    where = urlsplit(github.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=90)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    if origin is not None:
        headers["Origin"] = origin
    try:
        connection.request(method, path, form, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
    finally:
        connection.close()


def app_jwt(github: Sandbox, *, key: str | None = None, **claims: object) -> str:
    """A JWT as an App signs it, with claims changed where a test wants a wrong one."""
    import time

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    now = int(time.time())
    parts = [{"alg": "RS256", "typ": "JWT"}, {"iat": now - 60, "exp": now + 540, "iss": str(github.app.id), **claims}]
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    private = serialization.load_pem_private_key((key or github.private_key).encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return f"{signed}.{_encoded(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
