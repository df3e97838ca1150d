"""GitHub's web flow and its two questions, on loopback. Refuses codes and tokens that it did not give, and spent codes."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

CLIENT_ID, CLIENT_SECRET = "Iv23fake", "a client secret of the tests"


class OAuth:
    """`members` maps logins to the state of their membership of `acme`; others are no members."""

    def __init__(self, members: dict[str, str]) -> None:
        self.members = members
        self.may_ask = True
        self._codes: dict[str, tuple[str, str]] = {}
        self._tokens: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = {name: values[0] for name, values in parse_qs(body).items()}
                self._send(*outer.exchange(given) if self.path == "/login/oauth/access_token" else (404, {}))

            def do_GET(self) -> None:
                self._send(*outer.ask(self.path, self.headers.get("Authorization", "")))

            def _send(self, status: int, content: dict[str, object]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def says_yes(self, login: str, address: str) -> str:
        """Where GitHub sends the browser after this person has said yes at this address."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.url}/login/oauth/authorize?")
        assert query["client_id"] == CLIENT_ID
        code = secrets.token_hex(10)
        self._codes[code] = (login, query["redirect_uri"])
        return f"{query['redirect_uri']}?code={code}&state={query['state']}"

    def exchange(self, given: dict[str, str]) -> tuple[int, dict[str, object]]:
        """A token for a code; errors come with 200, as GitHub's do."""
        if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 200, {"error": "incorrect_client_credentials"}
        login, redirect = self._codes.pop(given.get("code", ""), ("", ""))
        if not login:
            return 200, {"error": "bad_verification_code"}
        if redirect != given.get("redirect_uri"):
            return 200, {"error": "redirect_uri_mismatch"}
        token = f"ghu_{secrets.token_hex(18)}"
        self._tokens[token] = login
        return 200, {"access_token": token, "token_type": "bearer", "scope": ""}

    def ask(self, path: str, authorization: str) -> tuple[int, dict[str, object]]:
        """What the API says to the owner of the token."""
        login = self._tokens.get(authorization.removeprefix("Bearer "))
        if login is None:
            return 401, {"message": "Bad credentials"}
        if path == "/api/v3/user":
            return 200, {"login": login, "id": 1}
        if path == "/api/v3/user/memberships/orgs/acme" and self.may_ask:
            state = self.members.get(login)
            found = {"state": state, "organization": {"login": "Acme"}, "role": "member"}
            return (200, found) if state else (404, {"message": "Not Found"})
        return 403, {"message": "Resource not accessible by integration"}
