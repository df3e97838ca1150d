"""The models of this process: settings → `Models`, which knows them by name, by part, and as fallback chains.

models = Models.build(settings, on_call=record)
models.review        the model, or chain, that reviews; None when only rules do
models.verify        the sceptic; the reviewer itself where nothing else is set
models.named("opus") what a persona asked for, if that provider is configured
"""

from __future__ import annotations

import asyncio
import copy
import random as randomness
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from pydantic import SecretStr

from app import retry
from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import Code, Permanent, PrincipalError, Transient, UserError
from app.llm import Completion, Model, Reply
from app.llm.prices import Prices, Tokens, load
from app.llm.provider import Provider
from app.llm.purse import Purse
from app.llm.talk import OnCall, Talk, Unanswered
from app.settings import Settings

RULES_ONLY = "none"
PROVIDERS = ("openai", "anthropic")
"""In the order in which one is chosen when PRINCIPAL_MODEL is not set."""
CLOUDS = {"azure": "AZURE_OPENAI_ENDPOINT", "bedrock": "AWS_REGION", "vertex": "ANTHROPIC_VERTEX_PROJECT_ID"}
"""Where the same models are rented besides, each with the variable that sets it up. Only a setting names one."""
LONGEST_CHAIN = 8
STAYS = frozenset({Code.MODEL_TOO_LARGE})
"""What another model would not do better: the prompt has to become smaller."""


class Chain:
    """A `Model` that asks the next one when one cannot answer."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = tuple(models)

    @property
    def name(self) -> str:
        """The name of the first."""
        return self._models[0].name

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The first answer. When none answers, raises what can still change with time (`Transient`), else the first failure."""
        failures: list[PrincipalError] = []
        spent = Usage()
        for model in self._models:
            try:
                completion = await model.complete(prompt, reply)
            except (Transient, Permanent) as failure:
                if failure.code in STAYS or not failure.code.startswith("MODEL_"):
                    raise
                failures.append(failure)
                spent += failure.usage if isinstance(failure, Unanswered) else Usage()
            else:
                return replace(completion, usage=spent + completion.usage)
        raise next((failure for failure in failures if isinstance(failure, Transient)), failures[0])

    def paid_by(self, purse: Purse) -> Chain:
        """The same chain, its calls paid by this purse."""
        return Chain([_paid(model, purse) for model in self._models])


