"""OpenAI, and every server that speaks its chat completions: question → answer.

Chat completions, because that is what compatible servers have in common; one string per message, for the same reason.
OpenAI caches prefixes by itself, so the prompt's stable parts come first.
https://developers.openai.com/api/docs/guides/structured-outputs
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import openai
import openai.resources.chat.chat  # the SDK would import these two within the first call
import openai.resources.chat.completions
from pydantic import BaseModel, ConfigDict, Field

from app.llm import failure, form
from app.llm.client import http_client
from app.llm.prices import Tokens
from app.llm.provider import NO_KEY, Abilities, Answer, Ending, Json, Provider, Question, limited

MODERN_LIMIT, OLD_LIMIT = "max_completion_tokens", "max_tokens"


class OpenAI(Provider[openai.AsyncOpenAI]):
    """OpenAI's server, or the one at `OPENAI_BASE_URL`."""

    name: ClassVar[str] = "openai"
    home: ClassVar[str] = "https://api.openai.com/v1"
    schema_field: ClassVar[str] = "response_format"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "response_format": ("response_format", "json_schema", "structured output", "grammar", "guided"),
        MODERN_LIMIT: (MODERN_LIMIT,),
    }

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=self._key or NO_KEY,
            base_url=self.base_url,
            max_retries=0,
            timeout=self.timeout_seconds,
            http_client=http_client(self.timeout_seconds),
        )

    def _request(self, model: str, question: Question, abilities: Abilities) -> Json:
        lacking = abilities.lacking
        request: Json = {
            "model": model,
            "messages": _messages(question, in_words=abilities.schema_in_words),
            OLD_LIMIT if MODERN_LIMIT in lacking else MODERN_LIMIT: limited(question, abilities),
        }
        if self.schema_field not in lacking:
            schema = {"name": form.name_of(question.form), "strict": True, "schema": form.strict_schema(question.form)}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self.at_home:
            request["prompt_cache_key"] = _cache_key(question)
        return request

    async def _send(self, client: openai.AsyncOpenAI, request: Json) -> bytes:
        try:
            answer = await client.chat.completions.with_raw_response.create(**request)
        except openai.APITimeoutError as error:
            raise failure.silent(self.name, self.timeout_seconds) from error
        except openai.APIConnectionError as error:
            raise failure.unreachable(self.name, error) from error
        except openai.APIStatusError as error:
            raise self._refused(error.status_code, error.response.headers, error.body, error) from None
        return answer.http_response.content

    def _read(self, data: bytes) -> Answer:
        reply = _Reply.model_validate_json(data)
        if reply.error is not None:
            # Some gateways answer 200 and put the failure of the server behind them into the body.
            code = reply.error.get("code")
            status = code if isinstance(code, int) and 400 <= code < 600 else 502
            raise self._refused(status, {}, {"error": reply.error})
        if not reply.choices:
            raise ValueError("no choices")
        choice = reply.choices[0]
        declined = choice.message.refusal is not None or choice.finish_reason == "content_filter"
        cut_off = choice.finish_reason == "length"
        ending = Ending.DECLINED if declined else Ending.CUT_OFF if cut_off else Ending.DONE
        return Answer(choice.message.refusal or choice.message.text, ending, _tokens(reply.usage))


def _messages(question: Question, *, in_words: bool) -> list[Json]:
    prompt = question.prompt
    parts = [*prompt.user, *([form.in_words(question.form)] if in_words else [])]
    messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    messages.append({"role": "user", "content": "\n\n".join(parts)})
    if question.complaint:
        messages.append({"role": "assistant", "content": question.said})
        messages.append({"role": "user", "content": question.complaint})
    return messages


def _cache_key(question: Question) -> str:
    """Calls with the same key meet the same cache; those that share a prefix share a key."""
    said = f"{question.prompt.system}\0{question.prompt.shared}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# The parts of a reply that are used. https://developers.openai.com/api/reference/resources/chat


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Piece(_Part):
    text: str = ""


class _Message(_Part):
    content: str | list[_Piece] | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(piece.text for piece in self.content)
        return self.content or ""


class _Choice(_Part):
    message: _Message
    finish_reason: str | None = None


class _Details(_Part):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(_Part):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    prompt_tokens_details: _Details | None = None


class _Reply(_Part):
    choices: list[_Choice] = Field(default_factory=list)
    usage: _Usage | None = None
    error: dict[str, Any] | None = None


def _tokens(usage: _Usage | None) -> Tokens:
    if usage is None:
        return Tokens(counted=False)
    details = usage.prompt_tokens_details or _Details()
    return Tokens(
        input=usage.prompt_tokens,
        cached=details.cached_tokens or 0,
        cache_written=details.cache_write_tokens or 0,
        output=usage.completion_tokens,
    )
