"""A model whose replies are read for this server's own secrets before anybody else sees them.

No prompt holds such a value. Should one come back all the same (from a provider that was taken over, from a stolen key in a pull
request), the reply is thrown away unread, is not stored, and the log says so.
"""

from __future__ import annotations

from app.core.leaks import KnownSecrets
from app.core.prompt import Prompt
from app.errors import Code
from app.llm import Completion, Model, Reply
from app.llm.talk import Unanswered
from app.telemetry import log


class Guarded:
    """A `Model` in front of another one."""

    def __init__(self, model: Model, known: KnownSecrets) -> None:
        self._model = model
        self._known = known

    @property
    def name(self) -> str:
        """The name of the model behind."""
        return self._model.name

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The reply; raises `Unanswered` (OUTPUT_BLOCKED_SECRET) when it says a part of a secret."""
        completion = await self._model.complete(prompt, reply)
        if self._known.leaks(completion.reply.model_dump_json()):
            log.error("output_blocked", purpose=prompt.purpose, model=completion.model)
            what = "The model's reply held one of this server's own secrets and was thrown away"
            raise Unanswered(Code.OUTPUT_BLOCKED_SECRET, what, usage=completion.usage)
        return completion
