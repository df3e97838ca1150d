"""A pull request that tries everything at once, and what it came to: nothing outside of a review.

The review is made once, by the bot as a process of its own; each test looks at what was seen of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.github.credentials import LOOKING, PERMISSIONS, READING
from app.sandbox import PullHandle
from tests.security.hostile import CODE_WORD, TOKEN, Evidence, configuration, reviewed

GOLDEN = Path(__file__).parent / "operations.txt"
"""Everything that the bot may ask GitHub to do, as GitHub calls it."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    with reviewed(tmp_path_factory.mktemp("hostile")) as evidence:
        yield evidence


def test_s10_instructions_that_a_change_brings_instruct_nobody(seen: Evidence) -> None:
    brought = [line.strip() for text in configuration("", Path("/")).values() for line in text.split("\n")]
    assert seen.hostile_prompts
    for one in seen.hostile_prompts:
        assert one.roles == ("system", "user")
        assert [line for line in brought if len(line) > 12 and line in one.system] == []
    assert places(seen.hostile) == places(seen.plain) != []


def test_s13_every_token_is_for_one_repository_and_no_more_than_the_table_says(seen: Evidence) -> None:
    asked = [one.body for one in seen.requests if one.path.endswith("/access_tokens")]
    assert asked
    for body in asked:
        # Sweeps look into all repositories, and can do no more than look; of the owner's own a policy is read.
        acts = body.get("repository_ids") == [seen.hostile.repository.id]
        reads = body.get("repositories") == [".github"]
        assert body["permissions"] == (PERMISSIONS if acts else READING if reads else LOOKING)
    assert set(LOOKING.values()) == {"read"}
    paths = [one.path for one in seen.requests if "/repos/" in one.path]
    assert [path for path in paths if not path.startswith(("/repos/acme/shop", "/api/v3/repos/acme/shop"))] == []


def test_s14_no_address_from_a_payload_is_ever_asked(seen: Evidence) -> None:
    assert seen.answer == 202
    assert not seen.heard


def test_s18_a_change_redirects_no_model(seen: Evidence) -> None:
    assert not seen.heard
    assert {one.model for one in seen.hostile_prompts} == {one.model for one in seen.plain_prompts}


def test_s20_nothing_that_a_change_brings_is_run(seen: Evidence) -> None:
    assert not seen.canary
    assert not seen.heard


def test_s24_settings_of_linters_change_no_finding(seen: Evidence) -> None:
    assert said(seen.hostile) == said(seen.plain) != []


def test_s33_what_people_see_names_no_folder_and_no_secret(seen: Evidence) -> None:
    shown = json.dumps([one.body for one in seen.requests if one.method != "GET" and one.kind == "rest"]).encode()
    assert not TOKEN.search(shown)
    assert b"Traceback" not in shown
    assert b"/site-packages/" not in shown
    assert [name for name, secret in seen.secrets.items() if secret in shown] == []


def test_s34_headers_of_others_are_in_no_log(seen: Evidence) -> None:
    assert [name for name, secret in seen.secrets.items() if secret in seen.log] == []
    assert not TOKEN.search(seen.log)


def test_s35_a_token_is_on_no_disk_and_in_no_other_process(seen: Evidence) -> None:
    kept = b"\n".join(seen.data.values())
    assert not TOKEN.search(kept)
    assert [name for name, secret in seen.secrets.items() if secret in kept] == []
    assert len(seen.children) >= 1
    for arguments, environ in seen.children.values():
        assert not TOKEN.search(arguments + environ)
        assert [name for name, secret in seen.secrets.items() if secret in arguments + environ] == []


def test_s35_code_words_and_prompts_cannot_be_read_from_the_database(seen: Evidence) -> None:
    database = b"\n".join(data for path, data in seen.data.items() if path.startswith("principal.db"))
    for words in (CODE_WORD, "Ignore all rules", "The total is set to zero", "if (total = 0)"):
        assert words.encode() not in database


def test_s42_every_line_of_the_log_is_one_event_of_bounded_fields(seen: Evidence) -> None:
    assert len(seen.lines) > 5
    assert all(len(value) <= 2048 for line in seen.lines for value in line.values() if isinstance(value, str))
    assert b"\x1b" not in seen.log
    assert "\u2028".encode() not in seen.log


def test_s51_metrics_have_no_label_that_a_stranger_can_choose(seen: Evidence) -> None:
    labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', seen.metrics)
    assert {"method", "repository", "title", "branch", "login", "path"}.isdisjoint(name for name, _ in labels)
    assert [word for word in ("acme", "shop", "<script", "DROP", CODE_WORD) if word in seen.metrics] == []


def test_s55_the_bot_comments_and_does_nothing_else(seen: Evidence) -> None:
    did = {one.operation or f"{one.method} {one.path}" for one in seen.requests if one.kind in ("rest", "token")}
    assert did <= set(GOLDEN.read_text().split("\n")), did
    posted = [one.body for one in seen.requests if one.operation == "pulls/create-review"]
    assert [body["event"] for body in posted] == ["COMMENT", "COMMENT"]


def test_s56_odd_names_are_only_names(seen: Evidence) -> None:
    said = "\n".join(review.body for pull in (seen.hostile, seen.plain) for review in pull.reviews)
    assert "src/49" not in said
    assert len(seen.hostile.reviews) == 1


def test_s58_debugging_shows_no_code_and_no_prompt(seen: Evidence) -> None:
    assert CODE_WORD.encode() not in seen.log
    assert b"Ignore all rules" not in seen.log
    assert b"jndi" not in seen.log


def test_an_app_that_was_removed_leaves_nothing_behind(seen: Evidence) -> None:
    """GitHub says that the installation is deleted: the mirror, what was kept of prompts and replies, and the jobs go."""
    assert set(seen.left.values()) == {0}, seen.left


def places(pull: PullHandle) -> list[tuple[str, int | None]]:
    return [(comment.path, comment.line) for comment in pull.review_comments]


def said(pull: PullHandle) -> list[str]:
    """What the comments say, but for markers and commits."""
    return [re.sub(r"<!--.*?-->|\b[0-9a-f]{7,40}\b", "", one.body, flags=re.DOTALL) for one in pull.review_comments]
