from __future__ import annotations

from app.core.change import narrow
from app.core.choose import unheeded
from tests.core.values import change, file

WHOLE = change(file("src/a.ts"), file("src/deep/b.ts"), file("lib/c.ts"))


def paths(narrowed):
    return [one.path for one in narrowed.files]


def test_a_request_may_name_a_file_a_folder_or_a_pattern():
    assert paths(narrow(WHOLE, "src/a.ts")) == ["src/a.ts"]
    assert paths(narrow(WHOLE, "./src/")) == ["src/a.ts", "src/deep/b.ts"]
    assert paths(narrow(WHOLE, "lib/*.ts persona x")) == ["lib/c.ts"]


def test_what_was_not_asked_for_is_skipped_with_that_reason():
    assert [(one.path, one.reason, one.hunks) for one in narrow(WHOLE, "src").skipped] == [
        ("lib/c.ts", "not asked for", 1)
    ]


def test_a_request_that_names_nothing_of_the_change_is_about_all_of_it():
    assert narrow(WHOLE, "full") is WHOLE
    assert narrow(WHOLE, "sr lib/c") is WHOLE
    assert narrow(WHOLE, "") is WHOLE


def test_what_means_nothing_behind_a_request_is_said():
    assert unheeded(WHOLE, "deep src persona x FULL") == ()
    assert unheeded(WHOLE, "srcc/") == ("Nothing in this change is named `srcc/`, so all of it was reviewed",)
    assert unheeded(WHOLE, "src/a.ts lub") == ("Nothing in this change is named `lub`",)
