"""Anthropic, and servers that speak its Messages API: question → answer.

The system text and every part of the prompt but the last end in cache breakpoints, so that the next batch, or the next
question about this one, reads them from the cache.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs and …/prompt-caching
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import anthropic
from pydantic import BaseModel, ConfigDict, Field

from app.llm import failure, form
from app.llm.client import http_client
from app.llm.prices import Tokens
from app.llm.provider import NO_KEY, Abilities, Answer, Ending, Json, Provider, Question, limited

CACHED: Json = {"cache_control": {"type": "ephemeral"}}
UNTOLD = "(no reply)"
"""Stands for an empty reply on a second try: the API refuses empty text."""


class Anthropic(Provider[anthropic.AsyncAnthropic]):
    """Anthropic's server, or the one at `ANTHROPIC_BASE_URL`."""

    name: ClassVar[str] = "anthropic"
    home: ClassVar[str] = "https://api.anthropic.com"
    schema_field: ClassVar[str] = "output_config"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "output_config": ("output_config", "output_format", "json_schema", "structured output"),
    }

    def _client(self) -> anthropic.AsyncAnthropic:
        key = self._key or NO_KEY
        return anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout_seconds,
            http_client=http_client(self.timeout_seconds),
            # The SDK sends the key as a bearer token; gateways may still know the older header alone.
            default_headers=None if self.at_home else {"X-Api-Key": key},
        )

    def _request(self, model: str, question: Question, abilities: Abilities) -> Json:
        prompt = question.prompt
        request: Json = {
            "model": model,
            "max_tokens": limited(question, abilities),
            "messages": _messages(question, in_words=abilities.schema_in_words),
        }
        if prompt.system.strip():
            request["system"] = [{"type": "text", "text": prompt.system, **CACHED}]
        if self.schema_field not in abilities.lacking:
            schema = {"type": "json_schema", "schema": form.strict_schema(question.form)}
            request["output_config"] = {"format": schema}
        return request

    async def _send(self, client: anthropic.AsyncAnthropic, request: Json) -> bytes:
        try:
            answer = await client.messages.with_raw_response.create(**request)
        except anthropic.APITimeoutError as error:
            raise failure.silent(self.name, self.timeout_seconds) from error
        except anthropic.APIConnectionError as error:
            raise failure.unreachable(self.name, error) from error
        except anthropic.APIStatusError as error:
            raise self._refused(error.status_code, error.response.headers, error.body, error) from None
        return answer.http_response.content

    def _read(self, data: bytes) -> Answer:
        reply = _Reply.model_validate_json(data)
        if reply.type == "error":
            raise self._refused(502, {}, {"error": reply.error})
        if reply.type != "message":
            raise ValueError("no message")
        match reply.stop_reason:
            case "refusal":
                ending = Ending.DECLINED
            case "max_tokens" | "model_context_window_exceeded":
                ending = Ending.CUT_OFF
            case _:
                ending = Ending.DONE
        text = "".join(block.text for block in reply.content if block.type == "text")
        return Answer(text, ending, _tokens(reply.usage))


def _messages(question: Question, *, in_words: bool) -> list[Json]:
    prompt = question.prompt
    *stable, last = prompt.user
    blocks: list[Json] = [{"type": "text", "text": text, **CACHED} for text in stable]
    blocks.append({"type": "text", "text": last})
    blocks += [{"type": "text", "text": form.in_words(question.form)}] if in_words else []
    messages: list[Json] = [{"role": "user", "content": blocks}]
    if question.complaint:
        messages.append({"role": "assistant", "content": question.said.strip() or UNTOLD})
        messages.append({"role": "user", "content": question.complaint})
    return messages


# The parts of a reply that are used. https://platform.claude.com/docs/en/api/messages


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Block(_Part):
    type: str = ""
    text: str = ""


class _Usage(_Part):
    input_tokens: int = Field(0, ge=0)
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int = Field(0, ge=0)


class _Reply(_Part):
    type: str = ""
    content: list[_Block] = Field(default_factory=list)
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | None = None


def _tokens(usage: _Usage | None) -> Tokens:
    if usage is None:
        return Tokens(counted=False)
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Tokens(
        input=usage.input_tokens + read + written, cached=read, cache_written=written, output=usage.output_tokens
    )
