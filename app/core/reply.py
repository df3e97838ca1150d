"""The forms that models fill in. Parsed kindly (a percentage for a confidence, capitals), never believed.

Every field is required in the schema, so that structured output has no optional parts; an empty string says "none".
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.core.finding import Category, Kind, Severity

MOST_FINDINGS = 200
"""A reply with more entries is cut here; the rest is noise."""
LONGEST_TEXT = 20_000


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _text(value: Any) -> Any:
    if value is None:
        return ""
    return (
        value.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_TEXT] if isinstance(value, str) else value
    )


def _confidence(value: Any) -> Any:
    """0.8, "0.8", 80 and "80%" all mean the same."""
    if isinstance(value, str):
        number, percent, _ = value.strip().partition("%")
        try:
            value = min(float(number), 100.0) / 100 if percent else float(number)
        except ValueError:
            return value
    if isinstance(value, int):
        # JSON holds numbers of any size, a float does not.
        value = float(min(max(value, 0), 100))
    if isinstance(value, float) and math.isfinite(value):
        return min(max(value / 100 if value > 1 else value, 0.0), 1.0)
    return value


def _fate(value: Any) -> Any:
    """A word that means nothing here costs an arrow's colour, not the whole reply."""
    word = _lower(value)
    return word if word in _FATES else "kept"


