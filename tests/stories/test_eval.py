"""`principal eval` over a language-model server on loopback: what is asked, what is kept, what a person gets to see."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.evaluation import store
from app.evaluation.scoring import scores
from app.evaluation.values import PRINCIPAL, SINGLE, Run
from tests.fakes.models import FakeModels, ModelRequest

ROOT = Path(__file__).resolve().parents[2]
BASE = "export function pay(total: number) {\n  return charge(total);\n}\n"
HEAD = BASE.replace("  return", "  if (total = 0) return;\n  return")
CASE = """\
title: Charge nothing for nothing
language: TypeScript
expect:
  - path: src/pay.ts
    quote: if (total = 0) return;
    text: The total is set to zero, so nobody is charged.
reject:
  - path: src/pay.ts
    lines: 3
    topic: maintainability
    text: The function needs a comment.
"""
CLAIM = {
    "kind": "bug",
    "category": "correctness",
    "rule": "",
    "severity": "high",
    "confidence": 0.9,
    "path": "src/pay.ts",
    "line": 2,
    "quote": "  if (total = 0) return;",
    "title": "The total is set instead of compared",
    "explanation": "Nobody is charged.",
    "scenario": "An order of 10 is charged 0.",
    "assumptions": [],
}
LOST = {**CLAIM, "quote": "  if (total === 7) explode();", "title": "Something that stands nowhere"}
VERDICT = {
    "id": 1,
    "verdict": "confirmed",
    "failing_case": "pay(10) charges 0",
    "reason": "it assigns",
    "saw": "pay()",
    "severity": "high",
    "confidence": 0.95,
    "pre_existing": False,
}
PLAIN = {
    "path": "src/pay.ts",
    "first_line": 3,
    "last_line": 3,
    "quote": "  return charge(total);",
    "title": "Where is the comment?",
    "explanation": "The function has none.",
    "severity": "low",
    "category": "experience",
    "confidence": 0.5,
}


def the_judge(request: ModelRequest) -> dict[str, Any]:
    """Says that a comment tells of the remark that shares its subject."""
    remarks = {"zero": "", "comment": ""}
    for number, text in re.findall(r'name="remark (\d+)">(.*?)</data', request.user, re.DOTALL):
        remarks["comment" if "comment" in text else "zero"] = number
    said = re.findall(r'name="comment (\d+)">(.*?)</data', request.user, re.DOTALL)
    return {
        "comments": [
            {
                "comment": int(number),
                "remarks": [int(remarks["comment" if "comment" in text else "zero"])],
                "reason": "the same problem",
            }
            for number, text in said
        ]
    }


@pytest.fixture
def models() -> Iterator[FakeModels]:
    with FakeModels() as server:
        server.answers_instantly(
            {
                "review": {"overview": "It charges.", "findings": [CLAIM, LOST]},
                "verify": {"verdicts": [VERDICT]},
                "single": {"problems": [PLAIN]},
                "judge": the_judge,
            }
        )
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return add_case(tmp_path / "cases" / "pay")


def add_case(folder: Path, *, case: str = CASE) -> Path:
    for side, text in (("base", BASE), ("head", HEAD)):
        (folder / side / "src").mkdir(parents=True)
        (folder / side / "src" / "pay.ts").write_text(text)
    (folder / "case.yml").write_text(case)
    return folder


def environment(folder: Path, models: FakeModels) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PRINCIPAL_MODEL": "openai:gpt-6.1-sol",
        **models.environment("openai"),
    }


def evaluated(folder: Path, models: FakeModels, *words: str, out: str = "out") -> subprocess.CompletedProcess[str]:
    """`principal eval` over the cases in the folder, with its results beside them."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", "eval", "cases", "--out", out, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=environment(folder, models),
    )


def made(folder: Path, out: str = "out") -> Run:
    return store.read(folder / out)


