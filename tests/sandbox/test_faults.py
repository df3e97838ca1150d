"""Faults: answers that fail, are lost, are late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.sandbox import PullHandle, Sandbox
from tests.sandbox.http_client import call
from tests.sandbox.world import REVIEWS, SHOP, review


def test_a_fault_answers_before_the_effect(github: Sandbox, pull: PullHandle, token: str) -> None:
    github.faults.answer(502, "POST", "*/reviews", after=1, times=2)
    statuses = [call(github, "POST", REVIEWS, review(), token=token).status for _ in range(4)]
    assert statuses == [200, 502, 502, 200]
    assert len(pull.all_reviews) == 2


def test_a_fault_answers_after_the_effect(github: Sandbox, pull: PullHandle, token: str) -> None:
    github.faults.answer_after_effect(502, "POST", "*/reviews")
    assert call(github, "POST", REVIEWS, review(), token=token).status == 502
    assert len(pull.all_reviews) == 1


@pytest.mark.parametrize(("effect", "standing"), [("lose_answer", 1), ("cut", 0)])
def test_a_fault_closes_the_connection(
    effect: str, standing: int, github: Sandbox, pull: PullHandle, token: str
) -> None:
    getattr(github.faults, effect)("POST", "*/reviews")
    with pytest.raises((ConnectionError, OSError)):
        call(github, "POST", REVIEWS, review(), token=token)
    assert len(pull.all_reviews) == standing
    assert github.requests[-1].status is None
    assert call(github, "GET", SHOP, token=token).status == 200


@pytest.mark.parametrize(("status", "wait"), [(403, 7), (429, None)])
def test_a_secondary_limit_says_when_to_come_back(status: int, wait: int | None, github: Sandbox, token: str) -> None:
    github.faults.limit(status, "GET", "/repos/*", retry_after_seconds=wait)
    limited = call(github, "GET", SHOP, token=token)
    assert (limited.status, limited.headers.get("retry-after")) == (status, None if wait is None else str(wait))
    assert "secondary rate limit" in limited.body["message"]
    assert call(github, "GET", SHOP, token=token).status == 200


def test_a_held_request_waits_for_its_release_while_others_pass(github: Sandbox, pull: PullHandle, token: str) -> None:
    gate = github.faults.hold("POST", "*/reviews")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(call, github, "POST", REVIEWS, review(), token=token)
        gate.wait_until_reached()
        assert call(github, "GET", SHOP, token=token).status == 200
        assert pull.all_reviews == []
        gate.release()
        assert held.result().status == 200
    with pytest.raises(TimeoutError):
        github.faults.hold("GET", "/nowhere").wait_until_reached(timeout_seconds=0.01)


def test_cleared_faults_let_everything_go(github: Sandbox, pull: PullHandle, token: str) -> None:
    gate = github.faults.hold("POST", "*/reviews")
    github.faults.answer(500, "GET", times=9)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(call, github, "POST", REVIEWS, review(), token=token)
        gate.wait_until_reached()
        github.faults.clear()
        assert held.result().status == 200
    assert call(github, "GET", SHOP, token=token).status == 200
