"""The one file that the sandbox's tests change, and the reviews they write about it."""

from __future__ import annotations

from typing import Any

SHOP = "/repos/acme/shop"
REVIEWS = f"{SHOP}/pulls/1/reviews"
OLD = "".join(f"line {number}\n" for number in range(1, 61))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n").replace("line 50\n", "")
# The head file's lines 17 to 24 and 48 to 53 stand in the two hunks.
INSIDE, SECOND_HUNK, OUTSIDE = 20, 48, 35


def on(line: int, body: str = "Why?", **more: object) -> dict[str, object]:
    """A comment on a line of the one file."""
    return {"path": "src/a.ts", "line": line, "body": body, **more}


def review(*comments: dict[str, object], event: str | None = "COMMENT", body: str = "Read.") -> dict[str, Any]:
    """The body of a review."""
    return {"body": body, "comments": list(comments), **({"event": event} if event else {})}