def test_both_reviewers_are_judged_scored_and_shown_and_a_second_run_asks_nobody(tmp_path, shop, models):
    done = evaluated(tmp_path, models)
    assert done.returncode == 0, done.stderr
    run = made(tmp_path)
    story, single = scores(run, PRINCIPAL), scores(run, SINGLE)
    # The story says the one thing that is expected; the plain prompt says what people judged not valid.
    assert (story.score.total.precision, story.score.total.recall) == (1.0, 1.0)
    assert (single.score.total.met, single.score.total.invalid_met) == (0, 1)
    assert (story.funnel.claimed, story.funnel.misplaced, story.funnel.said) == (2, 1, 1)
    assert (story.conduct.exact_quotes, story.conduct.quotes) == (1, 2)
    assert (story.conduct.whole, story.conduct.answered) == (1, 1)
    assert [stage.stage for stage in story.stages] == ["review", "verify", "fix"]
    assert "principal F1 100% by meaning at 1.00 comments a pull" in done.stdout
    asked = len(models.requests)

    again = evaluated(tmp_path, models)
    assert len(models.requests) == asked
    assert "0 calls bought" in again.stdout
    assert scores(made(tmp_path), PRINCIPAL).usage == story.usage  # What it cost when it was bought is still told.


def test_the_report_shows_what_was_said_beside_what_was_expected_and_loads_nothing(tmp_path, shop, models):
    assert evaluated(tmp_path, models).returncode == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "The total is set instead of compared" in page
    assert "The total is set to zero, so nobody is charged." in page
    assert "expected, found" in page
    assert "people judged this not valid" in page
    assert not re.findall(r"""(?:src|href)=|@import|url\(|<script""", page)
    numbers = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert numbers["reviewers"]["principal"]["scores"]["meaning"]["rates"]["f1"] == 1.0
    assert numbers["added"]["metrics"]["f1"]["value"] == 1.0


def test_text_from_a_case_is_shown_and_never_run(tmp_path, models):
    case = CASE.replace("so nobody is charged", "<script>alert(1)</script>")
    add_case(tmp_path / "cases" / "pay", case=case)
    assert evaluated(tmp_path, models).returncode == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_part_is_left_out_by_name_and_only_what_it_touches_is_asked_anew(tmp_path, shop, models):
    assert evaluated(tmp_path, models).returncode == 0
    before = len(models.requests)
    done = evaluated(tmp_path, models, "--without", "verify", "--without", "fix", "--against", "out", out="other")
    assert done.returncode == 0, done.stderr
    assert made(tmp_path, "other").options == ("without verify", "without fix")
    # The same review prompt and the same comment's words but for the verdict's: only the judge reads something new.
    assert {request.schema_name for request in models.requests[before:]} <= {"JudgeReply"}
    assert [stage.stage for stage in scores(made(tmp_path, "other"), PRINCIPAL).stages] == ["review"]
    assert "now against before" in done.stdout


def test_an_unknown_part_is_refused_with_the_names_there_are(tmp_path, shop, models):
    done = evaluated(tmp_path, models, "--without", "context.moon")
    assert done.returncode == 2
    assert "context.callers" in done.stderr


def test_two_runs_are_compared(tmp_path, shop, models):
    assert evaluated(tmp_path, models).returncode == 0
    words = [
        sys.executable,
        "-P",
        "-m",
        "app",
        "eval",
        "compare",
        "out",
        "out",
        "--reviewer",
        "single",
        "--format",
        "json",
    ]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment(tmp_path, models)
    )
    assert json.loads(done.stdout)["metrics"]["f1"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_case_whose_model_fails_is_reported_and_the_others_are_still_measured(tmp_path, shop, models):
    add_case(tmp_path / "cases" / "second", case=CASE.replace("Charge nothing", "Unlucky charge of nothing"))
    (tmp_path / "cases" / "third").mkdir()
    (tmp_path / "cases" / "third" / "case.yml").write_text("titel: x\n")

    def unlucky(request: ModelRequest) -> Any:
        if "Unlucky" in request.user:
            return "no JSON"
        return {"overview": "It charges.", "findings": [CLAIM]}

    models.answers_instantly(
        {"review": unlucky, "verify": {"verdicts": [VERDICT]}, "single": {"problems": []}, "judge": the_judge}
    )
    done = evaluated(tmp_path, models)
    assert done.returncode == 2
    assert "second, principal:" in done.stdout, done.stdout
    assert "MODEL_REPLY_BROKEN" in done.stdout
    assert "third: titel" in done.stdout
    found = scores(made(tmp_path), PRINCIPAL)
    assert (found.failed, found.score.total.expected, found.score.total.met) == (1, 2, 1)
    assert [case.name for case in made(tmp_path).cases] == ["pay", "second", "third"]


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path, shop, models):
    """The process dies while the sceptic is asked. The next run asks the sceptic, and not what was answered before."""
    models.will_hang(purpose="verify")
    words = [sys.executable, "-P", "-m", "app", "eval", "cases", "--out", "out"]
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment(tmp_path, models),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        models.wait_for_requests(2, within_seconds=90.0)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert [request.schema_name for request in models.requests] == ["ReviewReply", "VerifyReply"]
    assert evaluated(tmp_path, models).returncode == 0
    assert len(models.asked_for("review")) == 1
    assert len(models.asked_for("verify")) == 2


