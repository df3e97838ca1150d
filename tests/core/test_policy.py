"""A repository's policy: what its text means, and what is said about a text that means nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import policy, strict
from app.core.broken_policy import BrokenPolicy
from app.core.finding import Severity
from app.core.policy import Part, Policies, Policy, parse, parse_folder

EVERYTHING = """\
extends: house-rules
personas: backend-principle-eng-typescript-pro-max
effort: deep
min_severity: medium
max_comments: 8
paths:
  include: [src/, "*.sql"]
  exclude: ["**/generated/**"]
instructions:
  - paths: "src/api/**"
    text: Every route checks the tenant.
rules:
  timeouts: off
  retries: high
  authz: {severity: critical}
drafts: true
authors: [renovate-runner]
labels: {only: [ready], skip: [no-review]}
titles: "WIP*"
base_branches: [main, release/*]
max_changed_lines: 5000
bots: off
automatic: false
shadow: true
language: Deutsch
summary: false
guidance: false
fail_on: high
"""


def test_every_key_is_read():
    read = parse(EVERYTHING)
    assert set(read.model_fields_set) == set(Policy.model_fields)
    assert read.personas == ("backend-principle-eng-typescript-pro-max",)
    assert read.rules["timeouts"].off
    assert read.rules["retries"].severity is Severity.HIGH
    assert read.rules["authz"].severity is Severity.CRITICAL
    assert read.authors.skip == ("renovate-runner",)
    assert (read.labels.only, read.labels.skip) == (("ready",), ("no-review",))
    assert read.titles.skip == ("WIP*",)
    assert read.bots == "off"


def test_an_empty_file_is_a_policy_of_defaults():
    assert parse("") == parse("# nothing yet\n") == Policy()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_severty: high\n", "`min_severty` is not a key; did you mean `min_severity`?"),
        ("effort: deep\nmax_coments: 3\nzzz: 1\n", "2: `max_coments` is not a key; did you mean `max_comments`?"),
        ("paths:\n  exclud: [a]\n", "2: `paths.exclud` is not a key; did you mean `exclude`?"),
        ("rules:\n  timeouts: often\n", "2: `rules.timeouts` must be 'critical', 'high', 'medium' or 'low'"),
        ("max_comments: 99\n", "1: `max_comments` must be at most 30"),
        ("max_comments: -1\n", "1: `max_comments` must be at least 0"),
        ("instructions:\n  - paths: src/**\n", "2: `instructions.1` lacks `text`"),
        ("paths: {exclude: ['../secrets']}\n", "1: `paths.exclude.1` must not leave the repository with `..`"),
        ("extends: https://example.net/a.yml\n", "1: `extends` must be the name of a repository"),
        ("- effort\n", "1: must hold keys with values"),
        ("effort: quick\neffort: deep\n", "2: the key `effort` stands twice"),
        ("a: &x 1\nb: *x\n", "1: anchors and aliases are not taken"),
        ("base_url: http://127.0.0.1\n", "1: `base_url` is not a key"),
        ("effort: [quick\n", ".github/principal.yml:2: not YAML"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(text, said):
    with pytest.raises(BrokenPolicy) as broken:
        parse(text)
    assert said in str(broken.value)


def test_everything_that_is_wrong_is_said_in_the_order_of_its_lines():
    with pytest.raises(BrokenPolicy) as broken:
        parse("drafts: perhaps\nmax_coments: 2\nrules:\n  timeouts: loud\nmax_comments: 99\nbots: all\n")
    assert [str(one) for one in broken.value.problems] == [
        ".github/principal.yml:1: `drafts` must be `true` or `false`",
        ".github/principal.yml:2: `max_coments` is not a key; did you mean `max_comments`?",
        ".github/principal.yml:4: `rules.timeouts` must be 'critical', 'high', 'medium' or 'low'",
        ".github/principal.yml:5: `max_comments` must be at most 30",
        ".github/principal.yml:6: `bots` must be 'off', 'supply-chain' or 'full'",
    ]


def test_a_policy_that_is_too_long_is_refused_unread():
    with pytest.raises(BrokenPolicy, match="longer than"):
        parse("#" * (policy.LONGEST_POLICY + 1))


@pytest.mark.parametrize(
    "word", ["url", "key", "token", "command", "host", "endpoint", "exec", "include_file", "model"]
)
def test_no_key_can_send_anything_anywhere(word):
    """Whoever can change the file changes how a review reads, and nothing else."""
    assert word not in json.dumps(sorted(_all_keys(policy.schema())))


def test_the_published_schema_is_the_one_in_the_code_and_takes_what_the_parser_takes():
    published = json.loads(Path("docs/schemas/policy.schema.json").read_text("utf-8"))
    assert published == policy.schema()
    widened = strict.load(EVERYTHING).value
    jsonschema.validate(widened, published)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"effrt": "deep"}, published)


@given(st.text(max_size=300))
def test_any_text_is_a_policy_or_is_refused_with_a_line(text):
    broken = _why_not(text)
    last = 2 + sum(text.count(end) for end in "\n\r\x85\u2028\u2029")
    assert broken is None or all(1 <= one.line <= last for one in broken.problems)


# --- which file it applies to -----------------------------------------------------------------------------------------


def test_a_folder_adds_to_the_root_and_has_the_last_word_on_rules():
    root = parse(EVERYTHING)
    near = parse_folder(
        "rules: {timeouts: low}\ninstructions: [{paths: '*.ts', text: Mind the queue.}]\nmin_severity: high\n"
        "paths: {exclude: [old/]}\n",
        folder="src/api",
    )
    whole = Policies(root, (near,))
    orders = whole.of("src/api/orders.ts")
    assert orders.instructions == ("Every route checks the tenant.", "Mind the queue.")
    assert orders.says("timeouts")
    assert orders.severity("timeouts", Severity.HIGH) is Severity.LOW
    assert orders.min_severity is Severity.HIGH
    assert not whole.of("src/jobs/queue.ts").says("timeouts")
    assert whole.why_excluded("src/api/old/orders.ts")
    assert whole.of("src/api/old/orders.ts").excluded == "excluded by `paths.exclude` of src/api/.principal.yml"
    assert not whole.why_excluded("src/old/orders.ts")


def test_a_folder_cannot_take_back_what_the_root_excludes():
    root = parse("paths: {exclude: [secret/]}\n")
    near = parse_folder("paths: {include: ['**']}\n", folder="secret/inner")
    assert Policies(root, (near,)).why_excluded("secret/inner/a.ts")


def test_the_nearest_of_two_folders_wins_whatever_their_order():
    outer, inner = (
        parse_folder(f"rules: {{timeouts: {word}}}\n", folder=folder)
        for folder, word in (("a", "low"), ("a/b", "high"))
    )
    for parts in ((outer, inner), (inner, outer)):
        assert Policies(Policy(), parts).of("a/b/c.ts").severity("timeouts", Severity.MEDIUM) is Severity.HIGH
        assert Policies(Policy(), parts).of("a/c.ts").severity("timeouts", Severity.MEDIUM) is Severity.LOW


def test_a_folder_may_hold_only_what_can_apply_to_some_files():
    with pytest.raises(BrokenPolicy) as broken:
        parse_folder("effort: deep\n", folder="a")
    assert "a/.principal.yml:1: `effort` is not a key" in str(broken.value)


def test_a_policy_that_builds_on_another_keeps_what_both_exclude():
    base = parse("effort: quick\npaths: {exclude: [secret/], include: [src/]}\nrules: {timeouts: off, retries: low}\n")
    own = parse("extends: house-rules\npaths: {exclude: [old/]}\nrules: {retries: high}\nmax_comments: 3\n")
    both = policy.extended(own, base)
    assert both.effort == "quick"
    assert both.max_comments == 3
    assert both.paths.exclude == ("secret/", "old/")
    assert both.paths.include == ("src/",)
    assert both.rules["timeouts"].off
    assert both.rules["retries"].severity is Severity.HIGH
    assert both.extends == "house-rules"


def test_a_rule_of_no_name_keeps_its_severity():
    whole = Policies(Policy(), (Part("a", parse_folder("rules: {x: low}\n", folder="a").policy),))
    assert whole.of("a/b").severity(None, Severity.HIGH) is Severity.HIGH
    assert whole.of("a/b").says(None)


def _why_not(text):
    try:
        parse(text)
    except BrokenPolicy as broken:
        return broken
    return None


def _all_keys(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "properties":
                yield from inner
            yield from _all_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_keys(inner)
