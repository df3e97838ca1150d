"""Both providers keep the same contract, over real HTTP with a server that speaks as they do and refuses what they refuse."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Literal, TypeVar

import pytest
from pydantic import BaseModel

from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import Code, Permanent, PrincipalError, Transient
from app.llm import Completion, Model
from app.llm.anthropic import Anthropic
from app.llm.client import ANSWER_AT_MOST_BYTES, CALLS_AT_ONCE
from app.llm.models import Models
from app.llm.openai import OpenAI
from app.llm.provider import Abilities, Question
from app.llm.talk import Call, Unanswered
from app.retry import FAILURES_TO_OPEN, LONG_PAUSE_SECONDS, LONGEST_ASKED_WAIT_SECONDS, PAUSE_SECONDS, TRIES
from app.settings import Settings
from tests.fakes.models import KEY, FakeModels, ModelRequest, Provider, Said

T = TypeVar("T")

MODEL = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}
SCHEMA_FIELD = {"openai": "response_format", "anthropic": "output_config"}


class Note(BaseModel):
    severity: Literal["high", "low"]
    line: int
    text: str


class Review(BaseModel):
    findings: list[Note]
    confidence: float


GOOD = {"findings": [{"severity": "high", "line": 3, "text": "charges twice"}], "confidence": 0.9}
PROMPT = Prompt(
    system="You review. " * 600,
    shared="The change. " * 600,
    body="The diff.",
    max_output_tokens=1_000,
    purpose="review",
)


@dataclass
class World:
    """A provider with its fake server, a clock that only the test moves, and an account of waits and calls."""

    provider: Provider
    server: FakeModels
    settings: dict[str, str] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    now: float = 1_000.0

    @property
    def name(self) -> str:
        return f"{self.provider}:{MODEL[self.provider]}"

    def run(self, story: Callable[[Models], Coroutine[Any, Any, T]]) -> T:
        """Runs a story with models that are closed at its end."""

        async def whole() -> T:
            environ = {"PRINCIPAL_MODEL": self.name, **self.server.environment(self.provider), **self.settings}
            settings = Settings.load(environ)
            async with Models.build(
                settings, on_call=self.calls.append, clock=lambda: self.now, sleep=self._sleep, random=lambda: 1.0
            ) as models:
                return await story(models)

        return asyncio.run(whole())

    def ask(self, prompt: Prompt = PROMPT) -> Completion[Review]:
        """One question to the review model."""
        return self.run(lambda models: reviewer(models).complete(prompt, Review))

    def fail(self) -> PrincipalError:
        """One question that must fail; gives the failure."""
        with pytest.raises(PrincipalError) as failure:
            self.ask()
        return failure.value

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def reviewer(models: Models) -> Model:
    assert models.review is not None
    return models.review


async def failure_of(model: Model) -> PrincipalError:
    try:
        await model.complete(PROMPT, Review)
    except PrincipalError as error:
        return error
    raise AssertionError("it answered")


@pytest.fixture(params=["openai", "anthropic"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with FakeModels() as server:
        yield World(request.param, server)


class TestAnAnswer:
    def test_a_reply_comes_back_as_its_type_with_usage_cost_and_the_name_of_who_answered(self, world: World) -> None:
        world.server.will_reply(GOOD)
        completion = world.ask()
        assert completion.reply == Review.model_validate(GOOD)
        assert completion.model == world.name
        assert completion.usage.input_tokens > 3_000
        assert completion.usage.output_tokens > 10
        assert completion.usage.cost_usd is not None
        assert completion.usage.cost_usd > 0
        assert completion.usage.calls == 1

    def test_a_model_reads_the_stable_part_first(self, world: World) -> None:
        world.server.will_reply(GOOD)
        world.ask()
        (request,) = world.server.requests
        assert request.roles == ("system", "user")
        assert request.system == PROMPT.system
        assert request.user.startswith(PROMPT.shared)
        assert request.user.endswith(PROMPT.body)

    def test_the_next_batch_reads_the_shared_part_from_the_cache(self, world: World) -> None:
        """What the provider counts as cached is recorded and costs less."""
        world.server.will_reply(GOOD, times=2)

        async def two_batches(models: Models) -> tuple[Usage, Usage]:
            first = await reviewer(models).complete(PROMPT, Review)
            other = Prompt(PROMPT.system, PROMPT.shared, "Another diff.", 1_000, "review")
            return first.usage, (await reviewer(models).complete(other, Review)).usage

        first, second = world.run(two_batches)
        assert first.cached_tokens == 0
        assert second.cached_tokens > 0.9 * second.input_tokens
        assert (second.cost_usd or 0) < (first.cost_usd or 0) / 2

    def test_a_price_is_per_million_tokens_in_out_and_cached(self, world: World) -> None:
        world.server.will_reply(GOOD)
        usage = world.ask().usage
        write = 1.25 if world.provider == "anthropic" else 1.0
        system_and_shared = (len(PROMPT.system) + len(PROMPT.shared)) // 4
        written = system_and_shared if world.provider == "anthropic" else 0
        plain = usage.input_tokens - written
        expected = (plain * 2 + written * 2 * write + usage.output_tokens * 10) / 1_000_000
        assert usage.cost_usd == pytest.approx(expected)

    def test_an_unknown_model_has_no_known_cost(self, world: World) -> None:
        world.settings["PRINCIPAL_MODEL"] = f"{world.provider}:house-model-7b"
        world.server.will_reply(GOOD)
        assert world.ask().usage.cost_usd is None

    def test_every_call_is_accounted_for_with_its_outcome(self, world: World) -> None:
        world.server.will_fail(503)
        world.server.will_reply("nonsense")
        world.server.will_reply(GOOD)
        world.ask()
        assert [call.outcome for call in world.calls] == ["MODEL_UNAVAILABLE", "MODEL_REPLY_BROKEN", "ok"]
        assert {call.purpose for call in world.calls} == {"review"}
        assert [call.usage.calls for call in world.calls] == [0, 1, 1]

    def test_thoughts_are_not_the_answer(self, world: World) -> None:
        world.server.answers(lambda _: Said(json.dumps(GOOD), thinking="Let me see {}"))
        assert world.ask().reply.confidence == 0.9

    def test_a_reply_may_be_larger_by_what_the_model_thinks(self, world: World) -> None:
        world.server.will_reply(GOOD)
        world.ask()
        assert world.server.requests[0].max_tokens > PROMPT.max_output_tokens

    def test_text_that_cannot_be_sent_is_replaced(self, world: World) -> None:
        """Half a surrogate pair, which code can hold, is no reason to fail."""
        world.server.will_reply(GOOD)
        world.ask(Prompt("review", "shared", "bad \ud800 half", 1_000, "review"))
        assert "bad ? half" in world.server.requests[0].user


class TestFailuresThatPass:
    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
    def test_it_is_tried_again(self, world: World, status: int) -> None:
        world.server.will_fail(status)
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert len(world.server.requests) == 2
        assert world.waits == [2.0]

    @pytest.mark.parametrize("status", [429, 500, 529])
    def test_it_is_tried_four_times_at_most_with_doubling_waits(self, world: World, status: int) -> None:
        world.server.will_fail(status, times=TRIES + 1)
        failure = world.fail()
        assert isinstance(failure, Transient)
        assert failure.code is (Code.MODEL_UNAVAILABLE if status == 500 else Code.MODEL_BUSY)
        assert str(status) in failure.what
        assert len(world.server.requests) == TRIES
        assert world.waits == [2.0, 4.0, 8.0]

    @pytest.mark.parametrize("headers", [{"Retry-After": "7"}, {"retry-after-ms": "7000"}, {"Retry-After": "7.0"}])
    def test_it_waits_as_long_as_it_was_asked_to(self, world: World, headers: dict[str, str]) -> None:
        world.server.will_fail(429, headers=headers)
        world.server.will_reply(GOOD)
        world.ask()
        assert len(world.waits) == 1
        assert 7.0 <= world.waits[0] <= 9.0

    def test_it_waits_until_the_date_it_was_given(self, world: World) -> None:
        world.server.will_fail(503, headers={"Retry-After": formatdate(time.time() + 40, usegmt=True)})
        world.server.will_reply(GOOD)
        world.ask()
        assert 20.0 < world.waits[0] < 60.0

    def test_a_wait_that_is_too_long_is_left_to_the_job(self, world: World) -> None:
        asked = LONGEST_ASKED_WAIT_SECONDS + 1
        world.server.will_fail(429, headers={"Retry-After": str(asked)}, times=2)
        failure = world.fail()
        assert isinstance(failure, Transient)
        assert failure.retry_after_seconds == asked
        assert world.waits == []
        assert len(world.server.requests) == 1

    @pytest.mark.parametrize("after_bytes", [0, 40])
    def test_a_cut_connection_is_tried_again(self, world: World, after_bytes: int) -> None:
        world.server.will_cut_connection(after_bytes=after_bytes)
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings

    def test_a_server_that_is_not_there_is_unavailable(self, world: World) -> None:
        world.server.stop()
        failure = world.fail()
        assert isinstance(failure, Transient)
        assert failure.code is Code.MODEL_UNAVAILABLE

    def test_a_silent_server_is_given_up_on(self, world: World) -> None:
        world.settings["PRINCIPAL_MODEL_TIMEOUT_SECONDS"] = "0.2"
        world.server.will_hang(times=TRIES)
        failure = world.fail()
        assert isinstance(failure, Transient)
        assert failure.code is Code.MODEL_TIMEOUT
        assert "0.2 seconds" in failure.what

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"<html><body>Sign in to the network</body></html>", "text/html"),
            (b'{"id": "x", "choices": [{"index": 0, "mess', "application/json"),
            (b"", "application/json"),
            (b"[]", "application/json"),
            (b"null", "text/plain"),
            (b"{}", "application/json"),
            (b'{"type": "message", "content": 5, "choices": 5}', "application/json"),
            (b"\xff\xfe\x00", "application/json"),
        ],
    )
    def test_a_good_status_with_something_else_in_it_is_no_answer(
        self, world: World, body: bytes, content_type: str
    ) -> None:
        for _ in range(TRIES):
            world.server.will_send(body, content_type=content_type)
        failure = world.fail()
        assert isinstance(failure, Transient)
        assert failure.code is Code.MODEL_UNAVAILABLE
        assert "Sign in" not in str(failure)

    def test_s48_an_answer_without_end_is_not_read(self, world: World) -> None:
        """A small compressed body that unpacks to more than any reply is given up, not held in memory."""
        bomb = gzip.compress(b"x" * (ANSWER_AT_MOST_BYTES + 1))
        for _ in range(TRIES):
            world.server.will_send(bomb, headers={"Content-Encoding": "gzip"})
        assert world.fail().code is Code.MODEL_UNAVAILABLE

    def test_a_compressed_answer_is_read(self, world: World) -> None:
        world.server.will_reply(GOOD)
        world.ask()
        envelope = json.dumps(_envelope(world.provider, json.dumps(GOOD))).encode()
        world.server.will_send(gzip.compress(envelope), headers={"Content-Encoding": "gzip"})
        assert world.ask().reply.findings

    def test_a_failure_inside_a_good_status_is_a_failure(self, world: World) -> None:
        world.server.will_send(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded", "code": 529}}
        )
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert world.calls[0].outcome == "MODEL_BUSY"


class TestFailuresThatStay:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, Code.MODEL_REJECTED),
            (401, Code.MODEL_UNAUTHORIZED),
            (403, Code.MODEL_UNAUTHORIZED),
            (404, Code.MODEL_UNKNOWN),
            (405, Code.MODEL_REJECTED),
            (413, Code.MODEL_TOO_LARGE),
            (422, Code.MODEL_REJECTED),
        ],
    )
    def test_it_is_not_tried_again(self, world: World, status: int, code: Code) -> None:
        world.server.will_fail(status)
        failure = world.fail()
        assert isinstance(failure, Permanent)
        assert failure.code is code
        assert len(world.server.requests) == 1
        assert world.waits == []

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (429, {"type": "insufficient_quota", "code": "insufficient_quota"}),
            (429, {"type": "insufficient_quota", "code": "credit_balance_exhausted"}),
            (429, {"type": "insufficient_quota", "code": "project_spend_limit_exceeded"}),
            (429, {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}),
            (400, {"type": "billing_limit_user_error", "code": "billing_hard_limit_reached"}),
            (400, {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}),
            (402, {"type": "billing_error", "message": "billing"}),
            (403, {"type": "billing_error", "message": "billing"}),
        ],
    )
    def test_an_empty_account_stops_all_jobs_until_a_probe_succeeds(
        self, world: World, status: int, error: dict[str, Any]
    ) -> None:
        world.server.will_fail(status, {"type": "error", "error": {"message": "no money", **error}})

        async def story(models: Models) -> None:
            first = await failure_of(reviewer(models))
            assert isinstance(first, Permanent)
            assert first.code is Code.MODEL_CREDIT
            paused = await failure_of(reviewer(models))
            assert isinstance(paused, Transient)
            assert paused.code is Code.MODEL_PAUSED
            assert paused.retry_after_seconds == LONG_PAUSE_SECONDS
            assert len(world.server.requests) == 1
            world.now += LONG_PAUSE_SECONDS
            world.server.will_reply(GOOD, times=2)
            await reviewer(models).complete(PROMPT, Review)
            await reviewer(models).complete(PROMPT, Review)
            assert len(world.server.requests) == 3

        world.run(story)
        assert world.waits == []

    def test_a_wrong_key_is_not_repeated_to_anybody(self, world: World) -> None:
        """Providers quote the key in their refusal; neither the sentence nor the stack beneath it may."""
        world.server.key = "sk-another-key-than-the-one-that-is-sent"
        world.settings[f"{world.provider.upper()}_API_KEY"] = KEY
        failure = world.fail()
        assert failure.code is Code.MODEL_UNAUTHORIZED
        said, cause = str(failure), failure.__cause__ or failure.__context__
        while cause is not None and not cause.__suppress_context__:
            said, cause = said + str(cause), cause.__cause__ or cause.__context__
        assert not any(KEY[start : start + 8] in said for start in range(len(KEY) - 7))
        assert len(world.server.requests) == 0

    def test_a_message_is_shown_short_and_on_one_line(self, world: World) -> None:
        noise = "bad\n\x1b[31m thing " + "x y" * 300
        world.server.will_fail(400, {"type": "error", "error": {"type": "invalid_request_error", "message": noise}})
        what = world.fail().what
        assert "bad" in what
        assert what.isprintable()
        assert len(what) < 300

    def test_a_message_with_the_key_in_it_is_left_out(self, world: World) -> None:
        error = {"type": "invalid_request_error", "message": f"header was {KEY[3:15]}…"}
        world.server.will_fail(400, {"type": "error", "error": error})
        assert KEY[3:15] not in world.fail().what

    def test_a_page_of_html_is_not_shown(self, world: World) -> None:
        world.server.will_fail(403, "<html><script>alert(1)</script><h1>Forbidden by proxy</h1></html>")
        what = world.fail().what
        assert "<" not in what
        assert "403" in what

    def test_a_prompt_that_is_too_long_is_called_so(self, world: World) -> None:
        world.server.window_tokens = 100
        failure = world.fail()
        assert failure.code is Code.MODEL_TOO_LARGE
        assert len(world.server.requests) == 1

    def test_a_request_over_the_limit_per_minute_is_too_large_not_too_early(self, world: World) -> None:
        message = "Request too large for model on tokens per min (TPM): Limit 30000, Requested 61234."
        world.server.will_fail(429, {"type": "error", "error": {"message": message, "code": "rate_limit_exceeded"}})
        assert world.fail().code is Code.MODEL_TOO_LARGE

    def test_a_model_that_is_not_there_is_named(self, world: World) -> None:
        world.server.knows_only("another")
        failure = world.fail()
        assert failure.code is Code.MODEL_UNKNOWN
        assert MODEL[world.provider] in failure.what

    def test_s44_a_key_does_not_follow_a_redirect(self, world: World) -> None:
        with FakeModels() as elsewhere:
            elsewhere.needs_no_key()
            elsewhere.answers_instantly()
            target = elsewhere.url + ("/v1/messages" if world.provider == "anthropic" else "/v1/chat/completions")
            world.server.will_fail(307, headers={"Location": target})
            failure = world.fail()
            assert isinstance(failure, Permanent)
            assert "redirect" in failure.what
            assert elsewhere.requests == []


BROKEN_REPLIES = [
    "",
    "   \n",
    "I found no problems, great work!",
    "{}",
    "[]",
    "null",
    '{"findings": []}',
    '{"findings": [], "confidence": NaN}',
    '{"findings": [], "confidence": Infinity}',
    '{"findings": [], "confidence": "very"}',
    '{"findings": {}, "confidence": 1}',
    '{"findings": [{"severity": "fatal", "line": 1, "text": ""}], "confidence": 1}',
    '{"findings": [{"severity": "low", "line": 1.5, "text": ""}], "confidence": 1}',
    '{"findings": [{"severity": "low", "line": 1, "text": "cut o',
    '{"findings": [], "confidence": 1',
    '```json\n{"findings": [], "confidence"',
    '{"findings": [], "confidence": 1} or rather {"findings": [], "confidence": 2}',
    '{"findings": [], "confidence": 1' + "0" * 5_000 + "}",
    "[" * 100_000,
    '{"a":' * 50_000,
    "\x00",
]


class TestOddReplies:
    @pytest.mark.parametrize("text", BROKEN_REPLIES, ids=lambda text: repr(text[:40]))
    def test_a_broken_reply_is_repaired_once_and_then_given_up(self, world: World, text: str) -> None:
        world.server.will_reply(text, times=2)
        failure = world.fail()
        assert isinstance(failure, Unanswered)
        assert failure.code is Code.MODEL_REPLY_BROKEN
        assert failure.usage.calls == 2
        assert failure.usage.input_tokens > 6_000
        assert len(world.server.requests) == 2
        assert world.waits == []

    @pytest.mark.parametrize("text", ["", "prose", '{"findings": [], "confidence": "very"}'])
    def test_the_repair_says_what_was_wrong_and_both_calls_are_paid(self, world: World, text: str) -> None:
        world.server.will_reply(text)
        world.server.will_reply(GOOD)
        completion = world.ask()
        assert completion.reply.findings
        assert completion.usage.calls == 2
        first, second = world.server.requests
        assert second.roles == ("system", "user", "assistant", "user")
        assert second.user.startswith(first.user[:1_000])
        complaint = second.messages[-1][1]
        assert "could not be read" in complaint
        assert ("confidence" in complaint) == ("confidence" in text)

    @pytest.mark.parametrize(
        "text",
        [
            '```json\n{"findings": [], "confidence": 1}\n```',
            'Here you are:\n{"findings": [], "confidence": 1}\nAnything else? {"ok": true}',
            '<think>maybe {"findings": []}?</think>{"findings": [], "confidence": 1}',
            '\ufeff{"findings": [], "confidence": 1, "extra": "ignored"}',
            '{"findings": [{"severity": "low", "line": 1, "text": "a\nb"}], "confidence": 1}',
            '{"findings": [{"severity": "low", "line": 1, "text": "a ```js\\n{}``` {\\"findings\\""}], "confidence": 1}',
        ],
    )
    def test_a_whole_reply_with_something_around_it_is_taken(self, world: World, text: str) -> None:
        world.server.will_reply(text)
        assert world.ask().reply.confidence == 1.0
        assert len(world.server.requests) == 1

    def test_text_that_nothing_can_store_is_cleaned(self, world: World) -> None:
        world.server.will_reply(
            '{"findings": [{"severity": "low", "line": 1, "text": "a\\ud800b\\u0000c"}], "confidence": 1}'
        )
        assert world.ask().reply.findings[0].text == "a?bc"

    def test_five_thousand_findings_are_a_reply(self, world: World) -> None:
        world.server.will_reply({"findings": GOOD["findings"] * 5_000, "confidence": 1})  # type: ignore[operator]
        assert len(world.ask().reply.findings) == 5_000

    def test_a_refusal_is_asked_about_once(self, world: World) -> None:
        world.server.will_refuse()
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert world.server.requests[1].roles == ("system", "user", "assistant", "user")

    def test_a_second_refusal_is_a_refusal(self, world: World) -> None:
        world.server.will_refuse(times=2)
        failure = world.fail()
        assert isinstance(failure, Permanent)
        assert failure.code is Code.MODEL_REFUSED
        assert len(world.server.requests) == 2

    def test_a_reply_that_was_cut_off_is_asked_for_again_shorter_and_with_more_room(self, world: World) -> None:
        world.server.will_truncate()
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        first, second = world.server.requests
        assert "most important entries first" in second.messages[-1][1]
        assert second.max_tokens > first.max_tokens

    def test_a_cut_reply_never_passes_for_a_short_one(self, world: World) -> None:
        """Even where what arrived happens to be complete JSON."""
        world.server.will_truncate('{"findings": [], "confidence": 1}', times=2)
        failure = world.fail()
        assert isinstance(failure, Permanent)
        assert failure.code is Code.MODEL_TRUNCATED

    def test_a_failure_during_the_repair_is_tried_again_like_any_other(self, world: World) -> None:
        world.server.will_reply("prose")
        world.server.will_fail(529)
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings


class TestServersThatCanDoLess:
    def test_without_structured_output_the_form_is_asked_for_in_words(self, world: World) -> None:
        world.server.lacks(SCHEMA_FIELD[world.provider])
        world.server.will_reply(GOOD, times=2)

        async def twice(models: Models) -> None:
            await reviewer(models).complete(PROMPT, Review)
            await reviewer(models).complete(PROMPT, Review)

        world.run(twice)
        refused, first, second = world.server.requests
        assert SCHEMA_FIELD[world.provider] in refused.body
        for request in (first, second):
            assert SCHEMA_FIELD[world.provider] not in request.body
            assert '"additionalProperties":false' in request.user
        assert world.waits == []

    def test_without_a_key_a_server_of_ones_own_is_asked(self, world: World) -> None:
        world.server.needs_no_key()
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert "Bearer none" in world.server.requests[0].headers.values()

    def test_usage_may_be_missing(self, world: World) -> None:
        envelope = _envelope(world.provider, json.dumps(GOOD))
        del envelope["usage"]
        world.server.will_send(envelope)
        usage = world.ask().usage
        assert usage.calls == 1
        assert usage.tokens == 0
        assert usage.cost_usd is None

    def test_a_limit_that_the_server_names_is_kept(self, world: World) -> None:
        message = (
            "max_tokens is too large: 17000. This model supports at most 4096 completion tokens."
            if world.provider == "openai"
            else "max_tokens: 17000 > 4096, which is the maximum allowed number of output tokens for it"
        )
        world.server.will_fail(400, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert world.server.requests[1].max_tokens == 4096


class TestPressure:
    def test_so_many_calls_at_once_and_no_more(self, world: World) -> None:
        lock, together, most = threading.Lock(), 0, 0
        full = threading.Event()

        def answer(_: ModelRequest) -> dict[str, Any]:
            nonlocal together, most
            with lock:
                together += 1
                most = max(most, together)
                if together == CALLS_AT_ONCE:
                    full.set()
            assert full.wait(90)
            with lock:
                together -= 1
            return GOOD

        world.server.answers(answer)

        async def many(models: Models) -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3 * CALLS_AT_ONCE):
                    group.create_task(reviewer(models).complete(PROMPT, Review))

        world.run(many)
        assert most == CALLS_AT_ONCE

    def test_a_provider_that_keeps_failing_is_left_alone_and_probed_once(self, world: World) -> None:
        world.server.will_fail(503, times=FAILURES_TO_OPEN * TRIES + 1)

        async def story(models: Models) -> None:
            for _ in range(FAILURES_TO_OPEN):
                assert (await failure_of(reviewer(models))).code is Code.MODEL_UNAVAILABLE
            sent = len(world.server.requests)
            assert sent == FAILURES_TO_OPEN * TRIES
            assert (await failure_of(reviewer(models))).code is Code.MODEL_PAUSED
            assert len(world.server.requests) == sent
            world.now += PAUSE_SECONDS
            assert (await failure_of(reviewer(models))).code is Code.MODEL_UNAVAILABLE
            assert len(world.server.requests) == sent + 1
            assert (await failure_of(reviewer(models))).code is Code.MODEL_PAUSED
            world.now += PAUSE_SECONDS
            world.server.will_reply(GOOD, times=2)
            await reviewer(models).complete(PROMPT, Review)
            await reviewer(models).complete(PROMPT, Review)

        world.run(story)

    def test_a_cancelled_call_is_nobodys_fault(self, world: World) -> None:
        """A newer push cancels reviews all the time; the provider is not to be blamed for it, and stays usable."""
        world.server.will_hang(times=FAILURES_TO_OPEN + 1)

        async def story(models: Models) -> Completion[Review]:
            for number in range(1, FAILURES_TO_OPEN + 2):
                task = asyncio.create_task(reviewer(models).complete(PROMPT, Review))
                await asyncio.to_thread(world.server.wait_for_requests, number)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
            world.server.will_reply(GOOD)
            return await reviewer(models).complete(PROMPT, Review)

        assert world.run(story).reply.findings

    def test_two_event_loops_share_the_models(self, world: World) -> None:
        """The job engine works on a loop of its own; connections of one loop are of no use on the other."""
        world.server.will_reply(GOOD, times=4)

        async def story(models: Models) -> list[Completion[Review]]:
            async def on_the_other_loop() -> Completion[Review]:
                await reviewer(models).complete(PROMPT, Review)
                completion = await reviewer(models).complete(PROMPT, Review)
                done.set()
                while not closed.is_set():  # noqa: ASYNC110 - the event belongs to the other loop
                    await asyncio.sleep(0.01)
                return completion

            done, closed = threading.Event(), threading.Event()
            here = [await reviewer(models).complete(PROMPT, Review)]
            there = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(on_the_other_loop())))
            await asyncio.to_thread(done.wait, 10)
            here.append(await reviewer(models).complete(PROMPT, Review))
            await models.close()
            closed.set()
            return [*here, await there]

        assert [completion.model for completion in world.run(story)] == [world.name] * 3


class TestOpenAICompatibleServers:
    """What only servers that speak OpenAI's language are known to do."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        with FakeModels() as server:
            yield World("openai", server)

    def test_a_server_that_reads_over_the_schema_is_told_it_in_words_from_then_on(self, world: World) -> None:
        world.server.ignores("response_format")
        world.server.will_reply(GOOD, times=2)

        async def twice(models: Models) -> None:
            await reviewer(models).complete(PROMPT, Review)
            await reviewer(models).complete(PROMPT, Review)

        world.run(twice)
        first, second = world.server.requests
        assert "JSON Schema" not in first.user
        assert "JSON Schema" in second.user

    def test_a_server_that_answers_in_prose_is_repaired_with_the_schema(self, world: World) -> None:
        world.server.will_reply("I think it is fine.")
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert "JSON Schema" in world.server.requests[1].user

    def test_an_old_server_is_told_the_limit_by_its_old_name(self, world: World) -> None:
        world.server.lacks("max_completion_tokens", "response_format")
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert world.server.requests[-1].body["max_tokens"] > 0
        assert "max_completion_tokens" not in world.server.requests[-1].body

    def test_nothing_is_sent_that_such_servers_may_not_know(self, world: World) -> None:
        world.server.will_reply(GOOD)
        world.ask()
        assert world.server.requests[0].body.keys() == {"model", "messages", "max_completion_tokens", "response_format"}

    def test_a_plain_validation_error_is_understood(self, world: World) -> None:
        """As frameworks answer that check the body by a schema of their own."""
        world.server.will_fail(
            422, {"detail": [{"loc": ["body", "response_format"], "msg": "extra fields not permitted"}]}
        )
        world.server.will_reply(GOOD)
        assert world.ask().reply.findings
        assert "response_format" not in world.server.requests[1].body

    def test_content_in_parts_is_read(self, world: World) -> None:
        envelope = _envelope("openai", "")
        text = json.dumps(GOOD)
        envelope["choices"][0]["message"]["content"] = [
            {"type": "text", "text": text[:9]},
            {"type": "text", "text": text[9:]},
        ]
        world.server.will_send(envelope)
        assert world.ask().reply.findings

    def test_a_content_filter_is_a_refusal(self, world: World) -> None:
        world.server.will_stop_with("content_filter", times=2)
        assert world.fail().code is Code.MODEL_REFUSED


