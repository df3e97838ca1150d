"""What is written down about a review, read back as the dashboard reads it."""

from __future__ import annotations

import time

from app.core.finding import Category
from app.jobs import JobState
from app.jobs.board import Wanted
from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.stories.bot import Bot, completed, environment
from tests.stories.test_main_job import CLAIM, FIX, VERDICT, open_pull, with_model

PASSWORD = {"PRINCIPAL_DASHBOARD_PASSWORD": "a password for the tests"}
UNPLACED = CLAIM | {"quote": "code that stands nowhere", "title": "A claim about nothing"}
REPLIES = {
    "review": {"overview": "It charges orders.", "findings": [CLAIM, UNPLACED]},
    "verify": {"verdicts": [VERDICT]},
    "fix": FIX,
}


def reviewed(tmp_path, *, look, **more):
    """What `look` sees of a bot that has reviewed one pull request with a model."""
    with described_github() as github, FakeModels() as models:
        models.answers_instantly(REPLIES)
        with Bot(environment(github, tmp_path, **with_model(models), **more)) as bot:
            completed(open_pull(github, bot))
            look(bot.engine)


def test_a_review_is_written_down_with_its_steps_its_findings_and_what_it_cost(tmp_path):
    def look(engine):
        (row,) = engine.board.reviews(Wanted()).rows
        assert (row.repository, row.number, row.trigger) == ("acme/shop", 1, "push")
        assert (row.said, row.folded, row.rejected, row.hunks_reviewed) == (1, 0, 1, 1)
        assert row.calls == 3
        assert row.usd is not None
        assert row.usd > 0

        document = engine.timeline.document(row.key, repository_id=row.repository_id)
        assert [one.title for one in document.findings] == [CLAIM["title"]]
        assert [one.claim.title for one in document.rejected] == [UNPLACED["title"]]
        assert document.rejected[0].reason

        steps = engine.timeline.steps(row.key, 1)
        asked = {step.name: step for step in steps if step.asked is not None}
        assert list(asked) == ["review 1", "verify 1", "fix 1"]
        assert sum(step.asked.usage.tokens for step in asked.values()) == row.input_tokens + row.output_tokens
        opened = engine.timeline.open(row.key, 1, asked["review 1"].place, repository_id=row.repository_id)
        assert "if (total = 0) return;" in opened.prompt.body
        assert "Skip empty orders" in opened.prompt.shared
        assert "# Persona" in opened.prompt.system
        assert CLAIM["title"] in opened.result

        spending = engine.figures.spending(now=time.time(), days=2)
        assert spending.total.calls == 3
        assert list(spending.by_model) == ["openai:gpt-6.1-sol"]
        assert list(spending.by_repository) == ["acme/shop"]
        assert spending.total.usd == spending.by_repository["acme/shop"].usd
        (finding,) = engine.figures.resolution()
        assert (finding.category, finding.rule, finding.open, finding.rate) == (
            Category.CORRECTNESS,
            "invariants",
            1,
            None,
        )
        today = engine.figures.reviews_by_day(now=time.time(), days=2)[-1]
        assert sum(today.by_state.values()) == 1
        assert engine.board.repositories() == ("acme/shop",)
        assert engine.board.reviews(Wanted(state=JobState.FAILED)).rows == ()
        assert engine.board.reviews(Wanted(repository="acme/shop", number=2)).rows == ()

    reviewed(tmp_path, look=look, **PASSWORD)
    database = b"".join(path.read_bytes() for path in tmp_path.glob("principal.db*"))
    assert b"code that stands nowhere" not in database
    assert b"total = 0" not in database


def test_prompts_are_kept_only_where_a_dashboard_can_show_them(tmp_path):
    def look(engine):
        (row,) = engine.board.reviews(Wanted()).rows
        place = next(step.place for step in engine.timeline.steps(row.key, 1) if step.asked is not None)
        opened = engine.timeline.open(row.key, 1, place, repository_id=row.repository_id)
        assert opened.prompt is None
        assert CLAIM["title"] in opened.result

    reviewed(tmp_path, look=look)
