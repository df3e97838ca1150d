"""What models may cost: at the end of a budget the rules go on reviewing and say so, and no budget is ever passed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

import pytest
import sqlalchemy as sa

from app.core.passes import passes
from app.core.prompt import Prompt
from app.core.purse import Limits
from app.core.reply import SummaryReply
from app.core.usage import Usage
from app.errors import Code, Permanent
from app.events import Place
from app.jobs.database import Database
from app.jobs.purse import EVERYWHERE, StoredPurse, ledger, under_way
from app.jobs.store import Store
from app.llm.models import Models
from app.settings import Settings
from tests.fakes import postgres
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, Bot, completed, environment

MODEL = "gpt-by-the-word"
PRICES = {
    "models": {
        MODEL: {
            "provider": "openai",
            "input_usd": 0,
            "cached_usd": 0,
            "output_usd": 1000,
            "max_output_tokens": 1000,
            "source": "made for this test: a call costs a dollar at most",
        }
    }
}
DOLLAR = json.dumps({"overview": "x" * (4000 - len('{"overview": ""}'))})
"""A reply of exactly a thousand tokens."""
BASE = "export const total = 1;\n"
UNSAFE = 'import https from "node:https";\n\nexport const agent = new https.Agent({ rejectUnauthorized: false });\n'


@pytest.fixture
def models():
    with FakeModels() as server:
        server.answers_instantly({"review": {"overview": "It opens connections.", "findings": []}})
        yield server


@pytest.fixture
def priced(models, tmp_path):
    """The settings of the model above, with its price."""
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(PRICES))
    return {**models.environment(), "PRINCIPAL_MODEL": f"openai:{MODEL}", "PRINCIPAL_PRICES": str(prices)}


def place(number):
    return Place(f"acme/shop-{number}", number + 1, 7, 9)


def reviewed(github, bot, name, *, with_code=UNSAFE):
    """The pull of a new repository, once it is reviewed."""
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    repository = github.create_repository(name, files={"src/a.js": BASE})
    pull = repository.open_pull(files={"src/agent.js": with_code}, title="Agent", body="")
    completed(pull)
    return repository, pull


def again(repository, pull):
    """The same repository's next pull, once it is reviewed."""
    later = repository.open_pull(files={f"src/agent{pull.number}.js": UNSAFE}, title="Agent", body="")
    completed(later)
    return later


def test_a_repository_whose_budget_is_used_up_is_reviewed_by_rules_and_told_so_and_the_others_go_on(
    github, models, priced, tmp_path
):
    budget = {"PRINCIPAL_REPOSITORY_BUDGET_USD": "1.01"}
    with Bot(environment(github, tmp_path, **priced, **budget)) as bot:
        repository, first = reviewed(github, bot, "acme/shop")
        assert "openai:gpt-by-the-word" in first.reviews[0].body
        asked = len(models.requests)
        second = again(repository, first)
        assert len(models.requests) == asked
        reviewed(github, bot, "acme/other")
        assert len(models.requests) > asked
    body = second.reviews[0].body
    note = "This repository's budget of \\$1.01 for today (UTC) is used up, so the rules reviewed alone (BUDGET_SPENT)"
    assert note in body
    assert [one.path for one in second.review_comments] == ["src/agent1.js"]
    assert "Not reviewed" not in body


def test_the_day_s_budget_holds_for_all_repositories_and_a_clean_change_says_that_rules_alone_saw_it(
    github, models, priced, tmp_path
):
    with Bot(environment(github, tmp_path, **priced, PRINCIPAL_DAILY_BUDGET_USD="0")) as bot:
        _, pull = reviewed(github, bot, "acme/shop", with_code=BASE.replace("1", "2"))
    assert models.requests == []
    (run,) = pull.check_runs
    assert run.output.title == "No problems found that are worth your time"
    assert "The budget of \\$0.00 for today (UTC) is used up, so the rules reviewed alone (BUDGET_SPENT)" in (
        run.output.summary + pull.reviews[0].body
    )