class Models:
    """Every model that may be asked. Close it on the loop that used it."""

    def __init__(
        self,
        providers: Sequence[Provider[Any]],
        prices: Prices,
        *,
        on_call: OnCall | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self.prices = prices
        self.review: Model | None = None
        self.verify: Model | None = None
        self.triage: Model | None = None
        self._providers = {provider.name: provider for provider in providers if provider.configured}
        self._breakers = {name: retry.Breaker(name, clock=clock) for name in self._providers}
        self._talks: dict[tuple[str, str], Talk] = {}
        self._around: Callable[[Model], Model] = lambda model: model
        self._on_call = on_call
        self._clock, self._sleep, self._random = clock, sleep, random

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        on_call: OnCall | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> Self:
        """The models that the settings name. Raises `UserError` naming the variable that is wrong."""
        models = cls(
            _providers(settings), load(settings.prices), on_call=on_call, clock=clock, sleep=sleep, random=random
        )
        for provider in models._providers.values():
            provider.warm()
        models.review = models.set_by("PRINCIPAL_MODEL", settings.model) if settings.model else models._first()
        models.verify = models.review
        if settings.verifier_model:
            models.verify = models.set_by("PRINCIPAL_VERIFIER_MODEL", settings.verifier_model)
        models.triage = (
            models.set_by("PRINCIPAL_TRIAGE_MODEL", settings.triage_model) if settings.triage_model else None
        )
        return models

    def named(self, name: str | None) -> Model | None:
        """The model of that name (`provider:model`, or a bare name of the price table); None when it cannot be asked."""
        found = self._find(name or "")
        return self._around(self._talk(*found)) if found and found[0] in self._providers else None

    def set_by(self, variable: str, value: str) -> Model | None:
        """The model or chain that a setting names; None for `none`. Raises `UserError` naming the variable."""
        names = [name.strip() for name in value.split(",") if name.strip()]
        if [name.lower() for name in names] == [RULES_ONLY]:
            return None
        if not 1 <= len(names) <= LONGEST_CHAIN:
            raise _refused(variable, f"names {len(names)} models; one to {LONGEST_CHAIN} make a chain")
        models = [self._demanded(variable, name) for name in names]
        return models[0] if len(models) == 1 else Chain(models)

    def through(self, around: Callable[[Model], Model]) -> Models:
        """The same models, each behind what `around` puts before it (an account, a store of replies). Close these, not them."""
        heard, before = copy.copy(self), self._around
        heard._around = lambda model: around(before(model))  # noqa: SLF001 - of the same class
        heard.review, heard.verify, heard.triage = (
            around(model) if model is not None else None for model in (self.review, self.verify, self.triage)
        )
        return heard

    def paid_by(self, purse: Purse) -> Models:
        """The same models, each of their calls paid by this purse. What stands before them comes after: `through`."""
        return self.through(lambda model: _paid(model, purse))

    def cost_usd(self, model: str, *, input_tokens: int, output_tokens: int) -> float | None:
        """What so many tokens of the model of this name (`provider:model`) cost; None when its price is not known."""
        tokens = Tokens(input=input_tokens, output=output_tokens)
        return self.prices.usage(model.partition(":")[2], tokens).cost_usd

    @property
    def breakers(self) -> Mapping[str, retry.Breaker]:
        """What pauses the calls to a provider that keeps failing, by the provider's name."""
        return self._breakers

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Those of the models named so far whose price is not known."""
        return tuple(talk.name for (_, model), talk in self._talks.items() if self.prices.price(model) is None)

    async def close(self) -> None:
        """Closes the providers' connections."""
        for provider in self._providers.values():
            await provider.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _demanded(self, variable: str, name: str) -> Model:
        if name.lower() == RULES_ONLY:
            raise _refused(variable, f"has {RULES_ONLY!r} beside other models: it stands alone")
        found = self._find(name)
        if found is None:
            known = ", ".join(f"{provider}:NAME" for provider in (*PROVIDERS, *CLOUDS))
            raise _refused(variable, f"names {name[:80]!r}, which is neither {known} nor in the price table")
        provider, model = found
        if provider not in self._providers:
            needed = CLOUDS.get(provider, f"{provider.upper()}_API_KEY")
            raise _refused(variable, f"names {provider}:{model[:80]}, but {needed} is not set")
        return self._talk(provider, model)

    def _find(self, name: str) -> tuple[str, str] | None:
        provider, colon, model = name.strip().partition(":")
        if colon and provider.strip().lower() in (*PROVIDERS, *CLOUDS):
            return (provider.strip().lower(), model.strip()) if model.strip() else None
        return self.prices.find(name)

    def _first(self) -> Model | None:
        """The first configured provider's default model."""
        for provider in self._providers:
            model = self.prices.defaults.get(provider)
            if model is not None:
                return self._talk(provider, model)
        return None

    def _talk(self, provider: str, model: str) -> Talk:
        key = provider, model
        if key not in self._talks:
            self._talks[key] = Talk(
                self._providers[provider],
                model,
                prices=self.prices,
                breaker=self._breakers[provider],
                on_call=self._on_call,
                clock=self._clock,
                sleep=self._sleep,
                random=self._random,
            )
        return self._talks[key]


def _paid(model: Model, purse: Purse) -> Model:
    if not isinstance(model, Talk | Chain):
        raise TypeError("a model is paid for before anything is put in front of it")
    return model.paid_by(purse)


def _providers(settings: Settings) -> list[Provider[Any]]:
    """The providers that are set up. An SDK takes seconds to import, so one that is not set up is left alone."""
    seconds, at_once = settings.model_timeout_seconds, settings.model_calls_at_once
    providers: list[Provider[Any]] = []
    if settings.openai_api_key or settings.openai_base_url:
        from app.llm.openai import OpenAI  # noqa: PLC0415 - see the docstring

        key = _plain(settings.openai_api_key)
        providers.append(
            OpenAI(key=key, base_url=settings.openai_base_url, timeout_seconds=seconds, calls_at_once=at_once)
        )
    if settings.anthropic_api_key or settings.anthropic_base_url:
        from app.llm.anthropic import Anthropic  # noqa: PLC0415 - see the docstring

        key = _plain(settings.anthropic_api_key)
        providers.append(
            Anthropic(key=key, base_url=settings.anthropic_base_url, timeout_seconds=seconds, calls_at_once=at_once)
        )
    return [*providers, *_clouds(settings)]


def _clouds(settings: Settings) -> list[Provider[Any]]:
    """The clouds that are set up and that some setting names: a machine in a cloud has its variables anyway."""
    named = f"{settings.model},{settings.verifier_model},{settings.triage_model}".lower()
    seconds, at_once = settings.model_timeout_seconds, settings.model_calls_at_once
    clouds: list[Provider[Any]] = []
    if "azure:" in named and settings.azure_openai_endpoint:
        from app.llm.azure import Azure  # noqa: PLC0415 - as above

        clouds.append(
            Azure(
                key=_plain(settings.azure_openai_api_key),
                base_url=settings.azure_openai_endpoint,
                version=settings.openai_api_version,
                timeout_seconds=seconds,
                calls_at_once=at_once,
            )
        )
    if "bedrock:" in named and settings.aws_region:
        from app.llm.bedrock import Bedrock  # noqa: PLC0415 - as above

        clouds.append(
            Bedrock(
                key=_plain(settings.aws_bearer_token_bedrock),
                base_url=settings.anthropic_bedrock_base_url,
                region=settings.aws_region,
                timeout_seconds=seconds,
                calls_at_once=at_once,
            )
        )
    if "vertex:" in named and settings.anthropic_vertex_project_id:
        from app.llm.vertex import Vertex  # noqa: PLC0415 - as above

        clouds.append(
            Vertex(
                key=_plain(settings.anthropic_vertex_token),
                base_url=settings.anthropic_vertex_base_url,
                project=settings.anthropic_vertex_project_id,
                region=settings.cloud_ml_region,
                timeout_seconds=seconds,
                calls_at_once=at_once,
            )
        )
    return clouds


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _refused(variable: str, why: str) -> UserError:
    return UserError(f"{variable} {why}", Code.SETTINGS_INVALID)
