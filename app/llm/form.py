"""The form of a reply: pydantic type → JSON schema that strict structured output takes; text of a reply → value of the type.

    schema = form.strict_schema(ReviewReply)
    reply = form.read(text, ReviewReply).reply

A reply that was cut, refused or garbled must never pass for a short one: `read` demands every field of the outermost
object, and takes one JSON object, wherever it stands in the text, or nothing.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import BaseModel, ValidationError

from app.llm import Reply

MOST_REPLY_CHARACTERS = 2_000_000
MOST_STARTS = 200
"""At how many braces of a text an object is looked for."""
MOST_PROBLEMS = 5
LONGEST_REASON = 500
LONGEST_NAME = 64

Schema = dict[str, Any]

KEPT = ("type", "enum", "const", "description")
STRUCTURE = frozenset(
    {"$defs", "$ref", "anyOf", "oneOf", "allOf", "items", "properties", "required", "additionalProperties"}
)
DROPPED = frozenset({"title", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"})
UNSUPPORTED = frozenset({"prefixItems", "patternProperties", "not", "if", "then", "else"})


class Misread(Exception):
    """A reply that is not in its form; the message says why, in words for the model."""


@dataclass(frozen=True, slots=True)
class Read(Generic[Reply]):
    """A reply, and whether its text was the bare JSON object (`plain`) or had something around it."""

    reply: Reply
    plain: bool


def read(text: str, form: type[Reply]) -> Read[Reply]:
    """The value that a reply's text stands for. Raises `Misread`.

    Fences, prose and a model's visible thoughts around the object are passed over. Two different objects that both fit
    are no answer: one of them may be quoted from what the model was shown.
    """
    if len(text) > MOST_REPLY_CHARACTERS:
        raise Misread(f"it was longer than {MOST_REPLY_CHARACTERS} characters")
    said = _without_thoughts(text).strip().lstrip("\ufeff")
    if not said:
        raise Misread("it was empty")
    whole = _decode(said)
    if isinstance(whole, dict):
        return Read(_fit(whole, form), plain=True)
    return Read(_only_fitting(said, form), plain=False)


def strict_schema(form: type[BaseModel]) -> Schema:
    """The JSON schema of a type, as strict structured output takes it. Raises `TypeError` for what it cannot hold.

    Every object lists all its properties as required and allows no others; `$defs` stay; bounds and formats, which the
    providers refuse or ignore, become words in the description (pydantic still checks them when the reply is read).
    """
    return copy.deepcopy(_strict_schema(form))


def name_of(form: type[BaseModel]) -> str:
    """The name of a form in a request: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", form.model_config.get("title") or form.__name__)[:LONGEST_NAME]


def in_words(form: type[BaseModel]) -> str:
    """The request for the form as text, for servers that cannot be told the schema in any other way."""
    schema = json.dumps(strict_schema(form), ensure_ascii=False, separators=(",", ":"))
    return (
        "Reply with one JSON object and nothing else: no prose, no code fence. "
        f"It must obey this JSON Schema, with every property present:\n{schema}"
    )


# Schemas


@functools.cache
def _strict_schema(form: type[BaseModel]) -> Schema:
    given = form.model_json_schema()
    root = _resolved(given, given)
    if root.get("type") != "object":
        raise TypeError(f"{form.__name__} is not an object, and a reply must be one")
    strict = {"title": name_of(form), **_strict({key: part for key, part in root.items() if key != "$defs"})}
    if "$defs" in given:
        strict["$defs"] = {name: _strict(part) for name, part in given["$defs"].items()}
    return strict


