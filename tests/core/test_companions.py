"""Which files usually change together, told from their paths alone."""

from __future__ import annotations

from app.core import companions


def test_a_manifests_lock_files_stand_beside_it_or_in_a_folder_above() -> None:
    paths = companions.lock_paths("apps/web/package.json")
    assert paths[0] == "apps/web/package-lock.json"
    assert {"apps/yarn.lock", "pnpm-lock.yaml", "bun.lock"} <= set(paths)
    assert companions.lock_paths("src/package.ts") == ()


def test_sources_have_tests_and_tests_have_none() -> None:
    assert "src/charge.test.ts" in companions.of(["src/charge.ts"])
    assert companions.of(["src/charge.test.ts"]) == ()


def test_a_huge_change_asks_for_only_so_many() -> None:
    assert len(companions.of(f"src/{n}.ts" for n in range(10_000))) == companions.MOST_COMPANIONS
