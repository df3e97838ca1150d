"""The same models where people have them: Azure OpenAI, and Anthropic on Bedrock and Vertex AI, through the SDKs' own clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from app.core.prompt import Prompt
from app.errors import Code, PrincipalError, UserError
from app.llm import Completion
from app.llm.models import Models
from app.settings import Settings
from tests.contract.test_providers import GOOD, Review
from tests.fakes.clouds import FakeCloud
from tests.fakes.models import Said

MODELS = {
    "azure": "reviews-eu",
    "bedrock": "eu.anthropic.claude-opus-4-1-20250805-v1:0",
    "vertex": "claude-opus-4-1@20250805",
}
PROMPT = Prompt("You review. " * 600, "The change. " * 600, "The diff. " * 300, 1_000, "review", "Find.")


@pytest.fixture(params=list(MODELS))
def cloud(request: pytest.FixtureRequest) -> Iterator[FakeCloud]:
    with FakeCloud(request.param) as server:
        yield server


def asked(cloud: FakeCloud, *prompts: Prompt, **settings: str) -> list[Completion[Review]]:
    environ = {"PRINCIPAL_MODEL": f"{cloud.cloud}:{MODELS[cloud.cloud]}", **cloud.settings(), **settings}

    async def story() -> list[Completion[Review]]:
        async with Models.build(Settings.load(environ), sleep=_at_once, random=lambda: 0.0) as models:
            assert models.review is not None
            return [await models.review.complete(prompt, Review) for prompt in prompts]

    return asyncio.run(story())


async def _at_once(_seconds: float) -> None:
    """Waits for nothing between two tries."""


def test_a_reply_comes_back_from_the_cloud_with_its_usage_and_the_cloud_knows_the_model(cloud: FakeCloud) -> None:
    cloud.will_reply(GOOD)
    (completion,) = asked(cloud, PROMPT)
    assert completion.reply == Review.model_validate(GOOD)
    assert completion.model == f"{cloud.cloud}:{MODELS[cloud.cloud]}"
    assert completion.usage.input_tokens > 3_000
    assert cloud.requests[0].model == MODELS[cloud.cloud]
    assert cloud.requests[0].schema is not None, "structured output is asked for"


def test_the_next_question_about_a_batch_is_read_from_the_cache(cloud: FakeCloud) -> None:
    cloud.will_reply(GOOD, times=2)
    other = Prompt(PROMPT.system, PROMPT.shared, PROMPT.body, 1_000, "verify", "Refute.")
    first, second = asked(cloud, PROMPT, other)
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens > 0.9 * second.usage.input_tokens


def test_a_busy_cloud_is_asked_again_and_a_cut_reply_is_none(cloud: FakeCloud) -> None:
    cloud.will_fail(503)
    cloud.will_reply(GOOD)
    assert asked(cloud, PROMPT)[0].reply == Review.model_validate(GOOD)
    cloud.answers(lambda _: Said('{"con', stop="length" if cloud.cloud == "azure" else "max_tokens"))
    with pytest.raises(PrincipalError) as failure:
        asked(cloud, PROMPT)
    assert failure.value.code is Code.MODEL_TRUNCATED


def test_a_wrong_key_is_told_without_showing_it(cloud: FakeCloud) -> None:
    names = {"azure": "AZURE_OPENAI_API_KEY", "bedrock": "AWS_BEARER_TOKEN_BEDROCK", "vertex": "ANTHROPIC_VERTEX_TOKEN"}
    with pytest.raises(PrincipalError) as failure:
        asked(cloud, PROMPT, **{names[cloud.cloud]: "wrong-key-of-nobody"})
    assert failure.value.code is Code.MODEL_UNAUTHORIZED
    assert "wrong-key-of-nobody" not in str(failure.value)


def test_the_path_names_what_the_cloud_bills(cloud: FakeCloud) -> None:
    cloud.will_reply(GOOD)
    asked(cloud, PROMPT)
    expected = {
        "azure": "/openai/deployments/reviews-eu/chat/completions?api-version=2024-10-21",
        "bedrock": "/model/eu.anthropic.claude-opus-4-1-20250805-v1:0/invoke",
        "vertex": "/projects/shop/locations/global/publishers/anthropic/models/claude-opus-4-1@20250805:rawPredict",
    }
    assert cloud.paths == [expected[cloud.cloud]]


@pytest.mark.parametrize(
    ("cloud", "variable"),
    [("azure", "AZURE_OPENAI_ENDPOINT"), ("bedrock", "AWS_REGION"), ("vertex", "ANTHROPIC_VERTEX_PROJECT_ID")],
)
def test_a_cloud_that_is_not_set_up_is_named_with_its_variable(cloud: str, variable: str) -> None:
    with pytest.raises(UserError, match=variable):
        Models.build(Settings.load({"PRINCIPAL_MODEL": f"{cloud}:some-model"}))


def test_a_cloud_that_nobody_names_is_left_alone() -> None:
    models = Models.build(Settings.load({"AWS_REGION": "eu-central-1", "OPENAI_API_KEY": "k" * 40}))
    assert models.review is not None
    assert models.review.name.startswith("openai:")
