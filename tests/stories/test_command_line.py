"""The command line in a real checkout, run as a person runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.sandbox import Sandbox
from tests.fakes import contract
from tests.fakes.models import FakeModels

ROOT = Path(__file__).parents[2]
CLEAN = "export const one = 1;\n"
WAITING = """import { hostname } from "node:os";

export async function load(id: string) {
  const reply = await fetch(`${process.env.ITEMS_URL}/items/${id}?from=${hostname()}`);
  return reply.json();
}
"""


def git(folder, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "init.defaultBranch=main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def principal(*words, folder, stdin="", **environ):
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(folder / ".." / "cache"),
            "PRINCIPAL_MODEL": "none",
            **environ,
        },
    )


@pytest.fixture
def checkout(tmp_path):
    """A clone with an upstream, one commit behind its branch: `src/load.ts` waits without a limit."""
    origin, folder = tmp_path / "origin", tmp_path / "shop"
    origin.mkdir()
    git(origin, "init", "--bare", "-q")
    git(tmp_path, "clone", "-q", str(origin), "shop")
    (folder / "src").mkdir()
    (folder / "src" / "one.ts").write_text(CLEAN)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "First")
    git(folder, "push", "-q", "origin", "HEAD:main")
    git(folder, "fetch", "-q")
    git(folder, "checkout", "-qb", "feature")
    (folder / "src" / "load.ts").write_text(WAITING)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Load items")
    return folder


def snapshot(folder):
    return sorted(
        (str(path.relative_to(folder)), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    )


def test_what_the_branch_adds_is_reviewed_and_the_checkout_is_not_touched(checkout):
    before = snapshot(checkout)
    done = principal("review", folder=checkout)
    assert done.returncode == 0, done.stderr
    assert "src/load.ts:4:3  high  timeouts  " in done.stdout
    assert "\x1b" not in done.stdout
    assert snapshot(checkout) == before


def test_uncommitted_changes_are_part_of_it_and_staged_ones_can_be_reviewed_alone(checkout):
    git(checkout, "commit", "-q", "--allow-empty", "-m", "x")
    (checkout / "src" / "more.ts").write_text(WAITING)
    (checkout / "src" / "staged.ts").write_text(WAITING)
    git(checkout, "add", "src/staged.ts")
    everything = json.loads(principal("review", "--format", "json", folder=checkout).stdout)
    staged = json.loads(principal("review", "--staged", "--format", "json", folder=checkout).stdout)
    assert {one["path"] for one in everything["findings"]} == {"src/load.ts", "src/more.ts", "src/staged.ts"}
    assert {one["path"] for one in staged["findings"]} == {"src/staged.ts"}


def test_the_exit_code_says_whether_something_is_severe(checkout):
    assert principal("review", "--fail-on", "high", folder=checkout).returncode == 1
    assert principal("review", "--fail-on", "critical", folder=checkout).returncode == 0
    assert principal("review", "HEAD..HEAD", "--fail-on", "low", folder=checkout).returncode == 0


def test_a_diff_from_standard_input_needs_no_repository_and_marks_patches_unchecked(checkout, tmp_path):
    diff = git(checkout, "diff", "origin/main...HEAD") + "\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = principal("review", "--diff", "-", "--format", "markdown", folder=elsewhere, stdin=diff)
    assert done.returncode == 0, done.stderr
    assert "`src/load.ts:4`" in done.stdout
    assert "unchecked" in done.stdout


def test_sarif_is_written_to_a_file(checkout):
    done = principal("review", "--format", "sarif", "--output", "review.sarif", folder=checkout)
    assert done.returncode == 0, done.stderr
    log = json.loads((checkout / "review.sarif").read_text())
    assert log["version"] == "2.1.0"
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["timeouts"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["review", "nowhere...HEAD"], "nowhere"),
        (["review", "--diff", "none.diff"], "Cannot read none.diff"),
        (["review", "--diff", "-"], "There is no diff"),
        (["review", "--staged", "main...HEAD"], "Give one of"),
        (["review", "--post"], "--post needs"),
        (["review", "https://elsewhere.example/a/b/pull/1"], "not the address of a pull request"),
        (["persona", "show", "nobody"], "nobody"),
        (["persona", "check", "none"], "none"),
        (["rules", "explain", "vibes"], "vibes"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(checkout, words, said):
    done = principal(*words, folder=checkout)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_a_checkout_it_says_so(tmp_path):
    done = principal("review", folder=tmp_path)
    assert done.returncode == 2
    assert "git" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_upstream_it_says_what_to_type(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.ts").write_text(CLEAN)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "First")
    done = principal("review", folder=tmp_path)
    assert done.returncode == 2
    assert "..." in done.stderr


def test_a_model_that_fails_makes_the_review_incomplete(checkout):
    with FakeModels() as models:
        models.will_fail(401, times=20)
        environ = {**models.environment("anthropic"), "PRINCIPAL_MODEL": "anthropic:claude-sonnet-5"}
        done = principal("review", folder=checkout, **environ)
    assert done.returncode == 2
    assert "Not reviewed" in done.stdout
    assert "MODEL_UNAUTHORIZED" in done.stdout


def test_a_pull_request_is_read_and_posted_with_a_personal_token(tmp_path):
    with Sandbox() as github:
        repository = github.create_repository("acme/shop", files={"src/one.ts": CLEAN}, private=True)
        repository.add_collaborator("alice", "write")
        pull = repository.open_pull(files={"src/load.ts": WAITING}, title="Load", body="")
        environ = {
            "GITHUB_TOKEN": github.user_token("alice"),
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
        }
        read = principal("review", pull.url, folder=tmp_path, **environ)
        assert read.returncode == 0, read.stderr
        assert "src/load.ts:4:3" in read.stdout
        assert pull.reviews == []
        posted = principal("review", pull.url, "--post", folder=tmp_path, **environ)
        assert posted.returncode == 0, posted.stderr
        assert len(pull.reviews) == 1
        assert [status.state for status in pull.statuses][-1] == "success"
        assert pull.check_runs == []
        assert contract.violations(github.requests) == []


def test_personas_and_rules_are_listed_and_explained(checkout):
    personas = principal("persona", "list", folder=checkout).stdout
    assert "backend-principle-eng-typescript-pro-max" in personas
    assert "Backend Expert" in principal("persona", "show", "Backend Expert - Node.js", folder=checkout).stdout
    rules = principal("rules", "list", folder=checkout).stdout.splitlines()
    assert len(rules) == 41
    assert [line[0] for line in rules] == sorted(line[0] for line in rules)
    assert "Looked for" in principal("rules", "explain", "timeouts", folder=checkout).stdout


def test_a_skill_of_ones_own_is_checked_before_it_is_used(tmp_path):
    skill = tmp_path / "my-skill"
    skill.mkdir()
    (skill / "SKILL.md").write_text("# No front matter\n\nReview SQL.\n")
    done = principal("persona", "check", str(skill), folder=tmp_path)
    assert done.returncode in (0, 1)
    assert "my-skill" in done.stdout


def test_the_demo_reviews_the_sample_by_rules_and_ends_where_nobody_watches(tmp_path):
    done = principal("demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Three problems worth fixing before merge" in done.stdout
    assert "http://127.0.0.1:" in done.stdout
    assert "Reviewed by rules only" in done.stdout


def test_the_demo_uses_the_model_that_a_key_is_set_for(tmp_path):
    with FakeModels() as models:
        models.answers_instantly({"review": {"overview": "It charges orders.", "findings": []}})
        done = principal("demo", folder=tmp_path, PRINCIPAL_MODEL="", **models.environment("anthropic"))
        assert done.returncode == 0, done.stderr
        assert "It charges orders." in done.stdout
        assert "Reviewed by rules only" not in done.stdout
        assert models.requests


# --- rules on examples and on whole trees -----------------------------------------------------------------------------

SERVED = 'import http from "node:http";\nexport const load = () => fetch(`${process.env.GATEWAY}/items`);\n'
OWN_RULE = """\
id: no-eval
title: Nothing is evaluated
category: security
kind: bug
severity: high
languages: [javascript]
summary: Never evaluate text.
guidance: {{}}
detectors:
  - name: eval
    languages: [javascript]
    strength: weak
    ast: {{ pattern: "eval($CODE)" }}
    examples:
      match: ["{match}"]