def test_without_a_server_questions_and_answers_are_files(tmp_path, shop, models):
    """Each run goes one stage further than the answers that lie there."""
    words = ("--by-hand", "--replies", "by-hand", "--no-baseline", "--without", "fix")
    done = evaluated(tmp_path, models, *words)
    assert done.returncode == 2
    assert "nobody has written" in done.stdout
    answers = (
        {"overview": "", "findings": [CLAIM]},
        {"verdicts": [VERDICT]},
        {"comments": [{"comment": 1, "remarks": [1], "reason": "the same"}]},
    )
    for answer in answers:
        (asked,) = [
            path
            for path in (tmp_path / "by-hand").glob("*.prompt.md")
            if not path.with_name(path.name.replace(".prompt.", ".reply.")).exists()
        ]
        asked.with_name(asked.name.replace(".prompt.", ".reply.")).write_text(json.dumps(answer))
        done = evaluated(tmp_path, models, *words)
    assert done.returncode == 0, done.stdout
    assert scores(made(tmp_path), PRINCIPAL).score.total.f1 == 1.0
    assert models.requests == []


def test_our_own_cases_run_with_no_key(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app", "eval", str(ROOT / "benchmarks" / "cases"), "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PRINCIPAL_MODEL": "none",
        },
    )
    assert done.returncode == 0, done.stderr
    total = scores(made(tmp_path), PRINCIPAL).score.total
    assert (total.precision, total.clean_comments) == (1.0, 0)
    assert total.met >= 3


def test_each_part_of_the_context_can_be_left_out_of_the_prompt(tmp_path, models):
    """The change alters the signature of `pay`, which a shop uses, and calls `convert`, which another file defines."""
    folder = tmp_path / "cases" / "pay"
    shop = 'import { pay } from "./pay.ts";\n\nexport const buy = () => pay(10);\n'
    rates = "export function convert(total: number) {\n  return total * 2;\n}\n"
    padding = "".join(f"// {number}\n" for number in range(12))
    before = f"{BASE}{padding}export class Till {{\n  close() {{\n{padding}    return 1;\n  }}\n}}\n"
    after = before.replace("pay(total: number)", "pay(total: number, tip: number)").replace(
        "    return 1;", "    return convert(1);"
    )
    for side, text in (("base", before), ("head", after)):
        (folder / side / "src").mkdir(parents=True)
        twin = BASE.replace("total", "sum")
        tested = 'import { pay } from "./pay.ts";\n\ntest("pays", () => pay(1));\n'
        others = (("shop.ts", shop), ("rates.ts", rates), ("cash.ts", twin), ("till.test.ts", tested))
        for name, content in (("pay.ts", text), *others):
            (folder / side / "src" / name).write_text(content)
    (folder / "case.yml").write_text("title: Take a tip\n")
    words = {
        "definitions": "defines convert",
        "callers": "uses pay",
        "enclosing": "around the change",
        "tests": "tests pay",
        "siblings": "another pay",
    }

    def shown(*without: str) -> set[str]:
        asked = len(models.requests)
        switches = [word for name in without for word in ("--without", name)]
        done = evaluated(
            tmp_path, models, "--no-baseline", "--judge", "none", *switches, out="-".join(without) or "all"
        )
        assert done.returncode == 0, done.stderr
        prompts = [request.user for request in models.requests[asked:] if request.is_for("review")]
        return {name for name, said in words.items() if any(said in prompt for prompt in prompts)}

    assert shown() == set(words)
    assert shown("context.callers", "context.siblings") == {"definitions", "enclosing", "tests"}
    assert shown("context.definitions", "context.enclosing", "context.tests") == {"callers", "siblings"}