class TestTheProvidersOwnServers:
    """What is sent where nobody may listen in a test: the request as it would be sent."""

    @pytest.mark.parametrize("base_url", [None, "https://api.openai.com/v1/"])
    def test_openai_itself_is_told_which_calls_share_a_cache(self, base_url: str | None) -> None:
        provider = OpenAI(key=KEY, base_url=base_url, timeout_seconds=1)

        def key(prompt: Prompt) -> str:
            question = Question(prompt=prompt, form=Review, max_output_tokens=100)
            request = provider._request("gpt-6.1-sol", question, Abilities())
            found: str = request["prompt_cache_key"]
            return found

        assert key(PROMPT) == key(replace(PROMPT, body="Another diff."))
        assert key(PROMPT) != key(replace(PROMPT, shared="Another change."))
        assert len(key(PROMPT)) <= 64

    def test_no_placeholder_is_sent_home(self) -> None:
        """A provider's own server without a key is not asked at all."""
        for kind in (OpenAI, Anthropic):
            assert not kind(key=None, base_url=None, timeout_seconds=1).configured
            assert not kind(key="", base_url=f"{kind.home}/", timeout_seconds=1).configured
            assert kind(key=None, base_url="http://127.0.0.1:1/v1", timeout_seconds=1).configured

    def test_schemas_are_trusted_at_home(self) -> None:
        provider = OpenAI(key=KEY, base_url=None, timeout_seconds=1)
        provider.distrust_schema("gpt-6.1-sol")
        assert not provider.abilities("gpt-6.1-sol").schema_in_words


