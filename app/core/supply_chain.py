"""What a pull request that a bot opened is reviewed for: the files that decide whose code is built, and how."""

from __future__ import annotations

from dataclasses import replace

from app.core import glob
from app.core.change import Change, Skipped

FILES = (
    "package.json",
    ".npmrc",
    ".yarnrc*",
    "pnpm-workspace.yaml",
    "requirements*.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "go.mod",
    "Cargo.toml",
    "Gemfile",
    "*.gemspec",
    "composer.json",
    "pom.xml",
    "build.gradle*",
    "*.csproj",
    "Directory.Packages.props",
    "*.tf",
    "Dockerfile*",
    "*.dockerfile",
    "docker-compose*.y*ml",
    "compose*.y*ml",
    "Makefile",
    ".github/workflows/",
    ".github/actions/",
    ".gitlab-ci.yml",
    ".circleci/",
    ".pre-commit-config.yaml",
)
REASON = "not part of a supply-chain review (`bots: supply-chain`)"


def narrow(change: Change) -> Change:
    """The part of the change that decides whose code is built; the rest is named as left out."""
    kept = tuple(file for file in change.files if glob.matches_any(file.path, FILES))
    left = tuple(Skipped(file.path, REASON, len(file.hunks)) for file in change.files if file not in kept)
    return replace(change, files=kept, skipped=(*change.skipped, *left))
