"""Which model is asked: settings, names, chains and prices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import anthropic.types
import openai.types
import pytest
from pydantic import BaseModel

from app.core.prompt import Prompt
from app.errors import Code, Permanent, PrincipalError, Transient, UserError
from app.llm import Completion, Model
from app.llm import prices as price_table
from app.llm.models import Chain, Models
from app.llm.prices import Prices, Tokens
from app.retry import TRIES
from app.settings import Settings
from tests.fakes.models import FakeModels

T = TypeVar("T")
PROMPT = Prompt("system", "shared", "body", 100, "review")
BOTH = {"OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-ant"}


class Note(BaseModel):
    text: str


GOOD = {"text": "hello"}


def build(**environ: str) -> Models:
    return Models.build(Settings.load(environ))


def name_of(model: Model | None) -> str | None:
    return model.name if model else None


def refusal(**environ: str) -> str:
    with pytest.raises(UserError) as error:
        build(**environ)
    assert error.value.code is Code.SETTINGS_INVALID
    return error.value.what


class TestWhatTheSettingsName:
    def test_nothing_is_set_and_rules_review_alone(self) -> None:
        models = build()
        assert (models.review, models.verify, models.triage) == (None, None, None)
        assert models.named("gpt-5.5") is None

    def test_the_first_provider_with_a_key_gives_its_default_model(self) -> None:
        assert name_of(build(**BOTH).review) == "openai:gpt-6.1-sol"
        assert name_of(build(ANTHROPIC_API_KEY="sk-ant").review) == "anthropic:claude-sonnet-5-5"

    def test_a_server_of_ones_own_needs_no_key_but_the_providers_own_does(self) -> None:
        assert name_of(build(OPENAI_BASE_URL="http://127.0.0.1:1/v1").review) == "openai:gpt-6.1-sol"
        assert build(OPENAI_BASE_URL="https://api.openai.com/v1/").review is None

    def test_a_setting_names_the_reviewer_and_the_sceptic_follows(self) -> None:
        models = build(**BOTH, PRINCIPAL_MODEL="anthropic:claude-opus-5-5")
        assert name_of(models.review) == name_of(models.verify) == "anthropic:claude-opus-5-5"

    def test_the_sceptic_and_the_triage_may_be_others(self) -> None:
        models = build(**BOTH, PRINCIPAL_VERIFIER_MODEL="openai:gpt-5.5", PRINCIPAL_TRIAGE_MODEL="haiku")
        assert name_of(models.review) == "openai:gpt-6.1-sol"
        assert name_of(models.verify) == "openai:gpt-5.5"
        assert name_of(models.triage) == "anthropic:claude-haiku-5-5"

    def test_none_means_rules_only(self) -> None:
        models = build(**BOTH, PRINCIPAL_MODEL="None")
        assert models.review is None
        assert models.verify is None
        assert build(**BOTH, PRINCIPAL_VERIFIER_MODEL="none").verify is None

    def test_any_model_of_a_provider_may_be_named(self) -> None:
        models = build(OPENAI_BASE_URL="http://127.0.0.1:1", PRINCIPAL_MODEL="openai:llama3:8b")
        assert name_of(models.review) == "openai:llama3:8b"

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("mistral:large", "neither"),
            ("gpt-99", "neither"),
            ("openai:", "neither"),
            ("openai:gpt-5.5,none", "alone"),
            (",", "0 models"),
            (",".join(["gpt-5.5"] * 9), "9 models"),
        ],
    )
    def test_a_value_that_names_no_model_is_refused_by_variable(self, value: str, says: str) -> None:
        for variable in ("PRINCIPAL_MODEL", "PRINCIPAL_VERIFIER_MODEL", "PRINCIPAL_TRIAGE_MODEL"):
            what = refusal(**BOTH, **{variable: value})
            assert variable in what
            assert says in what

    def test_a_provider_without_a_key_is_named_with_the_key_that_is_missing(self) -> None:
        what = refusal(OPENAI_API_KEY="sk", PRINCIPAL_MODEL="anthropic:claude-opus-5-5")
        assert "PRINCIPAL_MODEL" in what
        assert "ANTHROPIC_API_KEY" in what


class TestNames:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("GPT-5.2", "openai:gpt-5.2"),
            ("gpt 5.2", "openai:gpt-5.2"),
            ("Claude Sonnet 5.5", "anthropic:claude-sonnet-5-5"),
            ("Claude Haiku 4.5 (copilot)", "anthropic:claude-haiku-4-5"),
            ("opus", "anthropic:claude-opus-5-5"),
            ("  openai : my-model ", "openai:my-model"),
            ("OpenAI:GPT-X", "openai:GPT-X"),
            ("inherit", None),
            ("", None),
            (None, None),
            ("google:gemini", None),
            ("anthropic:", None),
        ],
    )
    def test_a_name_as_people_write_it_finds_its_model(self, name: str | None, found: str | None) -> None:
        assert name_of(build(**BOTH).named(name)) == found

    def test_a_model_counts_only_if_its_provider_is_configured(self) -> None:
        assert build(OPENAI_API_KEY="sk").named("opus") is None

    def test_one_name_is_one_model(self) -> None:
        models = build(**BOTH)
        assert models.named("GPT-5.2") is models.named("openai:gpt-5.2")


class TestPrices:
    def test_every_model_of_the_table_is_one_that_an_sdk_names(self) -> None:
        """Default names are today's: the SDKs are the witnesses."""
        known = {
            "openai": set(get_args(openai.types.ChatModel)),
            "anthropic": set(get_args(get_args(anthropic.types.Model)[0])),
        }
        table = price_table.load()
        for name, price in table.models.items():
            assert name in known[price.provider], name
            assert price.source in table.sources
            assert price.cached_usd <= price.input_usd <= price.output_usd
        for provider, name in table.defaults.items():
            assert table.models[name].provider == provider
        assert set(table.aliases.values()) <= table.models.keys()
        assert table.read is not None

    def test_a_dated_name_costs_what_the_model_costs(self) -> None:
        table = price_table.load()
        assert table.price("gpt-5.2-2025-12-11") == table.price("gpt-5.2")
        assert table.price("claude-haiku-4-5-20251001") == table.price("claude-haiku-4-5")
        assert table.price("gpt-5.2-mystery") is None

    def test_a_long_prompt_costs_the_long_rate_as_a_whole(self) -> None:
        table = price_table.load()
        below = table.usage("gpt-6.1-sol", Tokens(input=272_000, cached=72_000, output=1_000)).cost_usd
        above = table.usage("gpt-6.1-sol", Tokens(input=272_001, cached=72_000, output=1_000)).cost_usd
        assert below == pytest.approx((200_000 * 2 + 72_000 * 0.1 + 1_000 * 10) / 1e6)
        assert above == pytest.approx((200_001 * 4 + 72_000 * 0.2 + 1_000 * 15) / 1e6)

    def test_what_is_written_to_a_cache_has_its_own_rate(self) -> None:
        usage = price_table.load().usage(
            "claude-opus-5-5", Tokens(input=1_000, cached=100, cache_written=200, output=10)
        )
        assert usage.cost_usd == pytest.approx((700 * 4 + 100 * 0.2 + 200 * 5 + 10 * 20) / 1e6)
        assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (1_000, 100, 10)

    def test_an_operators_table_goes_over_the_built_in_one(self, tmp_path: Path) -> None:
        own = tmp_path / "prices.json"
        entry = {"provider": "openai", "input_usd": 1, "cached_usd": 1, "output_usd": 1}
        own.write_text(json.dumps({"models": {"house-7b": entry}, "defaults": {"openai": "house-7b"}}))
        models = build(**BOTH, PRINCIPAL_PRICES=str(own))
        assert name_of(models.review) == name_of(models.named("House 7B")) == "openai:house-7b"
        assert models.prices.usage("house-7b", Tokens(input=1_000_000)).cost_usd == 1.0
        assert models.prices.price("gpt-5.5") is not None

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "not json", '{"models": {"x": {"provider": "openai"}}}', '{"modells": {}}', "[" * 100_000],
    )
    def test_a_table_that_cannot_be_read_is_refused_by_variable(self, tmp_path: Path, text: str) -> None:
        own = tmp_path / "prices.json"
        own.write_text(text)
        assert "PRINCIPAL_PRICES" in refusal(**BOTH, PRINCIPAL_PRICES=str(own))
        assert "PRINCIPAL_PRICES" in refusal(**BOTH, PRINCIPAL_PRICES=str(tmp_path / "absent.json"))

    def test_the_table_says_what_it_holds(self) -> None:
        assert Prices.model_validate_json(price_table.BUILT_IN.read_bytes()).note


