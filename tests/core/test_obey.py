"""What a policy makes of rules, findings and files."""

from __future__ import annotations

from app.core import obey
from app.core.finding import Filter, Severity
from app.core.obey import Wish
from app.core.options import Options
from app.core.policy import Policies, parse, parse_folder
from app.core.rule import Evidence, Strength
from tests.core.values import rule, verified

ROOT = """
min_severity: medium
max_comments: 2
effort: quick
rules: {retries: off, timeouts: critical, authz: low}
instructions:
  - {paths: "src/**", text: Amounts are in cents.}
  - {paths: "**/*.ts", text: No default exports.}
"""
FOLDER = """
rules: {retries: high, timeouts: off}
min_severity: low
instructions:
  - {paths: "*.ts", text: Every route checks the tenant.}
"""
POLICIES = Policies(parse(ROOT), (parse_folder(FOLDER, folder="src/api"),))


def test_a_finding_has_the_policy_s_severity_and_is_held_against_its_least():
    made = obey.obey([verified(), verified(rule="retries"), verified(rule="authz"), verified(rule=None)], POLICIES)
    assert [(one.finding.rule, one.finding.severity) for one in made.kept] == [
        ("timeouts", Severity.CRITICAL),
        (None, Severity.HIGH),
    ]
    assert [(one.finding.rule, one.reason, one.by) for one in made.rejected] == [
        ("retries", "its rule is off here (`rules`)", Filter.POLICY),
        ("authz", "less severe than `min_severity`", Filter.POLICY),
    ]


def test_the_nearest_folder_has_the_last_word_about_its_files():
    made = obey.obey([verified(path="src/api/a.ts", rule=name) for name in ("timeouts", "retries", "authz")], POLICIES)
    assert [(one.finding.rule, one.finding.severity) for one in made.kept] == [
        ("retries", Severity.HIGH),
        ("authz", Severity.LOW),
    ]


def test_a_rule_is_silent_only_where_nobody_lets_it_speak():
    seen = [
        Evidence(name, "detector", Strength.WEAK, path, 1, 1, "x")
        for name in ("timeouts", "retries")
        for path in ("src/a.ts", "src/api/a.ts")
    ]
    assert [(one.rule, one.path) for one in obey.heard(seen, POLICIES)] == [
        ("timeouts", "src/a.ts"),
        ("retries", "src/api/a.ts"),
    ]
    spoken = obey.speaking([rule(), rule(id="retries")], POLICIES)
    assert [one.id for one in spoken] == ["timeouts", "retries"], "a folder lets it speak again"
    assert obey.speaking([rule(id="retries")], Policies(parse(ROOT))) == (), "and otherwise it is silent"


def test_reviewers_are_told_each_instruction_once_with_the_files_it_is_about():
    paths = ["src/a.ts", "src/api/b.ts", "src/c.sql", "src/a.ts", "README.md"]
    assert obey.wishes(paths, POLICIES) == (
        Wish("Amounts are in cents.", ("src/a.ts", "src/api/b.ts", "src/c.sql")),
        Wish("No default exports.", ("src/a.ts", "src/api/b.ts")),
        Wish("Every route checks the tenant.", ("src/api/b.ts",)),
    )
    assert obey.wishes(["README.md"], POLICIES) == ()


def test_the_policy_sets_options_and_leaves_those_it_does_not_name():
    assert obey.chosen(Options(effort="deep"), parse(ROOT)) == Options(effort="quick", comments=2)
    assert obey.chosen(Options(effort="deep"), parse("")).effort == "deep"
