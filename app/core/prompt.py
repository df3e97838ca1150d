"""The prompt: what a model is to read. PLACEHOLDER types for the other rooms; rendering follows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is to read, ordered so that providers' prompt caches hit: the stable part first.

    `system` is the same for every review with these personas and rules; `shared` is the same for every batch of one
    change (intent, digest); `body` is this batch. `max_output_tokens` bounds the reply. Everything untrusted in it stands
    inside the envelope. `purpose` names the stage (`review`, `verify`, `fix`, …) for logs and metrics.
    """

    system: str
    shared: str
    body: str
    max_output_tokens: int
    purpose: str
