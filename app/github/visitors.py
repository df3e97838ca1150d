"""Who a person is, by GitHub's word: the web flow of the App's own OAuth client, and one question about their membership.

    address(state) ─ the person says yes on GitHub ─► code ─ exchange ─► token ─ who, member? ─► their login, or why not

The token is asked two questions and forgotten; it is kept nowhere.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from app.errors import Code, Permanent, Transient

SECONDS_AT_MOST = 10.0
ANSWER_AT_MOST_BYTES = 256 * 1024


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


Form = TypeVar("Form", bound=_Form)


class _Token(_Form):
    access_token: Annotated[str, StringConstraints(min_length=1, pattern=r"^[!-~]+$")]


class _Account(_Form):
    login: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Membership(_Form):
    state: str
    organization: _Account


class Visitors:
    """Asks GitHub who somebody is, and whether they belong to the organisation."""

    def __init__(self, *, client_id: str, client_secret: str, organisation: str, server_url: str, api_url: str) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._organisation = organisation
        self._server_url = server_url
        self._api_url = api_url

    def address(self, *, state: str, back_to: str) -> str:
        """Where the person says yes; GitHub then sends them to `back_to` with a code and the state."""
        query = urlencode(
            {"client_id": self._client_id, "redirect_uri": back_to, "state": state, "allow_signup": "false"}
        )
        return f"{self._server_url}/login/oauth/authorize?{query}"

    async def member(self, code: str, *, back_to: str) -> str:
        """The login of the member whose code this is.

        Raises `Permanent`: GITHUB_UNAUTHORIZED for a code that GitHub does not know, GITHUB_FORBIDDEN for somebody who is
        no active member, or where the App may not ask; `Transient` when GitHub does not answer.
        """
        try:
            async with httpx2.AsyncClient(timeout=SECONDS_AT_MOST, follow_redirects=False, trust_env=True) as client:
                token = await self._token(client, code, back_to)
                login = _read(_Account, await self._ask(client, "/user", token)).login
                path = f"/user/memberships/orgs/{quote(self._organisation, safe='')}"
                answer = await self._ask(client, path, token)
        except httpx2.HTTPError as error:
            raise Transient(Code.GITHUB_UNAVAILABLE, "GitHub did not answer who you are") from error
        if answer.status_code != 200:
            what = (
                f"{login} is no member of {self._organisation}, or the App may not ask: it needs the organisation's "
                "permission “Members: read”"
            )
            raise Permanent(Code.GITHUB_FORBIDDEN, what)
        membership = _read(_Membership, answer)
        is_theirs = membership.organization.login.lower() == self._organisation.lower()
        if membership.state != "active" or not is_theirs:
            raise Permanent(Code.GITHUB_FORBIDDEN, f"{login} is no active member of {self._organisation}")
        return login

    async def _token(self, client: httpx2.AsyncClient, code: str, back_to: str) -> str:
        given = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "redirect_uri": back_to,
        }
        answer = await client.post(
            f"{self._server_url}/login/oauth/access_token", data=given, headers={"Accept": "application/json"}
        )
        # A code that is wrong or spent is answered with 200 and an error in the body.
        return _read(_Token, answer).access_token

    async def _ask(self, client: httpx2.AsyncClient, path: str, token: str) -> httpx2.Response:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return await client.get(f"{self._api_url}{path}", headers=headers)


def _read(form: type[Form], answer: httpx2.Response) -> Form:
    if answer.status_code >= 500:
        raise Transient(Code.GITHUB_UNAVAILABLE, f"GitHub answered {answer.status_code}")
    try:
        return form.model_validate_json(answer.content[:ANSWER_AT_MOST_BYTES])
    except ValidationError:
        raise Permanent(Code.GITHUB_UNAUTHORIZED, "GitHub did not accept the login; try again") from None
