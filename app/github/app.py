"""The App: its identity goes in, GitHub as one of its installations sees it comes out, narrowed to one repository."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from app import retry
from app.core.installed import HookDelivery, Installation
from app.core.pace import Book
from app.core.registration import PERMISSIONS, AppFacts
from app.errors import Code, Permanent, UserError
from app.github import replies
from app.github.client import TRIES, GitHub
from app.github.credentials import LOOKING, AppKeys, InstallationToken, Scope
from app.github.pace import Memory, Pace, Sleep
from app.github.transport import PER_PAGE, Limits, Transport
from app.github.wire import Effect, OnCall, Reply, Request, next_cursor

INSTALLATION_PAGES = 10
LOG_PAGES = 10
OWN = 0
"""No installation's number: the App's own requests have a pace as well."""


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
        book: Callable[[], Book] | None = None,
        transport: Transport | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`book` gives what keeps the installations' pace for every process; without it this one keeps it for itself.
        `transport` is another way to GitHub than the ordinary one.

        Raises `UserError` naming the variable when the id, the key or the address cannot be right.
        """
        identity = str(app_id).strip()
        if not identity:
            raise UserError("GITHUB_APP_ID is empty", Code.SETTINGS_INVALID)
        self._transport = transport or Transport(api_url=api_url, on_call=on_call, limits=limits)
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
        self._memory = Memory(monotonic=monotonic)
        self._book = book or (lambda: self._memory)
        self._own_pace = self._pace(OWN)

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
        may = LOOKING if repository_id is None else PERMISSIONS
        credentials = InstallationToken(
            self._keys, Scope(installation_id, repository_id, permissions=tuple(may.items()))
        )
        github = GitHub(
            transport=self._transport,
            credentials=credentials,
            pace=self._pace(installation_id),
            sleep=self._sleep,
            app_id=self._number,
        )
        await github.ready()
        return github

    def is_paused(self, installation_id: int) -> bool:
        """Whether GitHub told this installation to wait, so that nobody should ask anything for it now."""
        return self._pace(installation_id).is_paused

    async def installations(self) -> tuple[Installation, ...]:
        """Where the App is installed, at most a thousand accounts."""
        request = Request("GET", "/app/installations", {}, "list its installations")
        found: dict[int, Installation] = {}
        for number in range(1, INSTALLATION_PAGES + 1):
            reply = await self._send(replace(request, query={"per_page": PER_PAGE, "page": number}))
            page = replies.read_list(replies.InstallationReply, reply, request)
            found |= {item.id: item.value() for item in page}
            if len(page) < PER_PAGE:
                break
        return tuple(found.values())

    async def facts(self) -> AppFacts:
        """The App as GitHub describes it: its name, permissions and events. Proves that id and key belong together."""
        request = Request("GET", "/app", {}, "read its own App")
        return replies.read(replies.AppReply, await self._send(request), request).value()

    async def hook_url(self) -> str:
        """Where GitHub sends the App's webhooks; empty where they are switched off."""
        request = Request("GET", "/app/hook/config", {}, "read where its webhooks go")
        return replies.read(replies.HookConfig, await self._send(request), request).url

    async def hook_deliveries(self, *, succeeded: bool, since: float, pages: int) -> tuple[HookDelivery, ...]:
        """The webhook deliveries that did or did not succeed, newest first, made after `since` (epoch seconds).

        A page is a hundred. https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook
        """
        request = Request("GET", "/app/hook/deliveries", {}, "list its webhook deliveries")
        query: dict[str, str | int] = {"per_page": PER_PAGE, "status": "success" if succeeded else "failure"}
        found: dict[int, HookDelivery] = {}
        for _ in range(pages):
            reply = await self._send(replace(request, query=query))
            page = [item.value() for item in replies.read_list(replies.HookDeliveryReply, reply, request)]
            # The status is checked again: an older Enterprise Server may not know the filter.
            found |= {one.id: one for one in page if one.delivered_at >= since and one.succeeded is succeeded}
            cursor = next_cursor(reply.headers.get("link", ""))
            if not cursor or not page or page[-1].delivered_at < since:
                break
            query["cursor"] = cursor
        return tuple(found.values())

    async def hook_delivery(self, wanted: str) -> tuple[str, Mapping[str, object]] | None:
        """The event and payload of a delivery in GitHub's log, by its id or its GUID; None when the log has none."""
        number = wanted if wanted.isascii() and wanted.isdigit() else await self._delivery_number(wanted)
        if number is None:
            return None
        request = Request("GET", "/app/hook/deliveries/{delivery}", {"delivery": number}, "read a webhook delivery")
        try:
            found = replies.read(replies.WholeDelivery, await self._send(request), request)
        except Permanent as error:
            if error.code is Code.GITHUB_GONE:
                return None
            raise
        return found.event, found.request.payload

    async def _delivery_number(self, guid: str) -> int | None:
        for succeeded in (True, False):
            known = await self.hook_deliveries(succeeded=succeeded, since=0, pages=LOG_PAGES)
            for one in known:
                if one.guid == guid:
                    return one.id
        return None

    async def redeliver(self, delivery_id: int) -> None:
        """Have GitHub send a delivery again, soon, under its GUID. When the answer is lost it may come twice, and does no harm.

        https://docs.github.com/en/rest/apps/webhooks#redeliver-a-delivery-for-an-app-webhook
        """
        route = "/app/hook/deliveries/{delivery}/attempts"
        await self._send(Request("POST", route, {"delivery": delivery_id}, "redeliver a webhook", Effect.REPEATABLE))

    async def _send(self, request: Request) -> Reply:
        """The reply to a request of the App's own, at the App's own pace."""

        async def attempt() -> Reply:
            return await self._own_pace.paced(
                request.kind, lambda: self._transport.run(lambda: self._keys.send(request), request)
            )

        return await retry.call(attempt, tries=TRIES, sleep=self._sleep)

    def _pace(self, installation_id: int) -> Pace:
        with self._lock:
            known = self._paces.get(installation_id)
            if known is None:
                known = self._paces[installation_id] = Pace(
                    installation_id, book=self._book, sleep=self._sleep, monotonic=self._monotonic
                )
            return known
