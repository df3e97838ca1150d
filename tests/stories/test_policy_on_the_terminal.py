"""`principal policy`: a policy is checked before it is pushed, and explained for a pull request that somebody wonders about."""

from __future__ import annotations

from app.sandbox import Sandbox
from tests.stories.test_command_line import principal

POLICY = """drafts: true
fail_on: high
paths:
  exclude: vendor/**
instructions:
  - paths: src/**
    text: Money is in cents.
"""


def test_a_policy_is_checked_with_file_and_line_before_anybody_pushes_it(tmp_path):
    folder = tmp_path / "shop"
    (folder / ".github").mkdir(parents=True)
    file = folder / ".github" / "principal.yml"
    file.write_text(POLICY)
    good = principal("policy", "check", folder=folder)
    assert (good.returncode, good.stdout) == (0, ".github/principal.yml: this policy can be used\n")
    file.write_text(f"{POLICY}min_severty: high\nmax_comments: many\n")
    bad = principal("policy", "check", folder=folder)
    said = ".github/principal.yml:8: `min_severty` is not a key; did you mean `min_severity`?\n"
    said += ".github/principal.yml:9: `max_comments` must be a whole number\n"
    assert (bad.returncode, bad.stdout) == (1, said)
    missing = principal("policy", "check", "other.yml", folder=folder)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "other.yml cannot be read" in missing.stderr


def test_what_applies_to_a_pull_request_and_to_each_file_is_explained(tmp_path):
    with Sandbox() as github:
        files = {
            "src/a.ts": "one\n",
            "vendor/b.ts": "one\n",
            ".github/principal.yml": POLICY,
            "AGENTS.md": "Keep it simple.\n",
            ".github/principal/skills/money/SKILL.md": "---\nname: money\ndescription: Money.\n---\nRound once.\n",
            ".github/principal/skills/empty/notes.md": "Nothing.\n",
        }
        repository = github.create_repository("acme/shop", files=files)
        repository.add_collaborator("alice", "write")
        pull = repository.open_pull(files={"src/a.ts": "two\n", "vendor/b.ts": "two\n"}, title="Two", draft=True)
        done = principal(
            "policy",
            "explain",
            pull.url,
            folder=tmp_path,
            GITHUB_API_URL=github.api_url,
            GITHUB_SERVER_URL=github.server_url,
            GITHUB_TOKEN=github.user_token("alice"),
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == [
        "policy: .github/principal.yml",
        "note: `.github/principal/skills/empty/` is no skill, because it has no `SKILL.md`.",
        "reviewed by itself",
        "check run: fails from high on (`fail_on`)",
        "comments: at most 5 (`max_comments`)",
        "guidance: AGENTS.md (15 characters)",
        "skill: money, where it applies (.github/principal/skills/money/)",
        "",
        "src/a.ts",
        "  said from low on (`min_severity`)",
        "  instruction: Money is in cents.",
        "",
        "vendor/b.ts",
        "  not reviewed: excluded by `paths.exclude` of .github/principal.yml",
        "",
    ]
