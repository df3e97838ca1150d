"""What is said of a secret: where it stands, what it is, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.secret_forms import Certainty


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's place (character offsets of the value alone), its kind in words, and the name it is assigned to."""

    kind: str
    start: int
    end: int
    certainty: Certainty
    name: str = ""