def test_a_deep_review_says_what_it_will_cost_before_the_first_model_is_asked(github, models, priced, tmp_path):
    hold = models.will_hang(purpose="review")
    with Bot(environment(github, tmp_path, **priced)) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        repository = github.create_repository("acme/shop", files={"src/a.js": BASE})
        repository.add_collaborator("alice", "write")
        pull = repository.open_pull(files={"src/agent.js": UNSAFE}, title="Agent", body="", deliver=False)
        pull.comment("/review deep", by="alice")
        models.wait_for_requests(1, within_seconds=90)
        (run,) = pull.check_runs
        hold.set()
        assert run.status == "in_progress"
        # A reply takes 2,000 tokens on average, at a dollar a thousand; reading is three quarters of all.
        said = r"Reviewing deeply: about \d+ k tokens, (\d+) calls that read, about \\?\$(\d+)\.\d\d"
        told = re.fullmatch(said, run.output.title)
        assert told, run.output.title
        calls, dollars = map(int, told.groups())
        assert calls == len(passes("deep").tasks)
        assert dollars == int(calls * 2 / 0.75)
        assert "A deep review of 1 hunk: about" in run.output.summary
        completed(pull)


def test_a_review_of_no_tokens_is_a_review_by_rules(github, models, priced, tmp_path):
    with Bot(environment(github, tmp_path, **priced, PRINCIPAL_MAX_TOKENS_PER_REVIEW="0")) as bot:
        _, pull = reviewed(github, bot, "acme/shop")
    assert models.requests == []
    assert "The review's token budget was used up, so the rules reviewed alone (BUDGET_SPENT)" in pull.reviews[0].body


def test_a_budget_is_refused_where_a_price_is_not_known(github, models, tmp_path):
    settings = {**models.environment(), "PRINCIPAL_MODEL": "openai:new", "PRINCIPAL_DAILY_BUDGET_USD": "5"}
    with (
        pytest.raises(Exception, match=r"the price of openai:new is not known: name it in PRINCIPAL_PRICES"),
        Bot(environment(github, tmp_path, **settings)),
    ):
        pass


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, tmp_path):
    """The stores of two processes on one PostgreSQL; SQLite belongs to one process, whose store it is twice."""
    with contextlib.ExitStack() as stack:
        if request.param == "postgresql":
            addresses = [stack.enter_context(postgres.address(stack.enter_context(postgres.any_server())))] * 2
        else:
            addresses = [f"sqlite:///{tmp_path / 'principal.db'}"]
        stores = []
        for address in addresses:
            database = Database(address)
            stack.callback(database.close)
            stores.append(Store(database))
            stores[-1].open()
        yield (stores * 2)[:2]


def test_calls_at_the_same_time_never_spend_more_than_the_budget(stores, models, priced):
    models.answers(lambda _: DOLLAR)
    prompt = Prompt(system="", shared="", body="Tell.", max_output_tokens=1000, purpose="summarise")

    async def spend():
        async with Models.build(Settings.load(priced)) as all_models:
            paid = [
                all_models.paid_by(
                    StoredPurse(store, Limits(daily_usd=3), place=place(number), longest_call_seconds=60)
                )
                for number, store in enumerate(stores)
            ]
            calls = [paid[number % 2].review.complete(prompt, SummaryReply) for number in range(12)]
            return await asyncio.gather(*calls, return_exceptions=True)

    ends = asyncio.run(spend())
    refused = [end for end in ends if isinstance(end, Permanent)]
    assert len(refused) == 9
    assert {end.code for end in refused} == {Code.BUDGET_SPENT}
    assert len(models.requests) == 3
    everything = sa.select(sa.func.sum(ledger.c.usd)).where(ledger.c.repository_id == EVERYWHERE)
    with stores[0].read() as connection:
        assert connection.scalar(everything) == 3
        assert connection.scalar(sa.select(sa.func.count()).select_from(under_way)) == 0


def test_what_a_dead_call_had_set_aside_counts_until_it_must_have_ended(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'principal.db'}")
    store = Store(database)
    store.open()

    def purse(longest_call_seconds):
        limits = Limits(repository_usd=1)
        return StoredPurse(store, limits, place=place(0), longest_call_seconds=longest_call_seconds)

    async def call_again():
        await purse(0.0).set_aside("openai:dead", 1.0)
        name = await purse(60.0).set_aside("openai:alive", 1.0)
        await purse(60.0).pay(name, "openai:alive", Usage(output_tokens=5, cost_usd=None, calls=1))
        with pytest.raises(Permanent, match=r"This repository's budget of \$1.00 for today"):
            await purse(60.0).set_aside("openai:late", 0.01)

    asyncio.run(call_again())
    with store.read() as connection:
        assert connection.execute(sa.select(ledger.c.repository_id, ledger.c.usd, ledger.c.output_tokens)).all() == [
            (EVERYWHERE, 1.0, 5),
            (place(0).repository_id, 1.0, 5),
        ]
    database.close()
