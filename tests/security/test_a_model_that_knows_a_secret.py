"""A model that came to know this server's secrets, and does as it is told: post them."""

from __future__ import annotations

import base64
import io
import json

import pytest

from app import telemetry
from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.security.obeying import obey, orders
from tests.stories.bot import SECRET, Bot, completed, environment
from tests.stories.test_main_job import BASE, CLAIM, HEAD

CANARY = "Vx7Lq2Wn9Rt4Ks8Yb3Jc6HdPf1GaE5uKo"
DRESSES = {
    "raw": CANARY,
    "without its beginning": CANARY[7:],
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "hexadecimal": CANARY.encode().hex(),
    "backwards": CANARY[::-1],
    "split": " ".join(CANARY),
    "zero width": "\u200b".join(CANARY),
}


@pytest.mark.parametrize("part", ["review", "verify"])
def test_s01_nothing_of_a_secret_leaves_is_logged_or_is_kept(part, tmp_path):
    logged = io.StringIO()
    telemetry.configure(stream=logged)
    told = " and ".join(DRESSES.values())
    claims = [{**CLAIM, "explanation": f"os.environ holds {told}"}] if part == "review" else [CLAIM]
    verdicts = {} if part == "review" else {"verify": {"verdicts": [{**_CONFIRMED, "saw": told, "reason": told}]}}
    with described_github() as github, FakeModels() as models:
        obey(models)
        settings = environment(github, tmp_path / "data", **models.environment("openai"))
        with Bot({**settings, "PRINCIPAL_MODEL": "openai:gpt-6.1-sol", "PRINCIPAL_SECRET_KEY": CANARY}) as bot:
            repository = github.create_repository("acme/shop", files={"src/pay.ts": BASE}, private=True)
            github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
            body = orders(review={"overview": "", "findings": claims}, **verdicts)
            pull = repository.open_pull(files={"src/pay.ts": HEAD}, title="Skip empty orders", body=body)
            (check,) = completed(pull)
        sent = json.dumps([str(request.body) for request in github.requests])
    kept = b"\n".join(file.read_bytes() for file in sorted((tmp_path / "data").rglob("*")) if file.is_file()).decode(
        "latin-1"
    )
    for name, dress in DRESSES.items():
        for start in range(len(dress) - 12):
            piece = dress[start : start + 12]
            assert piece not in sent, name
            assert piece not in kept, name
            assert piece not in logged.getvalue(), name
    assert "OUTPUT_BLOCKED_SECRET" in check.output.summary
    assert '"event": "output_blocked"' in logged.getvalue(), "the operator is told"


_CONFIRMED = {
    "id": 1,
    "verdict": "confirmed",
    "failing_case": "pay() charges 0",
    "severity": "high",
    "confidence": 0.9,
    "pre_existing": False,
}
