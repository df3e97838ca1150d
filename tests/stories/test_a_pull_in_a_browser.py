"""The summary comment, the review and its comments as a person sees them: drawn pages in a real browser."""

from __future__ import annotations

import pytest

from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, Bot, completed, environment
from tests.stories.test_increments import AGENT, NIGHTLY, SAFE
from tests.stories.test_main_job import BASE, CLAIM, FIX, HEAD, VERDICT
from tests.stories.test_setup_in_a_browser import CHROMIUM, PICTURES, chromium

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
    pytest.mark.timeout(300),
]
KNOWN = "  // principal-ignore async-io -- the process outlives every order"
FLOW = [
    {"source": "pay()", "target": "gateway", "what": "card, total", "fate": "changed"},
    {"source": "gateway", "target": 'ledger"] --> x; click x "https://evil.example"', "what": "", "fate": "kept"},
    {"source": "pay()", "target": "mail", "what": "receipt", "fate": "removed"},
]
WIDTHS = {"wide": 1280, "narrow": 560}


def test_the_summary_and_the_comments_read_well_on_a_drawn_page(tmp_path):
    with described_github() as github, FakeModels() as models:
        models.answers_instantly(
            {
                "review": {"overview": "It charges orders.", "findings": [CLAIM], "flow": FLOW},
                "verify": {"verdicts": [VERDICT]},
                "fix": FIX,
            }
        )
        model = {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
        with Bot(environment(github, tmp_path, **model)) as bot, chromium() as page:
            github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
            repository = github.create_repository("acme/shop", files={"src/pay.ts": BASE})
            github.grant(contents="write")
            quiet = NIGHTLY.replace("  orders.forEach", f"{KNOWN}\n  orders.forEach")
            files = {"src/pay.ts": HEAD, "lib/net/agent.js": AGENT, "lib/nightly.js": quiet}
            pull = repository.open_pull(files=files, title="Skip empty orders", body="Nothing to pay.")
            completed(pull)
            troubles: list[str] = []
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.goto(pull.url)

            summary = page.locator("article.card").filter(has_text="What this pull request changes")
            assert summary.count() == 1
            assert summary.get_by_text("It charges orders.").is_visible()
            rows = [row.inner_text().split("\t") for row in summary.locator("table").first.locator("tbody tr").all()]
            assert rows == [
                ["lib/", "+6 −0", "nightly.js"],
                ["lib/net/", "+3 −0", "agent.js"],
                ["src/", "+1 −0", "pay.ts"],
            ]
            assert summary.get_by_text("about 5 minutes").is_visible()
            assert summary.get_by_text("2 open, 1 silenced").is_visible()
            drawn = summary.locator("pre").inner_text()
            assert 'n0 ==>|"changed: card, total"| n1' in drawn
            assert 'n0 -.->|"gone: receipt"| n3' in drawn
            assert "//" not in drawn, "an address in a name leads nowhere"
            assert 'n1["gateway"]' in drawn
            assert summary.locator("a").count() == 0, "nothing in it can be clicked"

            review = page.locator("article.card[id^=review-]").first
            assert review.get_by_text("Silenced by comments in the code:").is_visible()
            assert review.get_by_text("added by this change").is_visible()
            comment = page.locator("article.thread").filter(has_text="instead of compared")
            assert comment.get_by_text("Every order is charged nothing.").is_visible()
            test = comment.get_by_text("charges the sum")
            assert not test.is_visible()
            comment.get_by_text("Test that proves it").click()
            assert test.first.is_visible()

            models.answers_instantly(
                {"review": {"overview": "It trusts certificates again.", "findings": [], "flow": []}}
            )
            pull.push({"lib/net/agent.js": SAFE})
            completed(pull, runs=2)
            page.goto(pull.url)
            assert summary.get_by_text("1 open, 1 fixed, 1 silenced").is_visible()
            assert summary.get_by_text("It charges orders.").is_visible(), "what the whole does is still told"
            assert summary.get_by_text("It trusts certificates again.").is_visible()
            assert summary.locator("pre").inner_text() == drawn
            struck = summary.locator("del, s")
            assert "This code accepts any TLS certificate" in struck.all_inner_texts()
            fixed = page.locator("article.thread.resolved")
            assert fixed.count() == 1

            for name, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 900})
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wider <= 0, f"the {name} page scrolls sideways"
                if PICTURES:
                    page.screenshot(path=f"{PICTURES}/pull-{name}.png", full_page=True)
            assert troubles == []
