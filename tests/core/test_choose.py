"""Who reviews a change: languages, imports, paths, phrases, and being asked by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import library
from app.core import choose
from app.core.change import Change, Intent
from app.core.persona import Persona, Reference
from app.core.untrusted import Untrusted
from app.errors import UserError
from tests.core import values

PERSONAS = library.load().personas
NODE = "backend-principle-eng-nodejs-pro-max"
JAVASCRIPT = "backend-principle-eng-javascript-pro-max"
TYPESCRIPT = "backend-principle-eng-typescript-pro-max"
EXPERT = "backend-expert-nodejs"
CORE = "common-core"


def chosen(change: Change, *more: Persona, asked: str = "") -> set[str]:
    found = choose.choose((*PERSONAS, *more), change, added_text=choose.added_text(change), asked=asked)
    return {persona.name for persona in found}


def changed(path: str, *lines: str) -> Change:
    return values.change(values.file(path, values.hunk(*(f"+{line}" for line in lines or ("x",)))))


def own(**changes: object) -> Persona:
    return replace(Persona("house-style", "House style", "", "Be kind.", builtin=False), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("extension", ["ts", "tsx", "mts", "cts"])
def test_typescript_is_reviewed_by_its_persona(extension: str) -> None:
    assert chosen(changed(f"src/a.{extension}")) == {TYPESCRIPT}


@pytest.mark.parametrize("extension", ["js", "jsx", "mjs", "cjs", "JS"])
def test_javascript_is_reviewed_by_its_persona(extension: str) -> None:
    assert chosen(changed(f"src/a.{extension}")) == {JAVASCRIPT}


@pytest.mark.parametrize(
    "line",
    [
        'import http from "node:http";',
        "const express = require('express');",
        'import { Controller } from "@nestjs/common";',
        'const { readFile } = await import("fs/promises");',
        "import Fastify, { type FastifyInstance } from 'fastify';",
        "Bun.serve({ port: 3000 });",
    ],
)
def test_node_joins_when_the_change_imports_a_server_framework_or_a_node_module(line: str) -> None:
    assert chosen(changed("src/a.ts", line)) == {TYPESCRIPT, NODE}


@pytest.mark.parametrize("line", ['import React from "react";', 'import x from "./http.js";', "const express = 1;"])
def test_node_stays_away_from_other_imports(line: str) -> None:
    assert chosen(changed("src/a.ts", line)) == {TYPESCRIPT}


def test_removed_imports_do_not_count() -> None:
    change = values.change(values.file("a.ts", values.hunk('-import http from "node:http";', "+const a = 1;")))
    assert chosen(change) == {TYPESCRIPT}


@pytest.mark.parametrize("path", ["app/main.py", "cmd/main.go", "README.md", "deploy/app.yml"])
def test_the_common_core_reviews_what_nobody_else_does(path: str) -> None:
    assert chosen(changed(path)) == {CORE}


def test_pythons_http_module_is_not_nodes() -> None:
    assert chosen(changed("app/main.py", "from http import HTTPStatus", "import http")) == {CORE}


def test_the_common_core_joins_for_the_other_language_of_a_mixed_change() -> None:
    change = values.change(values.file("src/a.ts"), values.file("worker/main.go"))
    assert chosen(change) == {TYPESCRIPT, CORE}


def test_documents_beside_code_call_for_nobody_else() -> None:
    assert chosen(values.change(values.file("src/a.ts"), values.file("README.md"))) == {TYPESCRIPT}


@pytest.mark.parametrize(
    "intent",
    [
        Intent(title=Untrusted("Fix backend start-up")),
        Intent(title=Untrusted("Hunt the NODE  memory leak")),
        Intent(labels=("api design",)),
    ],
)
def test_the_expert_joins_on_its_phrases_in_title_and_labels(intent: Intent) -> None:
    assert chosen(values.change(values.file("src/a.ts"), intent=intent)) == {TYPESCRIPT, EXPERT}


def test_the_expert_joins_on_its_phrases_in_the_command() -> None:
    assert EXPERT in chosen(changed("src/a.ts"), asked="full, db transaction please")


@pytest.mark.parametrize("title", ["Rename backendless client", "Design the API", "Fix the front end"])
def test_a_phrase_counts_only_as_whole_words(title: str) -> None:
    assert chosen(values.change(values.file("src/a.ts"), intent=Intent(title=Untrusted(title)))) == {TYPESCRIPT}


def test_the_body_of_a_pull_request_calls_for_nobody() -> None:
    assert chosen(values.change(values.file("src/a.ts"), intent=Intent(body=Untrusted("backend expert")))) == {
        TYPESCRIPT
    }


@pytest.mark.parametrize(
    "asked",
    ["persona expert", "persona backend-expert-nodejs", 'full persona "Backend Expert - Node.js"', "PERSONA Expert"],
)
def test_a_persona_asked_for_by_name_or_alias_reviews_alone(asked: str) -> None:
    assert chosen(changed("main.go"), asked=asked) == {EXPERT}


def test_asking_for_an_unknown_persona_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no persona 'nobody'.*common-core"):
        chosen(changed("a.ts"), asked="persona nobody")


def test_a_persona_without_conditions_reviews_every_change_beside_the_others() -> None:
    assert chosen(changed("a.ts"), own()) == {TYPESCRIPT, "house-style"}
    assert chosen(changed("main.go"), own()) == {CORE, "house-style"}


@pytest.mark.parametrize(
    ("glob", "path", "applies"),
    [
        ("src/payments/**", "src/payments/deep/charge.ts", True),
        ("src/payments/**", "src/orders/charge.ts", False),
        ("**/*.sql", "schema.sql", True),
        ("**/*.sql", "db/migrations/1.sql", True),
        ("*.sql", "db/1.sql", True),
        ("**", "anything", True),
    ],
)
def test_a_persona_applies_by_its_paths(glob: str, path: str, applies: bool) -> None:
    assert ("house-style" in chosen(changed(path), own(paths=(glob,)))) is applies


def test_a_persona_of_an_operator_applies_by_pythons_imports() -> None:
    django = own(imports=("django",))
    assert "house-style" in chosen(changed("app/views.py", "from django.http import HttpRequest"), django)
    assert "house-style" not in chosen(changed("app/views.py", "from flask import request"), django)


def test_fixes_of_scripts_follow_the_expert_and_others_nobody() -> None:
    fixer = choose.fixer(PERSONAS, changed("src/a.mjs"))
    assert fixer is not None
    assert fixer.name == EXPERT
    assert fixer.header.startswith("/**")
    assert choose.fixer(PERSONAS, changed("main.go")) is None


def test_a_reference_is_loaded_only_when_a_topic_is_in_the_change() -> None:
    persona = own(
        references=(
            Reference("streams.md", ("createReadStream", "node:stream"), "…"),
            Reference("pools.md", ("pool",), "…"),
            Reference("both.md", ("pool", "query("), "…"),
        )
    )
    assert choose.references(persona, "const a = 1;") == ()
    assert [one.name for one in choose.references(persona, 'import { pipeline } from "node:stream"')] == ["streams.md"]
    assert [one.name for one in choose.references(persona, "the Pools; await db.query(x)")] == ["both.md", "pools.md"]
    assert choose.references(persona, "a whirlpool") == ()


def test_the_text_of_a_huge_change_is_cut() -> None:
    big = values.file("a.ts", values.hunk(*["+" + "x" * 10_000] * 500))
    text = choose.added_text(values.change(big, big, big))
    assert len(text) <= choose.LONGEST_TEXT


def test_an_operators_persona_beside_the_common_core_covers_its_language() -> None:
    rust = own(extensions=(".rs",))
    assert chosen(changed("src/lib.rs"), rust) == {"house-style", CORE}


def test_the_text_of_a_change_holds_paths_titles_and_what_was_added() -> None:
    change = values.change(
        values.file("Dockerfile", values.hunk("-old", "+new", " same")), intent=Intent(title=Untrusted("A title"))
    )
    assert choose.added_text(change).split("\n") == ["A title", "Dockerfile", "new", "same"]
