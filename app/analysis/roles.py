"""A file's path and text in, the part it plays out: served code, browser code, test, script or example.

What a file is for decides more precision than any pattern: a missing limit is a defect in a service and a habit in a test.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath

from app.analysis import languages


class Role(StrEnum):
    """What a file is for. UNKNOWN code may be a service's: nothing says otherwise."""

    SERVER = "server"
    CLIENT = "client"
    TEST = "test"
    SCRIPT = "script"
    EXAMPLE = "example"
    UNKNOWN = "unknown"


LONGEST_HEAD = 20_000

_TEST_FOLDERS = frozenset((
    "test", "tests", "__tests__", "spec", "specs", "e2e", "cypress", "playwright", "__mocks__", "mocks", "mock",
    "testdata", "test-data", "test-utils", "testutils", "testing", "fixture", "fixtures", "__fixtures__",
    "__snapshots__", "integration-tests", "acceptance",
))  # fmt: skip
_EXAMPLE_FOLDERS = frozenset(
    ["example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "playground"]
)
_SCRIPT_FOLDERS = frozenset((
    "script", "scripts", "bin", "tools", "tool", "cli", "bench", "benchmark", "benchmarks", "hack", "migrations",
    "seeds", "seeders",
))  # fmt: skip
_CLIENT_FOLDERS = frozenset((
    "client", "front", "frontend", "front-end", "web", "webapp", "web-app", "ui", "components", "component", "views",
    "hooks", "browser", "public", "static", "assets", "www", "mobile", "native", "ios", "android", "extension",
    "webview", "renderer", "stories", "storybook",
))  # fmt: skip
_SERVER_FOLDERS = frozenset((
    "server", "servers", "backend", "back-end", "api", "apis", "service", "services", "worker", "workers", "jobs",
    "controllers", "controller", "handlers", "handler", "routes", "middleware", "middlewares", "lambda", "lambdas",
    "functions", "gateway", "consumers", "queues", "cron", "daemon",
))  # fmt: skip
_FRONT_FOLDERS = frozenset(("front", "frontend", "front-end", "webapp", "web-app", "browser"))
"""Say what they are wherever they stand, also below a service."""
_SCRIPT_FOLDER = re.compile(
    r"^(?:\.github|create-.+|(?:.+-)?cli(?:-.+)?|dev|tooling|codegen|code-generation|releases?|extras?)$"
)
_DESKTOP_FOLDER = re.compile(r"(?:^|-)(?:electron|desktop|tauri)$")
_TEST_FOLDER = re.compile(r"(?:^|-)(?:tests?|testing|e2e|mocks?|fixtures?)(?:-utils|-helpers|-runner|-env)?$")
_TEST_NAME = re.compile(
    r"(?:[._-](?:test|spec|e2e|stories|story|mock|fixture)s?\.[cm]?[jt]sx?$)|^test_.*\.py$|_test\.(?:py|go)$|^conftest\.py$|^(?:tests?|mocks?|fixtures?)\.(?:py|[cm]?[jt]sx?)$|"
    r"^(?:jest|vitest|playwright|cypress)[.-]",
    re.IGNORECASE,
)
_SCRIPT_NAME = re.compile(
    r"\.config\.[cm]?[jt]s$|^(?:build|seed)[-_.]|^(?:gulpfile|gruntfile|rollup|webpack|setup|noxfile|tasks|fabfile)\b",
    re.IGNORECASE,
)
_EXAMPLE_NAME = re.compile(
    r"[._-](?:example|sample|template|dist|tpl)(?:\.|$)|^(?:example|sample)[_-]|\.(?:backup|bak|orig)(?:\.|$)",
    re.IGNORECASE,
)
"""A copy that is kept beside the code runs as seldom as an example does."""
_BUILTINS = (
    "fs|fs/promises|http|https|http2|net|tls|crypto|child_process|cluster|dgram|dns|os|stream|stream/promises|worker_threads|"
    "zlib|perf_hooks|async_hooks|readline|module"
)
_SERVER_PACKAGES = (
    "express|fastify|koa|hapi|restify|hono|elysia|polka|pg|mysql2?|mongodb|mongoose|redis|ioredis|amqplib|kafkajs|bullmq?|knex|"
    "typeorm|sequelize|prisma|drizzle-orm|pino|winston|node-fetch|undici|got|ws|nodemailer|dotenv|jsonwebtoken|apollo-server|"
    "aws-lambda|firebase-admin|better-sqlite3"
)
_SERVER_IMPORT = re.compile(
    rf"(?:from\s+|require\(\s*|import\(\s*|import\s+)[\"'](?:node:[\w/]+|bun(?::\w+)?|{_BUILTINS}|{_SERVER_PACKAGES}|"
    r"@nestjs/[\w/-]+|@fastify/[\w-]+|@hapi/[\w-]+|@koa/[\w-]+|@prisma/client|@aws-sdk/[\w-]+|server-only)[\"'/]"
)
_SERVER_TEXT = re.compile(
    r"\bBun\.(?:serve|env|file)\b|\bDeno\.(?:serve|env)\b|\bmodule\.exports\b|[\"']use server[\"']|\bprocess\.(?:exit|on|argv)\b"
)
_CLIENT_TEXT = re.compile(
    r"(?:from\s+|require\(\s*)[\"'](?:react(?:-dom|-native|-router[\w-]*|-query)?|preact|vue|svelte|solid-js|@angular/[\w/]+|"
    r"next/(?:router|navigation|link)|@tanstack/[\w-]+|swr|redux|@reduxjs/[\w-]+|zustand|obsidian|expo[\w-]*)[\"'/]|"
    r"[\"']use client[\"']|"
    r"\bwindow\.\w|\bdocument\.\w|\blocalStorage\b|\bsessionStorage\b|\bnavigator\.\w|\bchrome\.\w+\.|\bself\.addEventListener\b|"
    r"\baddEventListener\(\s*[\"']fetch[\"']"
)
_SCRIPT_TEXT = re.compile(
    r"\A#!|(?:from\s+|require\(\s*)[\"'](?:commander|yargs|inquirer|@inquirer/[\w-]+|prompts|ora|meow|cac|@oclif/[\w-]+|"
    r"@playwright/test|playwright|puppeteer|k6(?:/\w+)?)[\"']|^\s*(?:import|from)\s+(?:argparse|click|typer|fire)\b",
    re.MULTILINE,
)


_SCRIPT_WORDS = (
    *("commander", "yargs", "inquirer", "prompts", "meow", "@oclif", "playwright", "puppeteer", "'ora'", '"ora"'),
    *("'cac'", '"cac"', "'k6", '"k6', "argparse", "click", "typer", "fire", "#!"),
)
_SERVER_WORDS = ("Bun.", "Deno.", "module.exports", "use server", "process.")
_CLIENT_WORDS = (
    *(
        "react",
        "vue",
        "svelte",
        "solid-js",
        "@angular",
        "next/",
        "@tanstack",
        "swr",
        "redux",
        "zustand",
        "obsidian",
        "'expo",
        '"expo',
    ),
    *(
        "use client",
        "window.",
        "document.",
        "localStorage",
        "sessionStorage",
        "navigator.",
        "chrome.",
        "addEventListener",
    ),
)
"""Without one of its words a pattern cannot match; looking for words is twenty times as fast."""


def _shows(text: str, words: tuple[str, ...], pattern: re.Pattern[str]) -> bool:
    return any(word in text for word in words) and pattern.search(text) is not None


def of(path: str, text: str) -> Role:
    """The role of a file. The path decides first; for JavaScript and TypeScript then what the text imports."""
    parts = [part.lower() for part in PurePosixPath(path).parts]
    folders, name = parts[:-1], parts[-1] if parts else ""
    if _TEST_FOLDERS.intersection(folders) or _TEST_NAME.search(name) or any(map(_TEST_FOLDER.search, folders)):
        return Role.TEST
    if _EXAMPLE_FOLDERS.intersection(folders) or _EXAMPLE_NAME.search(name):
        return Role.EXAMPLE
    head = text[:LONGEST_HEAD]
    if _SCRIPT_FOLDERS.intersection(folders) or _SCRIPT_NAME.search(name) or _shows(head, _SCRIPT_WORDS, _SCRIPT_TEXT):
        return Role.SCRIPT
    if any(map(_SCRIPT_FOLDER.search, folders)):
        return Role.SCRIPT
    if any(map(_DESKTOP_FOLDER.search, folders)):
        return Role.CLIENT
    language = languages.of(path)
    if language == languages.PYTHON:
        return Role.SERVER
    if language in languages.SCRIPT_LANGUAGES:
        return _of_script(folders, name, head)
    return Role.UNKNOWN


def _of_script(folders: list[str], name: str, head: str) -> Role:
    """The outermost folder that says something wins: `frontend/src/hooks/api` is a page's, `server/web` a service's."""
    if _FRONT_FOLDERS.intersection(folders) and not _SERVER_IMPORT.search(head):
        return Role.CLIENT
    told = next((folder for folder in folders if folder in _CLIENT_FOLDERS or folder in _SERVER_FOLDERS), None)
    if _is_route(folders, name) or _SERVER_IMPORT.search(head):
        return Role.SERVER
    if told in _CLIENT_FOLDERS or _shows(head, _CLIENT_WORDS, _CLIENT_TEXT):
        return Role.CLIENT
    if told is not None or _shows(head, _SERVER_WORDS, _SERVER_TEXT):
        return Role.SERVER
    return Role.CLIENT if name.endswith((".tsx", ".jsx")) else Role.UNKNOWN


def _is_route(folders: list[str], name: str) -> bool:
    """Whether a web framework runs the file on the server although it stands among pages (Next.js, SvelteKit, Remix)."""
    if "api" in folders and ("pages" in folders or re.fullmatch(r"route\.[jt]sx?", name)):
        return True
    return re.search(r"^\+(?:server|page\.server|layout\.server)\.[jt]s$|\.server\.[jt]sx?$", name) is not None
