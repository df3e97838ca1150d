"""The App: its identity goes in, GitHub as one of its installations sees it comes out, narrowed to one repository."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.errors import Code, UserError
from app.github.client import GitHub
from app.github.credentials import AppKeys, InstallationToken
from app.github.pace import Pace, Sleep
from app.github.transport import Limits, Transport
from app.github.wire import OnCall


class App:
    """A GitHub App. One per process: it holds the worker threads, the connections and the tokens."""

    def __init__(
        self,
        *,
        app_id: str | int,
        private_key_pem: str,
        api_url: str,
        on_call: OnCall | None = None,
        limits: Limits | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `UserError` naming the variable when the id, the key or the address cannot be right."""
        identity = str(app_id).strip()
        if not identity:
            raise UserError("GITHUB_APP_ID is empty", Code.SETTINGS_INVALID)
        self._transport = Transport(api_url=api_url, on_call=on_call, limits=limits)
        self._keys = AppKeys(
            app_id=identity,
            private_key_pem=private_key_pem,
            transport=self._transport,
            clock=clock,
            monotonic=monotonic,
        )
        # A client id names the App as well, but the list of check runs filters by number only.
        self._number = int(identity) if identity.isascii() and identity.isdigit() else None
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._paces: dict[int, Pace] = {}

    def __repr__(self) -> str:
        return f"App({self._keys!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, after the exchanges that run."""
        await self._transport.close()

    async def installation(self, installation_id: int, repository_id: int | None = None) -> GitHub:
        """GitHub as this installation sees it, with a token for this one repository (for all of them if None).

        The token is fetched here, kept for all who ask for the same, and renewed five minutes before it ends. Raises
        `Permanent` when the App is not installed there any more, is suspended, or lacks a permission.
        """
        credentials = InstallationToken(self._keys, installation_id=installation_id, repository_id=repository_id)
        github = GitHub(
            transport=self._transport,
            credentials=credentials,
            pace=self._pace(installation_id),
            sleep=self._sleep,
            app_id=self._number,
        )
        await github.ready()
        return github

    def _pace(self, installation_id: int) -> Pace:
        with self._lock:
            known = self._paces.get(installation_id)
            if known is None:
                known = self._paces[installation_id] = Pace(sleep=self._sleep, monotonic=self._monotonic)
            return known
