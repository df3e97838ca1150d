"""What models cost, and what they are called: `prices.json`, the operator's own table over it → `Prices`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.usage import Usage
from app.errors import Code, UserError

BUILT_IN = Path(__file__).with_name("prices.json")
TABLE_AT_MOST_BYTES = 1024 * 1024
PER = 1_000_000
BYTES_PER_TOKEN = 2
"""At least, of code and prose in any language: what a prompt costs at most is reckoned with it."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a reply's own usage says. `input` is all of the prompt, `cached` and `cache_written` are parts of it.

    `counted` is false when the reply said nothing about usage, as some compatible servers do.
    """

    input: int = 0
    cached: int = 0
    cache_written: int = 0
    output: int = 0
    counted: bool = True


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rates(_Entry):
    """US dollars per million tokens; writing to a prompt cache costs as much as input where nothing else is said."""

    input_usd: float = Field(ge=0, allow_inf_nan=False)
    cached_usd: float = Field(ge=0, allow_inf_nan=False)
    cache_write_usd: float | None = Field(None, ge=0, allow_inf_nan=False)
    output_usd: float = Field(ge=0, allow_inf_nan=False)

    def cost_usd(self, tokens: Tokens) -> float:
        """What these tokens cost."""
        plain = max(0, tokens.input - tokens.cached - tokens.cache_written)
        write_usd = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        spent = plain * self.input_usd + tokens.cached * self.cached_usd
        spent += tokens.cache_written * write_usd + tokens.output * self.output_usd
        return spent / PER


class LongRates(Rates):
    """The rates of a whole request whose prompt is longer than `above_tokens`."""

    above_tokens: int = Field(ge=0)


class Price(Rates):
    """One model. `thinks`: it thinks unseen before it answers, which counts as output and against the limit of it."""

    provider: str
    context_tokens: int | None = Field(None, gt=0)
    max_output_tokens: int | None = Field(None, gt=0)
    thinks: bool = False
    long: LongRates | None = None
    source: str = ""

    def cost_usd(self, tokens: Tokens) -> float:
        """What these tokens cost."""
        if self.long is not None and tokens.input > self.long.above_tokens:
            return self.long.cost_usd(tokens)
        return super().cost_usd(tokens)


class Prices(_Entry):
    """The table. `defaults` is the model that a provider is asked for when nobody named one; `aliases` are short names."""

    note: str = ""
    read: date | None = None
    sources: dict[str, str] = Field(default_factory=dict)
    defaults: dict[str, str] = Field(default_factory=dict)
    aliases: dict[str, str] = Field(default_factory=dict)
    models: dict[str, Price] = Field(default_factory=dict)

    def price(self, model: str) -> Price | None:
        """The price of a model; a dated or `latest` name costs what the model itself costs. None when it is unknown."""
        return self.models.get(model) or self.models.get(re.sub(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$", "", model))

    def usage(self, model: str, tokens: Tokens) -> Usage:
        """One call's usage; its cost is None when the table does not know the model or the reply counted nothing."""
        price = self.price(model) if tokens.counted else None
        return Usage(
            input_tokens=tokens.input,
            cached_tokens=tokens.cached,
            output_tokens=tokens.output,
            cost_usd=None if price is None else price.cost_usd(tokens),
            calls=1,
        )

    def most_usd(self, model: str, *, prompt_bytes: int, output_tokens: int) -> float | None:
        """The most that one call costs whose reply has so many tokens at most; None when the price is not known."""
        price = self.price(model)
        if price is None:
            return None
        tokens = Tokens(input=prompt_bytes // BYTES_PER_TOKEN + 1, output=output_tokens)
        # Nobody knows beforehand whether the provider puts the prompt into its cache.
        return max(price.cost_usd(tokens), price.cost_usd(replace(tokens, cache_written=tokens.input)))

    def find(self, name: str) -> tuple[str, str] | None:
        """(provider, model) for a bare name as people write it: `GPT-5.2`, `Claude Sonnet 5.5 (copilot)`, `opus`."""
        wanted = _plain(re.sub(r"\(.*?\)", "", name))
        for model, price in self.models.items():
            if _plain(model) == wanted:
                return price.provider, model
        for alias, model in self.aliases.items():
            if _plain(alias) == wanted and model in self.models:
                return self.models[model].provider, model
        return None


def load(own: Path | None = None) -> Prices:
    """The built-in table, with the entries of the operator's file over it. Raises `UserError` naming PRINCIPAL_PRICES."""
    prices = Prices.model_validate_json(BUILT_IN.read_bytes())
    if own is None:
        return prices
    over = _read(own)
    return Prices(
        note=over.note or prices.note,
        read=over.read or prices.read,
        sources=prices.sources | over.sources,
        defaults=prices.defaults | over.defaults,
        aliases=prices.aliases | over.aliases,
        models=prices.models | over.models,
    )


def _read(path: Path) -> Prices:
    try:
        with path.open("rb") as file:
            data = file.read(TABLE_AT_MOST_BYTES)
        return Prices.model_validate(json.loads(data))
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _refused(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _refused("is not JSON") from error


def _refused(why: str) -> UserError:
    return UserError(f"PRINCIPAL_PRICES: {why}", Code.SETTINGS_INVALID)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-")