def _resolved(schema: Schema, given: Schema) -> Schema:
    """The schema itself where pydantic wrote only a reference to it, as it does for types that contain themselves."""
    return given["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _strict(schema: Schema) -> Schema:
    refused = schema.keys() & UNSUPPORTED
    if refused:
        raise TypeError(f"structured output cannot hold {', '.join(sorted(refused))}")
    if "$ref" in schema:
        return _reference(schema)
    strict = {key: schema[key] for key in KEPT if key in schema}
    variants = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if variants:
        if "allOf" in schema and len(variants) > 1:
            raise TypeError("structured output cannot hold an intersection of types")
        strict["anyOf"] = [_strict(variant) for variant in variants]
    elif schema.get("type") == "object":
        strict |= _strict_object(schema)
    elif schema.get("type") == "array":
        strict["items"] = _strict(schema.get("items") or {})
    elif not schema.keys() & {"type", "enum", "const"}:
        raise TypeError("structured output cannot hold a value of any type")
    return _with_bounds_in_words(strict, schema)


def _strict_object(schema: Schema) -> Schema:
    if isinstance(schema.get("additionalProperties"), dict) or schema.get("additionalProperties") is True:
        raise TypeError("structured output cannot hold a map with free keys")
    properties = {name: _strict(part) for name, part in schema.get("properties", {}).items()}
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _reference(schema: Schema) -> Schema:
    """A reference may have nothing beside it, so that a description goes around it."""
    bare = {"$ref": schema["$ref"]}
    return {"description": schema["description"], "anyOf": [bare]} if "description" in schema else bare


def _with_bounds_in_words(strict: Schema, schema: Schema) -> Schema:
    bounds = {key: part for key, part in schema.items() if key not in {*KEPT, *STRUCTURE, *DROPPED}}
    if not bounds:
        return strict
    words = ", ".join(f"{key}: {part}" for key, part in bounds.items())
    described = strict.get("description", "")
    return strict | {"description": f"{described} ({words})".strip()}


# Replies

_THOUGHTS = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)


def _without_thoughts(text: str) -> str:
    """Local reasoning models write their thoughts in front of the reply."""
    return _THOUGHTS.sub("", text, count=1)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


# Line breaks inside strings are let through: small models write them, and nothing else they could mean.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, strict=False)


def _decode(text: str) -> Any:
    try:
        return _writable(_DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def _writable(value: Any) -> Any:
    """The value without what no file, database or comment takes: halves of surrogate pairs, and NUL."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode().replace("\0", "")
        case list():
            return [_writable(part) for part in value]
        case dict():
            return {_writable(name): _writable(part) for name, part in value.items()}
    return value


def _only_fitting(said: str, form: type[Reply]) -> Reply:
    problem: Misread | None = None
    fitting: list[Reply] = []
    for candidate in _objects(said):
        try:
            reply = _fit(candidate, form)
        except Misread as misread:
            problem = problem or misread
        else:
            fitting += [] if reply in fitting else [reply]
    match fitting:
        case [reply]:
            return reply
        case []:
            raise problem or Misread("it held no complete JSON object")
    raise Misread("it held more than one JSON object of that form")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects in a text, from left to right."""
    position = text.find("{")
    for _ in range(MOST_STARTS):
        if position < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, position)
            candidate = _writable(found)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield candidate
        position = text.find("{", end)


def _fit(value: Mapping[str, Any], form: type[Reply]) -> Reply:
    unasked: frozenset[str] = getattr(form, "UNASKED", frozenset())
    names = (field.alias or name for name, field in form.model_fields.items() if name not in unasked)
    missing = [name for name in names if name not in value]
    if missing:
        raise Misread(f"these fields were missing: {', '.join(missing)}"[:LONGEST_REASON])
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise Misread(_problems(error)) from None
    except RecursionError:
        raise Misread("it was nested too deeply") from None


def _problems(error: ValidationError) -> str:
    """What is wrong, by field, without repeating the values: they came from a model."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found[:MOST_PROBLEMS]]
    more = f"; and {len(found) - MOST_PROBLEMS} more" if len(found) > MOST_PROBLEMS else ""
    return ("; ".join(said) + more)[:LONGEST_REASON]
