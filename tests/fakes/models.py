"""A language-model server on loopback: OpenAI's chat completions and Anthropic's messages on one port, as strict as theirs.

    with FakeModels() as models:
        models.will_reply({"findings": []}, purpose="review")
        …                                           # with the settings of models.environment("openai")
        assert "charge.ts" in models.requests[0].user

What was told with a `will_…` verb is used once (or `times`), in order, by the first request it fits; then the function
given to `answers` or `answers_instantly` speaks. A request that nobody foresaw gets a 400 that says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, cast

Provider = Literal["openai", "anthropic"]
Json = dict[str, Any]

KEY = "sk-loopback-0123456789abcdefghijklmn"
CACHE_CHUNK = 512  # characters, about the 128 tokens by which OpenAI's prefix cache grows
HANG_SECONDS = 60.0

OPENAI_FIELDS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
ANTHROPIC_FIELDS = frozenset(
    {
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "temperature",
        "top_k",
        "top_p",
    }
)
LOOSE_KEYWORDS = frozenset(
    {
        "default",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "prefixItems",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "discriminator",
        "propertyNames",
    }
)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request as a model would read it. `user` is all text of the user's turns; `text` is the whole body as sent."""

    provider: Provider
    model: str
    messages: tuple[tuple[str, str], ...]
    system: str
    user: str
    schema: Json | None
    schema_name: str
    """The form's title. Finding and verifying fill in the same form; a request that lists candidates asks to verify."""
    max_tokens: int
    body: Json
    headers: Mapping[str, str]
    text: str

    @property
    def roles(self) -> tuple[str, ...]:
        """Who speaks, in order; Anthropic's system text counts as a first `system`."""
        return tuple(role for role, _ in self.messages)

    def is_for(self, purpose: str | None) -> bool:
        """Whether the reply asked for is of that kind: `review` fits the type names `Review`, `ReviewReply`, …"""
        return purpose is None or purpose.lower() in self.schema_name.lower()