"""


def tree(folder):
    """A small tree: a service with a call that waits for ever, and things nobody wrote by hand."""
    for path, text in {
        "src/a.ts": SERVED,
        "node_modules/b/index.js": SERVED,
        "dist/bundle.min.js": SERVED,
        "image.png": "\x00",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def own_rule(folder, match="eval(x)"):
    file = folder / "rules" / "security" / "no-eval.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(OWN_RULE.format(match=match))
    return file


def test_a_tree_is_scanned_and_each_finding_has_its_place(tmp_path):
    done = principal("rules", "scan", str(tree(tmp_path)), "--fail-on", "low", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("src/a.ts:2:1  high  timeouts/")
    assert "1 finding in" in done.stderr
    assert "Scanning:" in done.stderr


def test_a_scan_is_written_for_programs_too(tmp_path):
    tree(tmp_path)
    written = json.loads(principal("rules", "scan", str(tmp_path), "--format", "json", folder=tmp_path).stdout)
    (finding,) = written["findings"]
    assert (finding["path"], finding["line"], finding["rule"], finding["strong"]) == ("src/a.ts", 2, "timeouts", True)
    log = json.loads(principal("rules", "scan", str(tmp_path), "--format", "sarif", folder=tmp_path).stdout)
    (result,) = log["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/a.ts"
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_a_scan_of_one_file_or_one_rule(tmp_path):
    tree(tmp_path)
    one = principal("rules", "scan", str(tmp_path / "src" / "a.ts"), folder=tmp_path)
    assert one.stdout.startswith("a.ts:2:1")
    assert principal("rules", "scan", str(tmp_path), "--rule", "secrets", folder=tmp_path).stdout == ""
    assert principal("rules", "scan", str(tmp_path), "--rule", "nothing", folder=tmp_path).returncode == 2
    assert principal("rules", "scan", str(tmp_path / "nowhere"), folder=tmp_path).returncode == 2


def test_a_broken_rule_of_ones_own_is_named_with_its_place_and_the_others_run(tmp_path):
    tree(tmp_path)
    broken = own_rule(tmp_path)
    broken.write_text(broken.read_text().replace("strength: weak", "strength: loud"))
    done = principal("rules", "scan", str(tmp_path), folder=tmp_path, PRINCIPAL_RULES=str(tmp_path / "rules"))
    assert done.returncode == 2
    assert "src/a.ts:2:1" in done.stdout
    assert f"{broken}:12: not a rule, so it is left out: `detectors.1.strength`" in done.stderr


def test_evidence_is_told_only_when_asked_for(tmp_path):
    (tmp_path / "a.js").write_text("eval(input);\n")
    own_rule(tmp_path)
    own = {"PRINCIPAL_RULES": str(tmp_path / "rules")}
    asked = ["rules", "scan", str(tmp_path / "a.js"), "--rule", "no-eval"]
    assert principal(*asked, folder=tmp_path, **own).stdout == ""
    assert "no-eval/eval" in principal(*asked, "--weak", folder=tmp_path, **own).stdout


def test_the_examples_of_rules_are_run(tmp_path):
    good = principal("rules", "test", str(own_rule(tmp_path)), folder=tmp_path)
    assert good.returncode == 0, good.stderr
    assert "ok    no-eval" in good.stdout
    bad = principal("rules", "test", str(own_rule(tmp_path, match="run(x)").parent), folder=tmp_path)
    assert bad.returncode == 1
    assert "eval (javascript): does not match" in bad.stdout
    mistaken = own_rule(tmp_path)
    mistaken.write_text(mistaken.read_text().replace('pattern: "eval($CODE)"', "kind: a_call"))
    refused = principal("rules", "test", str(mistaken), folder=tmp_path)
    assert refused.returncode == 1
    assert "eval (javascript): `ast` is refused for javascript: Kind `a_call` is invalid" in refused.stdout
    broken = own_rule(tmp_path)
    broken.write_text("id: [")
    refused = principal("rules", "test", str(broken), folder=tmp_path)
    assert refused.returncode == 2
    assert f"{broken}:2: not a rule" in refused.stderr
    assert principal("rules", "test", str(tmp_path / "nowhere"), folder=tmp_path).returncode == 2


def test_a_rule_is_explained_with_its_examples(tmp_path):
    told = principal("rules", "explain", "timeouts", folder=tmp_path).stdout
    assert "posted on its own" in told
    assert "leaves alone:" in told


# --- both sides of a change -------------------------------------------------------------------------------------------

ROUTE_GONE = """\
id: routes-stay
title: Routes stay
category: correctness
kind: design
severity: high
languages: [typescript]
summary: Keep the routes that clients call.
guidance: {}
detectors:
  - name: route-gone
    languages: [typescript]
    strength: strong
    ast: { pattern: "app.get($PATH, $HANDLER)" }
    compare: { gone: "{PATH}" }
    answer:
      title: "{PATH} is gone"
      explanation: Whoever calls it gets a 404.
      missing: { repro: none, root_cause: none, test: none, risk: none }
    examples:
      match:
        - before: app.get("/a", a);
          code: app.get("/b", a);
