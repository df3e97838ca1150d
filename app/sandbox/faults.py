"""How tests make GitHub fail: rules that match a request and answer, delay or cut it, before or after its effect.

A rule matches by method and by a shell pattern on the path (`*/pulls/*/reviews`), skips the first `after` matches, and
is used up after `times`. Rules are asked in the order they were added; the first that matches is taken.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HOLD_LIMIT_SECONDS = 60.0
FOREVER = 1_000_000_000
SECONDARY_LIMIT = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later."
)


class Gate:
    """Holds a request: `reached` tells that it is there, `release` lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()

    def wait_until_reached(self, timeout_seconds: float = 10.0) -> None:
        """Returns once a request stands at the gate.

        Raises:
            TimeoutError: none came in time.

        """
        if not self.reached.wait(timeout_seconds):
            raise TimeoutError(f"no request reached the gate within {timeout_seconds} s")

    def release(self) -> None:
        """Lets every request through, now and later."""
        self._released.set()

    def pass_through(self) -> None:
        """Waits for the release, at most `HOLD_LIMIT_SECONDS`."""
        self.reached.set()
        self._released.wait(HOLD_LIMIT_SECONDS)


@dataclass(eq=False, slots=True)
class Fault:
    """One rule. `effect` says whether the request is carried out; `cut` closes the connection without an answer."""

    method: str
    path: str
    after: int
    times: int
    effect: bool
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    gate: Gate | None = None
    seen: int = 0
    used: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether the rule is about such a request."""
        return self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


class Faults:
    """The rules of one sandbox."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def answer(
        self,
        status: int,
        method: str = "*",
        path: str = "*",
        *,
        message: str = "Server Error",
        headers: Mapping[str, str] | None = None,
        after: int = 0,
        times: int = 1,
    ) -> Fault:
        """Answers `status` and does nothing."""
        body = {"message": message, "documentation_url": "", "status": str(status)}
        return self._add(
            Fault(method, path, after, times, effect=False, status=status, body=body, headers=dict(headers or {}))
        )

    def answer_after_effect(
        self, status: int, method: str = "*", path: str = "*", *, after: int = 0, times: int = 1
    ) -> Fault:
        """Does what was asked, then answers `status` as if it had not."""
        return self._add(
            Fault(method, path, after, times, effect=True, status=status, body={"message": "Server Error"})
        )

    def lose_answer(self, method: str = "*", path: str = "*", *, after: int = 0, times: int = 1) -> Fault:
        """Does what was asked, then closes the connection without a word."""
        return self._add(Fault(method, path, after, times, effect=True, cut=True))

    def cut(self, method: str = "*", path: str = "*", *, after: int = 0, times: int = 1) -> Fault:
        """Closes the connection and does nothing."""
        return self._add(Fault(method, path, after, times, effect=False, cut=True))

    def hold(self, method: str = "*", path: str = "*", *, after: int = 0, times: int = 1, effect: bool = True) -> Gate:
        """Stops a request before its effect until the gate is released; then it is carried out, or cut without `effect`."""
        gate = Gate()
        self._add(Fault(method, path, after, times, effect=effect, cut=not effect, gate=gate))
        return gate

    def limit(
        self,
        status: int = 403,
        method: str = "*",
        path: str = "*",
        *,
        retry_after_seconds: int | None = 1,
        after: int = 0,
        times: int = 1,
    ) -> Fault:
        """Answers as GitHub does to one who asks too much: the secondary limit, 403 or 429."""
        headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        return self.answer(status, method, path, message=SECONDARY_LIMIT, headers=headers, after=after, times=times)

    def clear(self) -> None:
        """Takes every rule away and lets held requests go."""
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            if rule.gate is not None:
                rule.gate.release()

    def take(self, method: str, path: str) -> Fault | None:
        """The rule that a request falls under, counted as used."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path) or rule.used >= rule.times:
                    continue
                rule.seen += 1
                if rule.seen > rule.after:
                    rule.used += 1
                    return rule
        return None

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._rules.append(fault)
        return fault