class TestChains:
    """OpenAI first, Anthropic next; each has a server of its own."""

    @pytest.fixture
    def first(self) -> Iterator[FakeModels]:
        with FakeModels() as server:
            yield server

    @pytest.fixture
    def second(self) -> Iterator[FakeModels]:
        with FakeModels() as server:
            yield server

    def run(self, first: FakeModels, second: FakeModels, story: Callable[[Model], Coroutine[Any, Any, T]]) -> T:
        environ = first.environment("openai") | second.environment("anthropic")
        environ["PRINCIPAL_MODEL"] = "openai:gpt-5.5, sonnet"

        async def nothing(_: float) -> None:
            return None

        async def whole() -> T:
            async with Models.build(Settings.load(environ), sleep=nothing) as models:
                assert models.review is not None
                return await story(models.review)

        return asyncio.run(whole())

    def ask(self, first: FakeModels, second: FakeModels) -> Completion[Note]:
        return self.run(first, second, lambda model: model.complete(PROMPT, Note))

    def test_the_first_answers_if_it_can(self, first: FakeModels, second: FakeModels) -> None:
        first.will_reply(GOOD)
        assert self.ask(first, second).model == "openai:gpt-5.5"
        assert second.requests == []

    @pytest.mark.parametrize("status", [401, 402, 404, 400, 429, 500])
    def test_the_next_answers_when_it_cannot(self, first: FakeModels, second: FakeModels, status: int) -> None:
        first.will_fail(status, times=TRIES)
        second.will_reply(GOOD)
        completion = self.ask(first, second)
        assert completion.model == "anthropic:claude-sonnet-5-5"
        assert completion.reply.text == "hello"

    def test_what_the_first_cost_is_counted_too(self, first: FakeModels, second: FakeModels) -> None:
        first.will_refuse(times=2)
        second.will_reply(GOOD)
        assert self.ask(first, second).usage.calls == 3

    def test_a_prompt_that_is_too_large_is_not_passed_on(self, first: FakeModels, second: FakeModels) -> None:
        """It has to become smaller, for every model of the chain."""
        first.window_tokens = 10
        with pytest.raises(Permanent) as failure:
            self.ask(first, second)
        assert failure.value.code is Code.MODEL_TOO_LARGE
        assert second.requests == []

    def test_when_none_answers_what_may_pass_is_raised(self, first: FakeModels, second: FakeModels) -> None:
        first.will_fail(401)
        second.will_fail(529, times=TRIES)
        with pytest.raises(Transient) as failure:
            self.ask(first, second)
        assert failure.value.code is Code.MODEL_BUSY

    def test_when_nothing_can_pass_the_first_reason_is_raised(self, first: FakeModels, second: FakeModels) -> None:
        first.will_fail(401)
        second.will_refuse(times=2)
        with pytest.raises(Permanent) as failure:
            self.ask(first, second)
        assert failure.value.code is Code.MODEL_UNAUTHORIZED

    def test_a_paused_provider_is_passed_over_without_a_request(self, first: FakeModels, second: FakeModels) -> None:
        first.will_fail(401)
        second.will_reply(GOOD, times=2)

        async def twice(model: Model) -> None:
            await model.complete(PROMPT, Note)
            await model.complete(PROMPT, Note)

        self.run(first, second, twice)
        assert len(first.requests) == 1
        assert len(second.requests) == 2

    def test_what_is_no_models_fault_ends_the_chain(self) -> None:
        class Spent:
            name = "a:b"

            async def complete(self, prompt: Prompt, reply: type[Any]) -> Completion[Any]:
                raise Permanent(Code.BUDGET_SPENT, "the budget is spent")

        with pytest.raises(PrincipalError, match="BUDGET_SPENT"):
            asyncio.run(Chain([Spent(), Spent()]).complete(PROMPT, Note))
