"""Types as strict JSON schemas, and texts as values of those types."""

from __future__ import annotations

import json
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from app.core import reply as replies
from app.llm import form
from app.llm.form import Misread
from tests.fakes.models import _check_schema, smallest

FORMS = [replies.ReviewReply, replies.VerifyReply, replies.SharedReviewReply, replies.FixesReply, replies.SummaryReply]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """A part."""

    default: str = Field("x", description="a field whose name is a keyword", max_length=9)
    title: str | None = None
    colour: Colour = Colour.RED
    shade: Annotated[Colour, Field(description="the other one")] = Colour.BLUE


class Tree(BaseModel):
    name: Literal["tree"]
    parts: list[Part] = Field(default_factory=list, min_length=2)
    children: list[Tree] = []
    height: float = Field(ge=0, le=1)


def objects(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) and schema.get("type") == "object" else []
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return found + [one for part in inner for one in objects(part)]


def test_finding_and_verifying_are_sent_the_same_form_so_that_they_share_a_cached_prefix():
    finding, verifying = replies.SharedReviewReply, replies.SharedVerifyReply
    assert form.strict_schema(finding) == form.strict_schema(verifying)
    assert form.name_of(finding) == form.name_of(verifying)


@pytest.mark.parametrize("kind", [*FORMS, Part, Tree])
def test_every_object_is_closed_and_all_of_its_properties_are_required(kind: type[BaseModel]) -> None:
    schema = form.strict_schema(kind)
    assert schema["title"] == form.name_of(kind)
    assert objects(schema)
    for one in objects(schema):
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    for provider in ("openai", "anthropic"):
        _check_schema(provider, schema)
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", [*FORMS, Part])
def test_a_value_that_obeys_the_schema_is_a_value_of_the_type(kind: type[BaseModel]) -> None:
    schema = form.strict_schema(kind)
    value = smallest(schema)
    jsonschema.validate(value, schema)
    assert form.read(json.dumps(value), kind).plain


def test_bounds_become_words_and_names_stay_names() -> None:
    schema = form.strict_schema(Tree)
    tree, part = schema["$defs"]["Tree"]["properties"], schema["$defs"]["Part"]["properties"]
    assert schema["properties"] == tree
    assert tree["height"] == {"type": "number", "description": "(maximum: 1, minimum: 0)"}
    assert tree["parts"]["description"] == "(minItems: 2)"
    assert list(part) == ["default", "title", "colour", "shade"]
    assert part["default"] == {"type": "string", "description": "a field whose name is a keyword (maxLength: 9)"}
    assert part["title"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert part["colour"] == {"$ref": "#/$defs/Colour"}
    assert part["shade"] == {"description": "the other one", "anyOf": [{"$ref": "#/$defs/Colour"}]}
    assert tree["name"] == {"type": "string", "const": "tree"}


def test_a_schema_belongs_to_its_caller() -> None:
    form.strict_schema(Part)["properties"].clear()
    assert form.strict_schema(Part)["properties"]


class WithMap(BaseModel):
    counts: dict[str, int]


class WithPair(BaseModel):
    pair: tuple[int, str]


class WithAnything(BaseModel):
    value: Any


class Numbers(RootModel[list[int]]):
    pass


@pytest.mark.parametrize("kind", [WithMap, WithPair, WithAnything, Numbers])
def test_what_structured_output_cannot_hold_is_refused_where_it_is_written(kind: type[BaseModel]) -> None:
    with pytest.raises(TypeError):
        form.strict_schema(kind)


class Note(BaseModel):
    text: str
    tags: list[str] = []


@given(note=st.builds(Note, text=st.text(), tags=st.lists(st.text())))
def test_what_was_written_is_read(note: Note) -> None:
    """Alone, in a fence, and between two sentences; but for what nothing can store."""
    expected = Note.model_validate_json(note.model_dump_json().replace("\\u0000", ""))
    plain = note.model_dump_json()
    assert form.read(plain, Note).reply == expected
    assert form.read(f"```json\n{plain}\n```", Note).reply == expected
    assert form.read(f"I say {{this}}: {plain} – and no more.", Note) == form.Read(expected, plain=False)


@given(text=st.text(alphabet='{}[]":,\\ntexags01 '))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Misread):
        assert isinstance(form.read(text, Note).reply, Note)


@given(data=st.data())
def test_a_cut_reply_is_never_read(data: st.DataObject) -> None:
    """No prefix of a reply is a reply, wherever it is cut."""
    whole = json.dumps({"text": 'say {"text": "a", "tags": []}', "tags": ["x", '{"text": "b", "tags": []}']})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Misread):
        form.read(whole[:cut], Note)


def test_a_field_with_a_default_must_still_be_there() -> None:
    """Otherwise a reply about something else would be a review without findings."""
    with pytest.raises(Misread, match="tags"):
        form.read('{"text": "fine"}', Note)


def test_an_object_that_was_quoted_beside_the_reply_does_not_become_the_reply() -> None:
    with pytest.raises(Misread, match="more than one"):
        form.read('The diff says {"text": "all good", "tags": []}. My reply: {"text": "it is not", "tags": []}', Note)
    same = '{"text": "a", "tags": []}'
    assert form.read(f"{same}\n{same}", Note).reply.text == "a"


def test_a_reply_of_unbelievable_length_is_not_read() -> None:
    with pytest.raises(Misread, match="longer"):
        form.read('"' + "x" * form.MOST_REPLY_CHARACTERS, Note)


def test_what_is_wrong_is_said_without_repeating_it() -> None:
    with pytest.raises(Misread) as misread:
        form.read('{"text": 5, "tags": ["secret", {"a": "secret"}]}', Note)
    assert "tags.1" in str(misread.value)
    assert "secret" not in str(misread.value)
    assert len(str(misread.value)) <= form.LONGEST_REASON