"""


def test_what_a_change_takes_away_is_told_on_the_removed_line_and_what_stood_there_is_pre_existing(checkout):
    rules = checkout.parent / "rules" / "correctness" / "routes-stay.yml"
    rules.parent.mkdir(parents=True)
    rules.write_text(ROUTE_GONE)
    routes = checkout / "src" / "routes.ts"
    routes.write_text(WAITING + 'app.get("/a", a);\napp.get("/b", b);\n')
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "Add routes")
    git(checkout, "push", "-q", "origin", "HEAD:main")
    git(checkout, "fetch", "-q")
    routes.write_text(WAITING + "app.get('/b', b);\n")
    (checkout / "src" / "more.ts").write_text("app.get('/c', c);\n")
    done = principal("review", "--format", "json", folder=checkout, PRINCIPAL_RULES=str(rules.parent.parent))
    told = {one["rule"]: one for one in json.loads(done.stdout)["findings"] if one["path"] == "src/routes.ts"}
    gone = told["routes-stay"]
    assert (gone["side"], gone["start_line"], gone["title"]) == ("LEFT", 7, '"/a" is gone')
    assert gone["placement"] == "inline"
    assert (told["timeouts"]["placement"], told["timeouts"]["start_line"]) == ("pre_existing", 4)
    assert "Pre-existing, in the files this change touches" in principal("review", folder=checkout).stdout


def test_a_command_waits_only_for_the_libraries_that_it_needs():
    """A service's libraries take a second to import, and the rules need none of them."""
    asked = (
        "import sys; from app.cli import main\n"
        "try: main()\n"
        "finally: sys.exit(any(name in sys.modules for name in ('dbos', 'fastapi', 'github', 'anthropic', 'app.review')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, "rules", "explain", "timeouts"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"timeout" in done.stdout
