"""The files of a repository's policy: which are looked for, which count, and what is said of those that cannot be used."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import policy_files
from app.core.policy import MOST_FOLDERS, PATH
from app.core.policy_files import DEFAULTS, LONGEST_GUIDANCE, LONGEST_GUIDE, PolicyFiles, Source, in_force


def test_without_any_file_the_defaults_apply_and_nothing_is_told():
    assert in_force(PolicyFiles()) == DEFAULTS


def test_the_root_adds_to_what_it_extends_and_a_folder_to_both():
    made = in_force(
        PolicyFiles(
            root=Source(PATH, "extends: standards\nmax_comments: 3\n"),
            extended=Source(f"acme/standards/{PATH}", "drafts: true\nmax_comments: 9\n"),
            folders=(Source("src/.principal.yml", "min_severity: high\n"),),
        )
    )
    assert (made.root.drafts, made.root.max_comments, made.source, made.notes) == (True, 3, PATH, ())
    assert made.policies.of("src/a.ts").min_severity == "high"
    assert made.policies.of("lib/a.ts").min_severity == "low"


def test_what_cannot_be_used_is_told_with_its_place_and_the_rest_counts():
    made = in_force(
        PolicyFiles(
            root=Source(PATH, "drafts: true\nextends: standards\n"),
            folders=(Source("a/.principal.yml", "drafts: true\n"), Source("b/.principal.yml", "min_severity: high\n")),
            proposed=(Source(PATH, "draft: true\n"), Source("b/.principal.yml", "")),
        )
    )
    assert made.root.drafts
    assert made.policies.of("b/x").min_severity == "high"
    extends, folder, root, other = made.notes
    assert extends == "The policy extends `standards`, which has no policy that can be read here."
    assert folder.startswith("The policy of a folder cannot be used: a/.principal.yml:1: `drafts` is not a key")
    later = "that takes effect once it is merged, not for this review."
    assert root.startswith(
        f"This pull request changes `{PATH}`: {later} The new text cannot be used: {PATH}:1: `draft`"
    )
    assert "did you mean `drafts`?" in root
    assert other == f"This pull request changes `b/.principal.yml`: {later} The new text is valid."


def test_a_broken_root_leaves_the_defaults():
    made = in_force(PolicyFiles(root=Source(PATH, "drafts: [")))
    assert made.root == DEFAULTS.root
    assert made.notes[0].startswith(f"The policy cannot be used, so the defaults were: {PATH}:2: not YAML")


def test_only_policies_name_what_they_extend():
    assert policy_files.extends("extends: acme/standards") == "acme/standards"
    assert policy_files.extends("extends: https://example.com") is None
    assert policy_files.extends("drafts: true") is None


def test_a_folder_s_policy_is_looked_for_on_the_way_to_each_file_outermost_first():
    assert policy_files.folder_files(["src/api/a.ts", "src/b.ts", "c.ts"]) == (
        "src/.principal.yml",
        "src/api/.principal.yml",
    )
    assert len(policy_files.folder_files([f"f{number}/a.ts" for number in range(100)])) == MOST_FOLDERS
    assert [policy_files.is_policy(path) for path in (PATH, "a/.principal.yml", ".principal.yml", "principal.yml")] == [
        True,
        True,
        False,
        False,
    ]


def test_guidance_is_cut_said_once_and_left_out_where_the_policy_says_so():
    long = "Sign your work. " * 1_000
    files = tuple(
        Source(name, text) for name, text in (("A", "Be kind."), ("B", " Be kind.\n"), ("C", long), ("D", "\n"))
    )
    made = in_force(PolicyFiles(guidance=files))
    assert [one.path for one in made.guidance] == ["A", "C"]
    assert made.guidance[1].text.endswith("\n[cut]")
    assert len(made.guidance[1].text) <= LONGEST_GUIDE + len("\n[cut]")
    assert in_force(PolicyFiles(root=Source(PATH, "guidance: false"), guidance=files)).guidance == ()


@settings(max_examples=60)
@given(st.lists(st.text(max_size=9_000), max_size=6))
def test_guidance_never_takes_more_room_than_it_has(texts):
    made = in_force(PolicyFiles(guidance=tuple(Source(str(number), text) for number, text in enumerate(texts))))
    assert sum(len(one.text) for one in made.guidance) <= LONGEST_GUIDANCE + len(made.guidance) * len("\n[cut]")
