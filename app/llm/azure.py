"""Azure OpenAI: OpenAI's models in an Azure resource, by the name of their deployment.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/chatgpt
"""

from __future__ import annotations

from typing import ClassVar

import openai

from app.llm.client import CALLS_AT_ONCE, http_client
from app.llm.openai import OpenAI
from app.llm.provider import NO_KEY


class Azure(OpenAI):
    """The resource at `AZURE_OPENAI_ENDPOINT`. A model's name is that of a deployment."""

    name: ClassVar[str] = "azure"
    home: ClassVar[str] = ""

    def __init__(
        self,
        *,
        key: str | None,
        base_url: str,
        version: str,
        timeout_seconds: float,
        calls_at_once: int = CALLS_AT_ONCE,
    ) -> None:
        super().__init__(key=key, base_url=base_url, timeout_seconds=timeout_seconds, calls_at_once=calls_at_once)
        self._version = version

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncAzureOpenAI(
            api_key=self._key or NO_KEY,
            azure_endpoint=self.base_url,
            api_version=self._version,
            max_retries=0,
            timeout=self.timeout_seconds,
            http_client=http_client(self.timeout_seconds),
        )
