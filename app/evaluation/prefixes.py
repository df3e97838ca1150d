"""How much of what a review asks stands in prefixes that a provider's cache can hold: prompts in, tokens out.

A prefix ends where one of a prompt's parts ends, which is where breakpoints are set. The form of the reply comes first: a
provider puts it before everything else. Counted by our own estimate, so that the share is known without a provider.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from app.core.budget import estimate_tokens
from app.core.prompt import Prompt
from app.evaluation.values import Prefixes
from app.llm import form

Asked = tuple[str, tuple[str, ...]]
"""The form that a call asks for, and the parts of its prompt."""


def asked(prompt: Prompt, reply: type[BaseModel]) -> Asked:
    """A call, as far as a cache looks at it."""
    return form.name_of(reply), (prompt.system, *prompt.user)


def measured(calls: Sequence[Asked]) -> Prefixes:
    """The shares of these calls, in whatever order they were made."""
    met = Counter(name for call in calls for name, _ in _prefixes(call))
    tokens = common = 0
    first: set[bytes] = set()
    unique = 0
    for call in calls:
        for name, size in _prefixes(call):
            tokens += size
            common += size if met[name] > 1 else 0
            unique += 0 if name in first else size
            first.add(name)
    return Prefixes(tokens, common, tokens - unique)


def _prefixes(call: Asked) -> Iterator[tuple[bytes, int]]:
    """A name for each prefix of a call, and the tokens of the part that it ends with."""
    said = hashlib.sha256(call[0].encode())
    for part in call[1]:
        said.update(b"\0" + part.encode("utf-8", "surrogatepass"))
        yield said.digest(), estimate_tokens(part)
