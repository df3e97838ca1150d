"""What an operator may do from the dashboard: the fields of a form in, what was done out."""

from __future__ import annotations

from collections.abc import Mapping

from app.jobs import Engine
from app.jobs.desk import Done
from app.web.dashboard.gate import Act


class Acts:
    """The forms' acts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def acts(self) -> dict[str, Act]:
        """The acts by path."""
        return {"/retry": self.retry, "/retry-delivery": self.retry_delivery, "/cancel": self.cancel}

    async def retry(self, given: Mapping[str, str]) -> Done:
        """The review named by `key`, begun again."""
        return await self._engine.desk.retry_review(given.get("key", ""))

    async def retry_delivery(self, given: Mapping[str, str]) -> Done:
        """The delivery named by `guid`, taken again."""
        return await self._engine.desk.retry_delivery(given.get("guid", ""))

    async def cancel(self, given: Mapping[str, str]) -> Done:
        """The review named by `key`, stopped."""
        return await self._engine.desk.cancel(given.get("key", ""))