class TestAnthropicAlone:
    @pytest.fixture
    def world(self) -> Iterator[World]:
        with FakeModels() as server:
            yield World("anthropic", server)

    def test_the_cache_breakpoints_stand_after_the_stable_parts(self, world: World) -> None:
        world.server.will_reply(GOOD)
        world.ask()
        body = world.server.requests[0].body
        assert [block.get("cache_control") for block in body["system"]] == [{"type": "ephemeral"}]
        assert [block.get("cache_control") for block in body["messages"][0]["content"]] == [{"type": "ephemeral"}, None]

    def test_a_full_context_window_is_a_cut_reply(self, world: World) -> None:
        world.server.will_stop_with("model_context_window_exceeded", '{"findings": [', times=2)
        assert world.fail().code is Code.MODEL_TRUNCATED

    def test_an_empty_shared_part_is_left_out(self, world: World) -> None:
        """The API refuses empty text."""
        world.server.will_reply(GOOD)
        assert world.ask(Prompt("", "", "The diff.", 1_000, "review")).reply.findings
        assert world.server.requests[0].roles == ("user",)


def _envelope(provider: Provider, text: str) -> dict[str, Any]:
    if provider == "anthropic":
        usage = {"input_tokens": 1, "output_tokens": 1}
        return {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": usage,
        }
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
