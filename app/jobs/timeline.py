"""One review, step by step: what the job engine remembers of it, opened for the operator.

    job key, attempt ─► StepTaken, …   name, times, and of a question to a model what it used and how it ended
    one of them      ─► StepOpened     the prompt and the reply; or what the step returned
    job key          ─► Document       all the review found and left out

What another key has sealed, and what retention has removed, is None: the rest can still be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbos import DBOSClient
from pydantic import TypeAdapter, ValidationError

from app.core.report_json import Document
from app.errors import Permanent
from app.jobs.diary import KeptPrompt, prompt_name, report_name
from app.jobs.store import Store
from app.jobs.vault import Vault
from app.stages.ask import Remembered

STEPS_AT_MOST = 500
EFFECT = "once:"
"""How the engine's name of an effect begins."""
SLEEP = "DBOS.sleep"
_QUESTIONS = ("review ", "verify ", "fix ", "summarise")
"""How the names of steps begin that ask a model: only their results are opened for the list."""
_REMEMBERED = TypeAdapter(Remembered)


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A step of one attempt. Times are epoch seconds; `code` and `what` say why it failed, empty when it did not.

    `asked` is what came of a question to a model, None for other steps.
    """

    place: int
    name: str
    started_at: float | None
    ended_at: float | None
    code: str = ""
    what: str = ""
    asked: Remembered | None = None

    @property
    def is_effect(self) -> bool:
        """Whether it did something on GitHub."""
        return self.name.startswith(EFFECT)

    @property
    def is_wait(self) -> bool:
        """Whether it is the wait before everything is tried again."""
        return self.name == SLEEP

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return self.ended_at - self.started_at if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt's three parts, as the model read them."""

    system: str | None
    shared: str
    body: str


@dataclass(frozen=True, slots=True)
class StepOpened:
    """A step with what went into it and what came out, as text."""

    step: StepTaken
    prompt: PromptText | None
    result: str | None


class Timeline:
    """The engine's memory of a review. Everything blocks: call it from a thread."""

    def __init__(self, store: Store, vault: Vault, client: DBOSClient) -> None:
        self._store = store
        self._vault = vault
        self._client = client

    def steps(self, key: str, attempt: int) -> tuple[StepTaken, ...]:
        """The steps of one attempt, in the order they began."""
        return tuple(self._taken(one, opens=_asks(one["function_name"])) for one in self._engine_steps(key, attempt))

    def open(self, key: str, attempt: int, place: int, *, repository_id: int) -> StepOpened | None:
        """One of them with its prompt and its result; None when there is none at this place."""
        found = next((one for one in self._engine_steps(key, attempt) if one["function_id"] == place), None)
        if found is None:
            return None
        step = self._taken(found, opens=True)
        if step.asked is not None:
            return StepOpened(step, self._prompt(step.asked.prompt, repository_id), step.asked.reply or None)
        return StepOpened(step, None, self._text(found["output"]))

    def document(self, key: str, *, repository_id: int) -> Document | None:
        """All the review found and left out."""
        text = self._artifact(report_name(self._vault, key, repository_id=repository_id))
        try:
            return Document.model_validate_json(text) if text is not None else None
        except ValidationError:
            return None  # Of a version that told something else.

    def _engine_steps(self, key: str, attempt: int) -> Sequence[Mapping[str, Any]]:
        return self._client.list_workflow_steps(f"{key}:{attempt}", limit=STEPS_AT_MOST)

    def _taken(self, one: Mapping[str, Any], *, opens: bool) -> StepTaken:
        output = one["output"]
        failed = output.get("error") if isinstance(output, dict) else None
        asked = _remembered(self._text(output)) if opens else None
        return StepTaken(
            place=one["function_id"],
            name=one["function_name"],
            started_at=_seconds(one["started_at_epoch_ms"]),
            ended_at=_seconds(one["completed_at_epoch_ms"]),
            code=failed["code"] if failed else asked.code if asked else "",
            what=failed["what"] if failed else asked.what if asked else "",
            asked=asked,
        )

    def _text(self, output: Any) -> str | None:
        """What a step returned, as it was stored (`jobs/step.py`)."""
        match output:
            case {"value": str(sealed)}:
                try:
                    return self._vault.unwrap(sealed)
                except Permanent:
                    return None
            case {"artifact": str(name)}:
                return self._artifact(name)
            case _:
                return None

    def _artifact(self, name: str) -> str | None:
        body = self._store.kept(name)
        try:
            return self._vault.open(body) if body is not None else None
        except Permanent:
            return None

    def _prompt(self, digest: str, repository_id: int) -> PromptText | None:
        text = self._artifact(prompt_name(self._vault, digest, repository_id=repository_id))
        if text is None:
            return None
        kept = KeptPrompt.model_validate_json(text)
        system = self._artifact(kept.system)
        return PromptText(json.loads(system) if system is not None else None, kept.shared, kept.body)


def _asks(name: str) -> bool:
    return name.startswith(_QUESTIONS)


def _remembered(text: str | None) -> Remembered | None:
    try:
        return _REMEMBERED.validate_json(text) if text is not None else None
    except ValidationError:
        return None


def _seconds(milliseconds: int | None) -> float | None:
    return milliseconds / 1000 if milliseconds is not None else None
