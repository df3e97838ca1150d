"""Anthropic's models on Amazon Bedrock: by a Bedrock API key, or by what the AWS SDK finds in its environment.

Signing with AWS credentials needs `anthropic[bedrock]`; an API key (`AWS_BEARER_TOKEN_BEDROCK`) does not.
https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock
"""

from __future__ import annotations

from typing import ClassVar, cast

import anthropic

from app.llm.anthropic import Anthropic
from app.llm.client import CALLS_AT_ONCE, http_client


class Bedrock(Anthropic):
    """The models of one AWS region. A model's name is Bedrock's id for it, or that of an inference profile."""

    name: ClassVar[str] = "bedrock"
    home: ClassVar[str] = ""

    def __init__(
        self,
        *,
        key: str | None,
        base_url: str | None,
        region: str,
        timeout_seconds: float,
        calls_at_once: int = CALLS_AT_ONCE,
    ) -> None:
        address = base_url or f"https://bedrock-runtime.{region}.amazonaws.com"
        super().__init__(key=key, base_url=address, timeout_seconds=timeout_seconds, calls_at_once=calls_at_once)
        self._region = region

    def _client(self) -> anthropic.AsyncAnthropic:
        client = anthropic.AsyncAnthropicBedrock(
            api_key=self._key,
            aws_region=self._region,
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout_seconds,
            http_client=http_client(self.timeout_seconds),
        )
        # The SDK's clouds are no subclass of its own client, but have the one verb that is used of it.
        return cast("anthropic.AsyncAnthropic", client)