_FATES = ("added", "changed", "removed", "kept")
Text = Annotated[str, BeforeValidator(_text)]
KindWord = Annotated[Literal["bug", "performance", "design"], BeforeValidator(_lower)]
SeverityWord = Annotated[Literal["critical", "high", "medium", "low"], BeforeValidator(_lower)]
CategoryWord = Annotated[
    Literal[
        "correctness",
        "reliability",
        "security",
        "performance",
        "observability",
        "data",
        "scalability",
        "experience",
    ],
    BeforeValidator(_lower),
]
Confidence = Annotated[float, BeforeValidator(_confidence), Field(ge=0, le=1)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Claim(_Form):
    """One finding: what happens first, and only then how bad and how sure."""

    # What the task says of a field is not said again here: the form is part of every prompt.
    path: Text = Field(description="the file, exactly as the diff names it")
    line: int = Field(description="the first line of the quote in the new file, 0 if unknown")
    quote: Text
    scenario: Text
    assumptions: list[Text]
    title: Text
    explanation: Text
    kind: KindWord
    category: CategoryWord
    rule: Text
    severity: SeverityWord
    confidence: Confidence


class Step(_Form):
    """One step of a flow."""

    source: Text = Field(description="who calls or hands over: a function, module, service or store by its name")
    target: Text = Field(description="who is called, or where it goes")
    what: Text = Field(description="what passes, in one to four words, or an empty string")
    fate: Annotated[Literal["added", "changed", "removed", "kept"], BeforeValidator(_fate)]


class Verdict(_Form):
    """The sceptic's word on one candidate, the evidence before the judgement."""

    id: int
    saw: Text = Field(description="what was checked, in a few words, for example: callers in src/routes/orders.ts")
    failing_case: Text = Field(
        description="the concrete input or schedule, traced through the code to the wrong result"
    )
    reason: Text = Field(description="one sentence: what settles it")
    pre_existing: bool = Field(description="true if the problem stood there before this change")
    verdict: Annotated[Literal["confirmed", "refuted", "unproven"], BeforeValidator(_lower)]
    severity: SeverityWord
    confidence: Confidence


class _Lenient(_Form):
    """A form of which a reply may lack what nobody asked for, or what is only an ornament."""

    UNASKED: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _with_unasked(cls, value: Any) -> Any:
        return (
            {**{name: "" if name == "overview" else [] for name in cls.UNASKED}, **value}
            if isinstance(value, dict)
            else value
        )


class ReviewReply(_Lenient):
    """What a reviewer says about one batch."""

    overview: Text = Field(description="what this part of the change does and where its risk is, one or two sentences")
    considered: list[Text] = Field(description="each suspicion in one line")
    findings: list[Claim] = Field(max_length=MOST_FINDINGS)
    flow: list[Step]

    UNASKED: ClassVar[frozenset[str]] = frozenset({"considered", "flow"})


class VerifyReply(_Lenient):
    """What the sceptic says about all candidates it was shown."""

    verdicts: list[Verdict] = Field(max_length=MOST_FINDINGS)


# Providers put the form before everything else that they cache: with two forms, calls that find and calls that verify would
# share no prefix. https://developers.openai.com/api/docs/guides/structured-outputs
_SHARED = ConfigDict(
    title="ReviewReply",
    json_schema_extra={
        "description": "What a reviewer says about one batch: its findings, or its verdicts on candidates."
    },
)


class SharedReviewReply(ReviewReply):
    """The same, in the form that both tasks share where several calls repeat what was read."""

    model_config = _SHARED
    verdicts: list[Verdict] = Field(max_length=MOST_FINDINGS)

    UNASKED: ClassVar[frozenset[str]] = frozenset({"considered", "flow", "verdicts"})


class SharedVerifyReply(VerifyReply, ReviewReply):
    """The same, in the form that both tasks share."""

    model_config = _SHARED

    UNASKED: ClassVar[frozenset[str]] = frozenset({"overview", "considered", "findings", "flow"})


class TestReply(_Form):
    """A test that fails before the patch and passes after it."""

    __test__ = False

    path: Text
    content: Text


class TriagedFile(_Form):
    """A file, and whether its change is plain."""

    path: Text = Field(description="the file, exactly as the diff names it")
    plain: bool = Field(description="true only if nothing the program does or promises can be altered")


class TriageReply(_Form):
    """What a cheap model says about the files of a change."""

    files: list[TriagedFile] = Field(max_length=MOST_FINDINGS)


class BreakReply(_Form):
    """What somebody says who tried to break a patch."""

    holds: bool = Field(description="false if the failing case shows that the patch is wrong")
    failing_case: Text = Field(description="the input or schedule, the line and the wrong result; empty if it holds")


class FixReply(_Form):
    """The parts of one finding's answer pattern. Those of the other kinds stay empty."""

    finding: int = Field(description="its number")
    repro: Text
    root_cause: Text
    measure: Text
    change: Text
    trade_off: Text
    alternative: Text
    migration: Text
    resources: Text
    versioning: Text
    paging: Text
    limits: Text
    routes: Text
    original: Text = Field(description="the lines of the new file that the patch replaces, verbatim and contiguous")
    replacement: Text = Field(description="the lines that stand there after the patch, with their indentation")
    tests: list[TestReply] = Field(max_length=4)
    risk: Text
    missing: Text = Field(description="which part cannot be given, and why; empty when all are there")


class FixesReply(_Form):
    """An answer to each finding."""

    answers: list[FixReply] = Field(max_length=MOST_FINDINGS)

    UNASKED: ClassVar[frozenset[str]] = frozenset({"answers"})
    """Whoever was shown one finding may answer with the parts alone."""

    @model_validator(mode="before")
    @classmethod
    def _of_the_only_one(cls, value: Any) -> Any:
        return {"answers": [{"finding": 1, **value}]} if isinstance(value, dict) and "answers" not in value else value


class PlaceReply(_Form):
    """Lines that an answer rests on."""

    path: Text = Field(description="the file, as it was shown")
    quote: Text = Field(description="one to six contiguous lines of it, verbatim")


class AnswerReply(_Form):
    """The answer to a person's question, with the places it rests on in the order of their numbers."""

    answer: Text = Field(description="the answer, with [[1]], [[2]], … for the places")
    places: list[PlaceReply] = Field(max_length=8)
    unknown: Text = Field(description="what the code shown does not tell, and how to find out; empty when it tells all")


class SummaryReply(_Form):
    """One or two sentences over all parts of a large change."""

    overview: Text


def kind_of(word: str) -> Kind:
    """The kind that a form's word names."""
    return Kind(word)


def category_of(word: str) -> Category:
    """The category that a form's word names."""
    return Category.from_slug(word)


def severity_of(word: str) -> Severity:
    """The severity that a form's word names."""
    return Severity(word)
