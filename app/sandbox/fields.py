"""The JSON body of a request → typed fields, refused in GitHub's words where they are missing or of another type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from app.sandbox.refusals import invalid_request

Body = Mapping[str, Any]


def text(body: Body, name: str) -> str:
    """A field that must be a string."""
    value = optional_text(body, name)
    if value is None:
        raise invalid_request(f'"{name}" wasn\'t supplied.')
    return value


def optional_text(body: Body, name: str) -> str | None:
    """A field that is a string where it is given."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, value, "string")
    return value


def limited_text(body: Body, name: str, limit: int) -> str | None:
    """A string of at most `limit` characters."""
    value = optional_text(body, name)
    if value is not None and len(value) > limit:
        raise invalid_request(f"Only {limit} characters are allowed; {len(value)} were supplied.")
    return value


def number(body: Body, name: str) -> int:
    """A field that must be an integer."""
    value = optional_number(body, name)
    if value is None:
        raise invalid_request(f'"{name}" wasn\'t supplied.')
    return value


def optional_number(body: Body, name: str) -> int | None:
    """A field that is an integer where it is given."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "integer")
    return value


def choice(body: Body, name: str, allowed: Collection[str]) -> str | None:
    """A string out of a closed set, where it is given."""
    value = optional_text(body, name)
    if value is not None and value not in allowed:
        known = ", ".join(sorted(allowed))
        raise invalid_request(f'For "properties/{name}", {value} is not a member of [{known}].')
    return value


def objects(body: Body, name: str) -> list[Body]:
    """A list of objects, empty where it is not given."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, value, "array")
    for item in value:
        if not isinstance(item, dict):
            raise _wrong(f"{name}/items", item, "object")
    return value


def optional_object(body: Body, name: str) -> Body | None:
    """An object, where it is given."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(name, value, "object")
    return value


def _wrong(name: str, value: object, wanted: str) -> Exception:
    shown = "null" if value is None else str(value)
    article = "an" if wanted[0] in "aio" else "a"
    return invalid_request(f'For "properties/{name}", {shown[:40]} is not {article} {wanted}.')
