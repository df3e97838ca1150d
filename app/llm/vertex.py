"""Anthropic's models on Google's Vertex AI, under a project and a region.

Google's own credentials need `anthropic[vertex]`; a token that somebody else renews (`ANTHROPIC_VERTEX_TOKEN`) does not.
https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
"""

from __future__ import annotations

from typing import ClassVar, cast

import anthropic

from app.llm.anthropic import Anthropic
from app.llm.client import CALLS_AT_ONCE, http_client


class Vertex(Anthropic):
    """The models of one project. A model's name is Vertex AI's."""

    name: ClassVar[str] = "vertex"
    home: ClassVar[str] = ""

    def __init__(
        self,
        *,
        key: str | None,
        base_url: str | None,
        project: str,
        region: str,
        timeout_seconds: float,
        calls_at_once: int = CALLS_AT_ONCE,
    ) -> None:
        super().__init__(
            key=key,
            base_url=base_url or f"https://{region}-aiplatform.googleapis.com/v1",
            timeout_seconds=timeout_seconds,
            calls_at_once=calls_at_once,
        )
        self._given_url = base_url
        self._project, self._region = project, region

    def _client(self) -> anthropic.AsyncAnthropic:
        client = anthropic.AsyncAnthropicVertex(
            access_token=self._key,
            project_id=self._project,
            region=self._region,
            base_url=self._given_url,
            max_retries=0,
            timeout=self.timeout_seconds,
            http_client=http_client(self.timeout_seconds),
        )
        # The SDK's clouds are no subclass of its own client, but have the one verb that is used of it.
        return cast("anthropic.AsyncAnthropic", client)