@dataclass(frozen=True, slots=True)
class Said:
    """A reply of the model: its text, and why it stopped (`None`: as a finished reply does)."""

    text: str
    stop: str | None = None
    refusal: str | None = None
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """An HTTP answer given byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    length: int | None = None
    """The Content-Length to claim, when it is to be wrong."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed after this many bytes of a good answer."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing is answered until the event is set."""

    until: threading.Event


Outcome = Said | Sent | Cut | Hang
Answerer = Callable[[ModelRequest], "Outcome | Json | str"]


@dataclass
class _Told:
    outcome: Answerer
    purpose: str | None
    left: int


class Refused(Exception):
    """What a real server answers to a request that is not as it wants it."""

    def __init__(
        self, status: int, kind: str, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.param, self.code = status, kind, message, param, code


class FakeModels:
    """The server. Enter it to listen on a free port; leaving it closes every connection and joins every thread."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self.key: str | None = KEY
        self.known_models: frozenset[str] | None = None
        self.window_tokens: int | None = None
        self.lacking: frozenset[str] = frozenset()
        self.ignored: frozenset[str] = frozenset()
        self.on_request: Callable[[ModelRequest], None] | None = None
        self._told: list[_Told] = []
        self._answer: Answerer | None = None
        self._prefixes: set[bytes] = set()
        self._hanging: list[threading.Event] = []
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.models = self
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    # ── where it listens ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        """The root of both APIs."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def openai_url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """What ANTHROPIC_BASE_URL is to be."""
        return self.url

    def environment(self, provider: Provider = "openai") -> dict[str, str]:
        """The settings that send a provider's calls here."""
        name = provider.upper()
        url = self.openai_url if provider == "openai" else self.anthropic_url
        return {f"{name}_BASE_URL": url} | ({f"{name}_API_KEY": self.key} if self.key else {})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listens from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Lets go of what hangs, closes every connection, and waits for the threads to end."""
        for event in self._hanging:
            event.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    # ── what the next requests are answered ─────────────────────────────────────────────────────────────────────────

    def will_reply(self, reply: Json | str, *, purpose: str | None = None, times: int = 1) -> None:
        """The next request (of that purpose) is answered with this object or text."""
        self._tell(lambda _: reply, purpose, times)

    def will_fail(
        self,
        status: int,
        body: Json | str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
        purpose: str | None = None,
    ) -> None:
        """An HTTP error; without a body, the one the provider itself sends with that status."""

        def outcome(request: ModelRequest) -> Sent:
            if isinstance(body, (str, bytes)):
                raw = body.encode() if isinstance(body, str) else body
                return Sent(status, raw, headers or {}, "text/html; charset=utf-8")
            usual = _usual_error(request.provider, status) if body is None else body
            return Sent(status, json.dumps(usual).encode(), headers or {})

        self._tell(outcome, purpose, times)

    def will_send(
        self, body: bytes | Json, *, status: int = 200, content_type: str = "application/json", **more: Any
    ) -> None:
        """An answer given byte for byte; `headers` and `length` may be given too."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._tell(lambda _: Sent(status, raw, content_type=content_type, **more), None, 1)

    def will_cut_connection(self, *, after_bytes: int = 0, times: int = 1, purpose: str | None = None) -> None:
        """The connection ends without an answer, or inside one."""
        self._tell(lambda _: Cut(after_bytes), purpose, times)

    def will_hang(
        self, until: threading.Event | None = None, *, times: int = 1, purpose: str | None = None
    ) -> threading.Event:
        """No answer until the event that comes back is set (or the server stops); then the connection is cut."""
        event = until or threading.Event()
        self._hanging.append(event)
        self._tell(lambda _: Hang(event), purpose, times)
        return event

    def will_refuse(self, text: str = "I can't help with that.", *, times: int = 1, purpose: str | None = None) -> None:
        """The model declines, in its provider's way."""
        self._tell(lambda _: Said(text, refusal=text), purpose, times)

    def will_truncate(
        self, text: str = '{"findings": [{"title": "', *, times: int = 1, purpose: str | None = None
    ) -> None:
        """The reply is cut off by the limit of tokens."""
        self._tell(lambda r: Said(text, stop=_cut_off(r.provider)), purpose, times)

    def will_stop_with(self, reason: str, text: str = "", *, times: int = 1, purpose: str | None = None) -> None:
        """A reply with any `finish_reason` or `stop_reason`."""
        self._tell(lambda _: Said(text, stop=reason), purpose, times)

    def answers(self, function: Answerer) -> None:
        """Every request that no `will_…` foresaw is answered by this function: an object, a text, or an `Outcome`."""
        self._answer = function

    def answers_instantly(self, replies: Mapping[str, Json | str | Answerer] | None = None) -> None:
        """A whole review runs: `replies` by purpose, and for other purposes the smallest reply that obeys the schema."""
        by_purpose = dict(replies or {})

        def answer(request: ModelRequest) -> Outcome | Json | str:
            for purpose, reply in by_purpose.items():
                if request.is_for(purpose):
                    return reply(request) if callable(reply) else reply
            return cast("Json", smallest(request.schema or {"type": "object"}))

        self._answer = answer

    def _tell(self, outcome: Answerer, purpose: str | None, times: int) -> None:
        with self._lock:
            self._told.append(_Told(outcome, purpose, times))

    # ── what kind of server it is ───────────────────────────────────────────────────────────────────────────────────

    def lacks(self, *fields: str) -> None:
        """Requests with one of these fields (`response_format`, `max_completion_tokens`, …) are refused by name."""
        self.lacking |= set(fields)

    def ignores(self, *fields: str) -> None:
        """These fields are read over, as servers do that do not know them: `response_format` brings prose and fences."""
        self.ignored |= set(fields)

    def knows_only(self, *models: str) -> None:
        """Other models are answered 404."""
        self.known_models = frozenset(models)

    def needs_no_key(self) -> None:
        """Any key, or none, will do."""
        self.key = None

    def wait_for_requests(self, count: int, *, within_seconds: float = 90.0) -> None:
        """Returns once so many requests have arrived; fails the test otherwise."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, timeout=within_seconds):
                raise AssertionError(f"{len(self.requests)} of {count} requests arrived")

    def asked_for(self, purpose: str) -> list[ModelRequest]:
        """The requests of one purpose, oldest first."""
        return [request for request in self.requests if request.is_for(purpose)]

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────────────

    def routed(self, path: str) -> str:
        """The path by which a request is told apart, as it came over the wire; this server does not look at queries."""
        return path.partition("?")[0]

    def respond(self, path: str, headers: Mapping[str, str], raw: bytes) -> Sent | Cut | Hang:
        """The answer to one POST."""
        provider: Provider = "anthropic" if path.endswith("/messages") else "openai"
        try:
            _check_path(path)
            self._check_key(provider, headers)
            request = _parse(provider, headers, raw)
            with self._arrived:
                self.requests.append(request)
                self._arrived.notify_all()
            if self.on_request:
                self.on_request(request)
            self._check(request)
            outcome = self._outcome(request)
        except Refused as refused:
            return Sent(refused.status, json.dumps(_error_body(provider, refused)).encode())
        if isinstance(outcome, Said):
            return self._envelope(request, outcome)
        if isinstance(outcome, Cut):
            good = self._envelope(request, Said("{}")).body
            return Cut(0) if outcome.after_bytes == 0 else Cut(min(outcome.after_bytes, len(good) - 1))
        return outcome

    def _outcome(self, request: ModelRequest) -> Outcome:
        told = self._next_told(request) or self._answer
        if told is None:
            raise Refused(
                400, "invalid_request_error", f"nobody told the fake what to reply to {request.schema_name!r}"
            )
        said = told(request)
        if isinstance(said, dict):
            said = json.dumps(said)
        if isinstance(said, str):
            unheard = request.provider == "openai" and "response_format" in self.ignored
            return Said(f"Sure! Here is my reply:\n\n```json\n{said}\n```\nLet me know." if unheard else said)
        return said

    def _next_told(self, request: ModelRequest) -> Answerer | None:
        with self._lock:
            for told in self._told:
                if request.is_for(told.purpose):
                    told.left -= 1
                    if told.left == 0:
                        self._told.remove(told)
                    return told.outcome
        return None

    def _check_key(self, provider: Provider, headers: Mapping[str, str]) -> None:
        if self.key is None:
            return
        if provider == "openai" and headers.get("authorization") != f"Bearer {self.key}":
            given = headers.get("authorization", "").removeprefix("Bearer ")
            raise Refused(401, "invalid_request_error", f"Incorrect API key provided: {given}.", code="invalid_api_key")
        # The API takes the key in either header; the SDK of today sends the second.
        given_keys = {headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")}
        if provider == "anthropic" and self.key not in given_keys:
            raise Refused(401, "authentication_error", "invalid x-api-key")

    def _check(self, request: ModelRequest) -> None:
        for name in self.lacking & request.body.keys():
            _refuse_field(request.provider, name)
        if self.known_models is not None and request.model not in self.known_models:
            message = f"The model `{request.model}` does not exist or you do not have access to it."
            if request.provider == "anthropic":
                raise Refused(404, "not_found_error", f"model: {request.model}")
            raise Refused(404, "invalid_request_error", message, code="model_not_found")
        if request.provider == "openai":
            _check_openai(request, lacking=self.lacking)
        else:
            _check_anthropic(request)
        asked = _tokens(request.text)
        if self.window_tokens is not None and asked > self.window_tokens:
            if request.provider == "anthropic":
                message = f"prompt is too long: {asked} tokens > {self.window_tokens} maximum"
                raise Refused(400, "invalid_request_error", message)
            message = f"This model's maximum context length is {self.window_tokens} tokens, your messages have {asked}."
            raise Refused(400, "invalid_request_error", message, param="messages", code="context_length_exceeded")

    def _envelope(self, request: ModelRequest, said: Said) -> Sent:
        asked, used = _tokens("".join(text for _, text in request.messages)), _tokens(said.text)
        cached, written = self._cache(request)
        number = len(self.requests)
        if request.provider == "anthropic":
            content: list[Json] = (
                [{"type": "thinking", "thinking": said.thinking, "signature": "c2ln"}] if said.thinking else []
            )
            content += [{"type": "text", "text": said.text}] if said.text else []
            stop = "refusal" if said.refusal is not None else said.stop or "end_turn"
            usage: Json = {
                "input_tokens": max(0, asked - cached - written),
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": written,
                "output_tokens": used,
            }
            head: Json = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": request.model}
            return _json({**head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage})
        message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.refusal is not None:
            message |= {"content": None, "refusal": said.refusal}
        choice = {"index": 0, "message": message, "finish_reason": said.stop or "stop", "logprobs": None}
        counted: Json = {"prompt_tokens": asked, "completion_tokens": used, "total_tokens": asked + used}
        counted["prompt_tokens_details"] = {"cached_tokens": cached, "audio_tokens": 0}
        head = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": request.model,
        }
        return _json({**head, "choices": [choice], "usage": counted})

    def _cache(self, request: ModelRequest) -> tuple[int, int]:
        """(tokens read from the prompt cache, tokens written to it), as each provider counts them."""
        with self._lock:
            if request.provider == "anthropic":
                return self._anthropic_cache(request)
            text = request.model + "".join(text for _, text in request.messages)
            prefixes = list(_prefixes(text))
            known = sum(1 for prefix in prefixes if prefix in self._prefixes)
            self._prefixes.update(prefixes)
            return known * CACHE_CHUNK // 4, 0

    def _anthropic_cache(self, request: ModelRequest) -> tuple[int, int]:
        said, marks = "", []
        for block in _blocks(request.body):
            said += block.get("text", "")
            if "cache_control" in block:
                mark = hashlib.sha256((request.model + said).encode("utf-8", "surrogatepass")).digest()
                marks.append((mark, _tokens(said)))
        read = max((size for mark, size in marks if mark in self._prefixes), default=0)
        written = max((size for _, size in marks), default=0) - read
        self._prefixes.update(mark for mark, _ in marks)
        return read, written


# ── reading requests ────────────────────────────────────────────────────────────────────────────────────────────────


def _check_path(path: str) -> None:
    if path not in ("/v1/chat/completions", "/v1/messages"):
        raise Refused(404, "invalid_request_error", f"Invalid URL (POST {path})")


def _parse(provider: Provider, headers: Mapping[str, str], raw: bytes) -> ModelRequest:
    try:
        body = json.loads(raw)
        turns = [(message["role"], _text(message.get("content"))) for message in body["messages"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            400, "invalid_request_error", f"We could not parse the JSON body of your request: {error!r}"
        ) from error
    if provider == "anthropic":
        schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
        turns = ([("system", _text(body["system"]))] if body.get("system") else []) + turns
    else:
        schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    schema = schema or _schema_in_text(turns)
    title = str((schema or {}).get("title", ""))
    asks_to_verify = title == "ReviewReply" and any("\n\n## Candidates\n\n" in text for _, text in turns)
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return ModelRequest(
        provider=provider,
        model=str(body.get("model", "")),
        messages=tuple(turns),
        system="\n".join(text for role, text in turns if role in ("system", "developer")),
        user="\n".join(text for role, text in turns if role == "user"),
        schema=schema,
        schema_name="VerifyReply" if asks_to_verify else title,
        max_tokens=limit,
        body=body,
        headers=headers,
        text=raw.decode("utf-8", "replace"),
    )


def _schema_in_text(turns: list[tuple[str, str]]) -> Json | None:
    """The schema that stands in the prompt itself, when a client asks in words: the last JSON object that looks like one."""
    for _, text in reversed(turns):
        for start in reversed([match.start() for match in re.finditer(r"^\{", text, re.MULTILINE)]):
            try:
                found, _ = json.JSONDecoder().raw_decode(text, start)
            except ValueError:
                continue
            if isinstance(found, dict) and "properties" in found:
                return found
    return None


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def _blocks(body: Json) -> Iterator[Json]:
    for content in [body.get("system"), *(message.get("content") for message in body["messages"])]:
        if isinstance(content, str):
            yield {"text": content}
        else:
            yield from content or ()


def _check_openai(request: ModelRequest, *, lacking: frozenset[str]) -> None:
    body = request.body
    for name in body.keys() - OPENAI_FIELDS:
        raise Refused(400, "invalid_request_error", f"Unrecognized request argument supplied: {name}", param=name)
    if not body.get("model"):
        raise Refused(400, "invalid_request_error", "you must provide a model parameter")
    if body.get("stream"):
        raise Refused(400, "invalid_request_error", "this server does not stream", param="stream")
    thinks = re.match(r"gpt-[5-9]|o\d", request.model) is not None
    if thinks and "max_tokens" in body and "max_completion_tokens" not in lacking:
        _refuse_field("openai", "max_tokens", hint=" Use 'max_completion_tokens' instead.")
    if thinks and body.get("temperature", 1) != 1:
        _refuse_field("openai", "temperature")
    for role in request.roles:
        if role not in ("system", "developer", "user", "assistant"):
            raise Refused(400, "invalid_request_error", f"Invalid value: '{role}'.", param="messages[0].role")
    form = body.get("response_format")
    if form is not None and form.get("type") == "json_schema":
        described = form.get("json_schema") or {}
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(described.get("name", ""))):
            raise Refused(
                400, "invalid_request_error", "Invalid 'response_format.json_schema.name'", param="response_format"
            )
        if described.get("strict"):
            _check_schema("openai", described.get("schema"))


def _check_anthropic(request: ModelRequest) -> None:
    body = request.body
    if not request.headers.get("anthropic-version"):
        raise Refused(400, "invalid_request_error", "anthropic-version: header is required")
    for name in body.keys() - ANTHROPIC_FIELDS:
        raise Refused(400, "invalid_request_error", f"{name}: Extra inputs are not permitted")
    for name in ("model", "max_tokens"):
        if not body.get(name):
            raise Refused(400, "invalid_request_error", f"{name}: Field required")
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise Refused(400, "invalid_request_error", f"`{name}` is not supported for this model")
    _check_anthropic_turns(body)
    form = (body.get("output_config") or {}).get("format")
    if form is not None:
        if form.get("type") != "json_schema":
            raise Refused(400, "invalid_request_error", "output_config.format.type: Input should be 'json_schema'")
        _check_schema("anthropic", form.get("schema"))


def _check_anthropic_turns(body: Json) -> None:
    spoken = [message["role"] for message in body["messages"]]
    if set(spoken) - {"user", "assistant"}:
        raise Refused(
            400, "invalid_request_error", 'messages: Unexpected role "system". The Messages API accepts `system`.'
        )
    if not spoken or spoken[0] != "user" or spoken[-1] != "user":
        raise Refused(400, "invalid_request_error", "messages: must start and end with a `user` turn")
    if any(
        not str(block.get("text", "")).strip()
        for block in _blocks(body)
        if block.get("type", "text") == "text" and block
    ):
        raise Refused(400, "invalid_request_error", "messages: text content blocks must be non-empty")
    if sum("cache_control" in block for block in _blocks(body)) > 4:
        raise Refused(400, "invalid_request_error", "A maximum of 4 blocks with cache_control may be provided.")


def _check_schema(provider: Provider, schema: Any, where: str = "root") -> None:
    """Refuses what strict structured output refuses: open objects, optional properties (OpenAI), keywords it cannot hold."""
    if not isinstance(schema, dict):
        _refuse_schema(provider, where, "schema must be an object")
    if where == "root" and (schema.get("type") != "object" or "anyOf" in schema):
        _refuse_schema(provider, where, "schema must be of type 'object'")
    for keyword in schema.keys() & LOOSE_KEYWORDS:
        _refuse_schema(provider, where, f"'{keyword}' is not permitted")
    if "$ref" in schema and len(schema) > 1:
        _refuse_schema(provider, where, "'$ref' cannot have keywords beside it")
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            _refuse_schema(provider, where, "'additionalProperties' is required to be supplied and to be false")
        if provider == "openai" and set(schema.get("required", [])) != set(schema.get("properties", {})):
            _refuse_schema(provider, where, "'required' is required to include every key in properties")
    if not schema.keys() & {"type", "anyOf", "allOf", "$ref", "enum", "const"}:
        _refuse_schema(provider, where, "schema must have a 'type' key")
    for key in ("properties", "$defs"):
        for name, part in schema.get(key, {}).items():
            _check_schema(provider, part, f"{where}.{name}")
    for part in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        _check_schema(provider, part, f"{where}[]")


def _refuse_schema(provider: Provider, where: str, why: str) -> None:
    if provider == "anthropic":
        raise Refused(400, "invalid_request_error", f"output_config.format.schema: In {where}, {why}")
    message = f"Invalid schema for response_format: In context={where}, {why}."
    raise Refused(400, "invalid_request_error", message, param="response_format")


def _refuse_field(provider: Provider, name: str, hint: str = "") -> None:
    if provider == "anthropic":
        raise Refused(400, "invalid_request_error", f"{name}: Extra inputs are not permitted")
    message = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
    raise Refused(400, "invalid_request_error", message, param=name, code="unsupported_parameter")


# ── writing answers ─────────────────────────────────────────────────────────────────────────────────────────────────


def smallest(schema: Json, root: Json | None = None) -> Any:
    """The smallest value that obeys a schema: no entries, no text, the first of an enum, null where it may be."""
    root = root or schema
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return smallest(target, root)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema:
        kinds = schema["anyOf"]
        return None if {"type": "null"} in kinds else smallest(kinds[0], root)
    kind = schema.get("type")
    if kind == "object":
        return {name: smallest(part, root) for name, part in schema.get("properties", {}).items()}
    return {"array": [], "string": "", "integer": 0, "number": 0, "boolean": False}.get(str(kind))


def _cut_off(provider: Provider) -> str:
    return "length" if provider == "openai" else "max_tokens"


def _usual_error(provider: Provider, status: int) -> Json:
    openai_kinds = {401: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"}
    anthropic_kinds = {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
    if provider == "anthropic":
        return _error_body(
            provider, Refused(status, anthropic_kinds.get(status, "invalid_request_error"), f"HTTP {status}")
        )
    code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    return _error_body(
        provider, Refused(status, openai_kinds.get(status, "invalid_request_error"), f"HTTP {status}", code=code)
    )


def _error_body(provider: Provider, refused: Refused) -> Json:
    if provider == "anthropic":
        return {"type": "error", "error": {"type": refused.kind, "message": refused.message}, "request_id": "req_fake"}
    error = {"message": refused.message, "type": refused.kind, "param": refused.param, "code": refused.code}
    return {"error": error}


def _json(value: Json) -> Sent:
    return Sent(200, json.dumps(value).encode())


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)


def _prefixes(text: str) -> Iterator[bytes]:
    state = hashlib.sha256()
    for start in range(0, len(text) - CACHE_CHUNK + 1, CACHE_CHUNK):
        state.update(text[start : start + CACHE_CHUNK].encode("utf-8", "surrogatepass"))
        yield state.copy().digest()


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # threads are joined when the server closes, so a test leaves nothing behind
    request_queue_size = 128
    models: FakeModels

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not worth a stack trace."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        outcome = self.server.models.respond(self.server.models.routed(self.path), headers, raw)
        match outcome:
            case Sent():
                self._send(outcome)
            case Hang(until):
                until.wait(HANG_SECONDS)
                self.close_connection = True
            case Cut(after_bytes):
                if after_bytes:
                    self._send(Sent(200, b'{"id": "x"' + b" " * (after_bytes - 10), length=after_bytes + 1_000))
                self.close_connection = True

    def _send(self, sent: Sent) -> None:
        head = [
            f"HTTP/1.1 {sent.status} {self.responses.get(sent.status, ('Status',))[0]}",
            f"Content-Type: {sent.content_type}",
        ]
        head += [f"Content-Length: {len(sent.body) if sent.length is None else sent.length}"]
        head += [f"{name}: {value}" for name, value in sent.headers.items()]
        # One write: two would meet Nagle's algorithm and a delayed acknowledgement, 40 ms a request.
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + sent.body)
        self.wfile.flush()
