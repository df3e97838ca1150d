"""The locks: everything the project asks for, in a version it accepts, proven by hashes, from no index in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock", "deploy/requirements-build.lock"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(.*)$", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WANTED = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-dev.lock": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]],
    "deploy/requirements-build.lock": PROJECT["build-system"]["requires"],
}


def pins(lock: str) -> dict[str, Version]:
    return {
        canonicalize_name(name): Version(version) for name, version, _ in PIN.findall((ROOT / lock).read_text("utf-8"))
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_what_the_project_asks_for(lock: str) -> None:
    locked = pins(lock)
    for line in WANTED[lock]:
        wanted = Requirement(line)
        version = locked.get(canonicalize_name(wanted.name))
        assert version is not None, f"{lock} lacks {line}: run .ci/lock"
        assert wanted.specifier.contains(version, prereleases=True), f"{lock} has {version}, not {line}: run .ci/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_proven_by_hashes(lock: str) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PIN.findall("".join(blocks)))
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_index_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(--index|--extra-index|--find-links|-i |-f |-e )", text, re.MULTILINE)


def test_developers_and_the_image_run_what_everybody_runs() -> None:
    everybody = pins("requirements.lock")
    developers = pins("requirements-dev.lock")
    assert {name: developers.get(name) for name in everybody} == everybody
    build = pins("deploy/requirements-build.lock")
    assert {name: developers[name] for name in build if name in developers} == {
        name: version for name, version in build.items() if name in developers
    }
