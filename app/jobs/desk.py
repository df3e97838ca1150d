"""What an operator may do about a job: begin a failed one again, or stop one that waits or runs.

retry    the delivery that led to it is taken again, as when GitHub redelivers: everything is decided on as it is now
cancel   the job engine's word, then our row; its check run says that the operator stopped it
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import ValidationError

from app.jobs.delivery import Delivery, Receipt, Taken
from app.jobs.inbox import EVENT
from app.jobs.store import Store, deliveries
from app.telemetry import log


@dataclass(frozen=True, slots=True)
class Done:
    """Whether it was done, and a sentence that says what."""

    was_done: bool
    what: str


Accept = Callable[[Delivery], Awaitable[Receipt]]
Stop = Callable[[str], Awaitable[bool]]
"""Stops the job of this key; False when none was active."""


class Desk:
    """The operator's verbs. Each may be asked for twice."""

    def __init__(self, store: Store, client: DBOSClient, *, accept: Accept, stop: Stop) -> None:
        self._store = store
        self._client = client
        self._accept = accept
        self._stop = stop

    async def retry_review(self, key: str) -> Done:
        """The failed review of this key, decided on again."""
        guid = await asyncio.to_thread(self._last_delivery_of, key)
        if guid is None:
            return Done(False, "The delivery that led to this review is not kept any more; /review asks for a new one.")
        return await self.retry_delivery(guid)

    async def retry_delivery(self, guid: str) -> Done:
        """The failed delivery with this id, or one whose review failed, decided on again. Raises `Transient` (DATABASE_BUSY)."""
        delivery = await asyncio.to_thread(self._kept, guid)
        if delivery is None:
            return Done(
                False, "What this delivery said is not kept any more; GitHub can deliver it again for three days."
            )
        receipt = await self._accept(delivery)
        log.info("operator_retried", delivery=guid, taken=receipt.taken.value)
        match receipt.taken:
            case Taken.RETAKEN:
                return Done(True, "It was taken up again and is decided on now.")
            case Taken.IGNORED:
                return Done(False, f"It is not wanted any more: {receipt.reason}.")
            case _:
                return Done(False, "It is under way already, or has ended well.")

    async def cancel(self, key: str) -> Done:
        """The review of this key, stopped; people are told on its check run if it had begun."""
        stopped = await self._stop(key)
        if not stopped:
            return Done(False, "It has ended already.")
        log.info("operator_cancelled", job=key)
        return Done(True, "It was stopped.")

    def _last_delivery_of(self, key: str) -> str | None:
        query = sa.select(deliveries.c.guid).where(deliveries.c.job_key == key)
        with self._store.read() as connection:
            guid: str | None = connection.scalar(query.order_by(deliveries.c.received_at.desc()).limit(1))
        return guid

    def _kept(self, guid: str) -> Delivery | None:
        """The delivery as the job engine remembers it: its event was the first thing the workflow was given."""
        with self._store.read() as connection:
            row = connection.execute(sa.select(deliveries).where(deliveries.c.guid == guid)).one_or_none()
        if row is None or row.workflow_id is None:
            return None
        found = self._client.list_workflows(workflow_ids=[row.workflow_id], load_input=True, load_output=False)
        given = found[0].input if found else None
        try:
            event = EVENT.validate_python(given["args"][1]) if given else None
        except (ValidationError, IndexError):
            return None
        return Delivery(guid, row.event, event, row.received_at) if event is not None else None
