"""A file's path and text in, the part it plays out: served code, browser code, test, script or example.

What a file is for decides more precision than any pattern: a missing limit is a defect in a service and a habit in a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from app.analysis import languages
from app.core.literals import Literals


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
    "__snapshots__", "integration-tests", "acceptance", "stubs", "fakes", "__fakes__", "loadtest", "loadtests", "qa",
    "pytest", "unittest", "unittests",
))  # fmt: skip
_EXAMPLE_FOLDERS = frozenset((
    "example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "playground",
    "boilerplate", "scaffold", "scaffolds", "scaffolding", "cookiecutter", "quickstart", "quickstarts",
    "cookbook", "cookbooks", "showcase", "snippets", "bruno", "postman", "docs", "doc", "documentation",
))  # fmt: skip
"""What somebody reads or copies; nobody's requests wait for it."""
_COPIED_FOLDERS = frozenset(("lib", "libs", "ext", "vendor", "vendored"))
"""Where a program in Python keeps copies of other people's packages, when they stand at the root of the repository."""
_SCRIPT_FOLDERS = frozenset((
    "script", "scripts", "bin", "tools", "tool", "cli", "bench", "benchmark", "benchmarks", "hack", "migrations",
    "seed", "seeds", "seeder", "seeders", "seeding", "devtools", "ci", "codemods", "build", "diag", "diagnostics",
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
_SAID_BY_PAGES_TOO = frozenset(("api", "apis", "service", "services", "functions"))
"""What a page calls the folder of its calls to a service, as a service calls its own parts."""
_SENT_FOLDERS = frozenset(("public", "static", "wwwroot"))
"""Are sent to browsers as they are, whatever a library that stands there would import elsewhere."""
_COMMAND_FOLDERS = frozenset(("commands", "console"))
"""What a person starts; unless it stands in a service, where a command may be what a user writes, or a clock's."""
_SCRIPT_FOLDER = re.compile(
    r"^(?:\.github|create-.+|(?:.+-)?cli(?:-.+)?|dev|tooling|codegen|code-generation|releases?|extras?)$"
)
_DESKTOP_FOLDER = re.compile(r"(?:^|-)(?:electron|desktop|tauri)$")
_TEST_FOLDER = re.compile(
    r"^tests?[-_]|(?:^|[-_])(?:tests?|testing|e2e|mocks?|fixtures?)(?:[-_](?:utils?|helpers?|support|runner|env))?$"
)
_HELPS = r"(?:utils?|helpers?|support|server|setup|data|env|db|base|case|common)"
_TEST_NAME = re.compile(
    r"(?:[._-](?:test|spec|e2e|stories|story|mock|fixture|fake|stub)s?\.[cm]?[jt]sx?$)|^test_.*\.py$|_test\.(?:py|go)$|^conftest\.py$|"
    r"^(?:tests?|testing|mocks?|fixtures?)\.(?:py|[cm]?[jt]sx?)$|^(?:jest|vitest|playwright|cypress)[.-]|"
    rf"^(?:tests?|testing)[-_.]{_HELPS}[-_.]|^(?:mocks?|fakes?|stubs?)[-_.]|[-_.]mocks?\.\w+$",
    re.IGNORECASE,
)
_TEST_WORD = re.compile(
    r"^(?:mock(?:ed)?|fake|stub)[A-Z]\w*\.|^test(?:s|ing)?(?:Utils?|Helpers?|Support|Server|Setup|Data|Env|Base|Case)\w*\.|"
    r"[a-z](?:Mocks?|Fixtures?|Stubs?|Test(?:Utils?|Helpers?))\."
)
"""Of a name as it is written: `mockEvents.ts`, `userFixtures.ts`."""
_SCRIPT_NAME = re.compile(
    r"\.config\.[cm]?[jt]s$|^(?:build|seeds?|seeder|populate|backfill|codegen|bump)[-_.]|[-_.]seed(?:er)?s?\.|^seeds?\.|"
    r"^(?:gulpfile|gruntfile|rollup|webpack|setup|noxfile|tasks|fabfile|manage)\b",
    re.IGNORECASE,
)
_EXAMPLE_FOLDER = re.compile(
    r"(?:^|[-_])(?:examples?|demos?|playground|quickstart|boilerplate)$|^(?:demo|example|sample)[-_]"
)
_FOR_DEVELOPERS = re.compile(
    r"(?:^|[/._-])(?:dev|devel|development|devcontainer|local|localhost|ci|demo|seeds?|sandbox|tests?|testing|e2e|snakeoil|self-?signed)"
    r"(?:[/._-]|$)"
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
    rf"(?:from\s+|(?<!window\.)require\(\s*|import\(\s*|import\s+)[\"'](?:node:[\w/]+|bun(?::\w+)?|{_BUILTINS}|{_SERVER_PACKAGES}|"
    r"@nestjs/[\w/-]+|@fastify/[\w-]+|@hapi/[\w-]+|@koa/[\w-]+|@aws-sdk/[\w-]+|server-only)[\"'/]"
)
_SERVER_TEXT = re.compile(
    r"\bPrismaClient\b|\bBun\.(?:serve|env|file)\b|\bDeno\.(?:serve|env)\b|\bmodule\.exports\b|"
    r"[\"']use server[\"']|\bprocess\.(?:exit|on|argv)\b"
)
_SERVER_HINT = re.compile(
    r"\bprocess\.env\.(?!NODE_ENV|\w*PUBLIC_)[A-Z]|\bBuffer\.(?:from|alloc)\b|"
    r"(?:from\s+|require\(\s*)[\"'][^\"'\n]*(?:[/@](?:prisma|database|db|repositor(?:y|ies)|middlewares?|entities)\b)"
)
"""Says it of a file in a folder that pages have too; alone it is not enough."""
_CLIENT_TEXT = re.compile(
    r"(?:from\s+|require\(\s*)[\"'](?:react(?:-dom|-native|-router[\w-]*|-query)?|preact|vue|svelte|solid-js|@angular/[\w/]+|"
    r"@vercel/blob/client|[\w@/-]+/react|next/(?:router|navigation|link)|@tanstack/[\w-]+|swr|redux|@reduxjs/[\w-]+|zustand|obsidian|expo[\w-]*)[\"'/]|"
    r"[\"']use client[\"']|\bimport\.meta\.env\b|process\.env\.(?:REACT_APP|VUE_APP|EXPO_PUBLIC|GATSBY|VITE)_|"
    r"\bwindow\.\w|\bdocument\.\w|\blocalStorage\b|\bsessionStorage\b|\bnavigator\.\w|\bchrome\.\w+\.|\bself\.addEventListener\b|"
    r"\baddEventListener\(\s*[\"']fetch[\"']"
)
_SCRIPT_TEXT = re.compile(
    r"\A#!|(?:from\s+|require\(\s*)[\"'](?:commander|yargs|inquirer|@inquirer/[\w-]+|prompts|ora|meow|cac|@oclif/[\w-]+|"
    r"@playwright/test|playwright|puppeteer|k6(?:/\w+)?)[\"']|^\s*(?:import|from)\s+(?:argparse|click|typer|fire)\b",
    re.MULTILINE,
)


_CALLS_MAIN = re.compile(r"^(?:await\s+|void\s+)?main\(\)", re.MULTILINE)
_STAYS = re.compile(
    r"^(?:export\b|module\.exports|exports\.)|\.listen\(|createServer|setInterval\(|\.(?:consume|subscribe|on|schedule)\(|"
    r"\b(?:serve|Worker|listen)\(|while\s*\(true\)",
    re.MULTILINE,
)
_PYTHON_MAIN = re.compile(
    r"^if __name__ == [\"']__main__[\"']:\s*(?:#[^\n]*)?\n(?:[ \t][^\n]*\n|\n){0,40}?[ \t][^\n]*\bmain\(", re.MULTILINE
)
_PYTHON_STAYS = re.compile(
    r"uvicorn|gunicorn|\bapp\.run\(|\bmcp\.run\(|_forever\(|while True|FastAPI\(|Flask\(|APIRouter|Blueprint\(|"
    r"\.(?:consume|subscribe|schedule)\w*\(|grpc\.|[cC]elery|shared_task"
)


def _quoted(*names: str) -> frozenset[str]:
    """What the names of modules begin with where they are imported."""
    return frozenset(f"{quote}{name}" for name in names for quote in "\"'")


_SCRIPT_WORDS = frozenset((
    *_quoted("commander", "yargs", "inquirer", "@inquirer", "prompts", "ora", "meow", "cac", "@oclif", "playwright"),
    *_quoted("@playwright", "puppeteer", "k6"), "argparse", "click", "typer", "fire", "#!",
))  # fmt: skip
_SERVER_WORDS = frozenset(("PrismaClient", "Bun.", "Deno.", "module.exports", "use server", "process."))
_CLIENT_WORDS = frozenset((
    *_quoted("react", "preact", "vue", "svelte", "solid-js", "@angular", "next/", "@tanstack", "swr", "redux", "@reduxjs"),
    *_quoted("@vercel/blob/client"), "/react'", '/react"',
    *_quoted("zustand", "obsidian", "expo"), "use client", "import.meta.env", "window.", "document.", "localStorage",
    "sessionStorage", "navigator.", "chrome.", "addEventListener",
    *(f"process.env.{prefix}_" for prefix in ("REACT_APP", "VUE_APP", "EXPO_PUBLIC", "GATSBY", "VITE")),
))  # fmt: skip
"""Without one of its words a pattern cannot match, and most texts hold none of them."""
_WORDS = Literals(_SCRIPT_WORDS | _SERVER_WORDS | _CLIENT_WORDS)


@dataclass(frozen=True, slots=True)
class _Head:
    """The first part of a file's text, and which of the words stand in it."""

    text: str
    words: frozenset[str]

    def shows(self, words: frozenset[str], pattern: re.Pattern[str]) -> bool:
        """Whether the pattern stands in it, which needs one of the words."""
        return not words.isdisjoint(self.words) and pattern.search(self.text) is not None


def is_for_developers(path: str) -> bool:
    """Whether a file serves the people who work on the code, or a trial of it: its secrets and images guard nobody."""
    return _FOR_DEVELOPERS.search(path.lower()) is not None


def of(path: str, text: str) -> Role:
    """The role of a file. The path decides first; for JavaScript and TypeScript then what the text imports."""
    *folders, name = path.lower().split("/")
    if _is_test(folders, name, path.rpartition("/")[2]):
        return Role.TEST
    if name.endswith(".py") and len(folders) > 1 and folders[0] in _COPIED_FOLDERS:
        return Role.EXAMPLE
    if (
        _EXAMPLE_FOLDERS.intersection(folders)
        or _EXAMPLE_NAME.search(name)
        or any(map(_EXAMPLE_FOLDER.search, folders))
    ):
        return Role.EXAMPLE
    head = _Head(text[:LONGEST_HEAD], _WORDS.standing_in(text[:LONGEST_HEAD]))
    if _is_script(folders, name, head) or _ends_by_itself(text):
        return Role.SCRIPT
    if any(map(_DESKTOP_FOLDER.search, folders)):
        return Role.CLIENT
    language = languages.of(path)
    if language == languages.PYTHON:
        return Role.SERVER
    if language in languages.SCRIPT_LANGUAGES:
        return _of_script(folders, name, head)
    return Role.UNKNOWN


def _is_test(folders: list[str], name: str, written: str) -> bool:
    if _TEST_FOLDERS.intersection(folders) or any(map(_TEST_FOLDER.search, folders)):
        return True
    return _TEST_NAME.search(name) is not None or _TEST_WORD.search(written) is not None


def _is_script(folders: list[str], name: str, head: _Head) -> bool:
    if _SCRIPT_FOLDERS.intersection(folders) or any(map(_SCRIPT_FOLDER.search, folders)) or _SCRIPT_NAME.search(name):
        return True
    if head.shows(_SCRIPT_WORDS, _SCRIPT_TEXT):
        return True
    if name.endswith((".tsx", ".jsx")):
        return False
    is_of_service = _SERVER_FOLDERS.intersection(folders) or "@nestjs/" in head.text or name.endswith(".py")
    return bool(_COMMAND_FOLDERS.intersection(folders)) and not is_of_service


def _ends_by_itself(text: str) -> bool:
    """Whether the file is a program that ends by itself: it calls its `main`, offers nothing, and stays open for nothing."""
    if "__main__" in text:
        return _PYTHON_MAIN.search(text) is not None and _PYTHON_STAYS.search(text) is None
    return "main()" in text and _CALLS_MAIN.search(text) is not None and _STAYS.search(text) is None


def _of_script(folders: list[str], name: str, head: _Head) -> Role:
    """The outermost folder that says something wins: `frontend/src/hooks/api` is a page's, `server/web` a service's."""
    if _SENT_FOLDERS.intersection(folders) and not _SERVER_FOLDERS.intersection(folders):
        return Role.CLIENT
    if _FRONT_FOLDERS.intersection(folders) and not _SERVER_IMPORT.search(head.text):
        return Role.CLIENT
    told = next((folder for folder in folders if folder in _CLIENT_FOLDERS or folder in _SERVER_FOLDERS), None)
    if _is_route(folders, name) or _SERVER_IMPORT.search(head.text):
        return Role.SERVER
    if told in _CLIENT_FOLDERS or head.shows(_CLIENT_WORDS, _CLIENT_TEXT):
        return Role.CLIENT
    if told is not None and (told not in _SAID_BY_PAGES_TOO or _SERVER_HINT.search(head.text)):
        return Role.SERVER
    if head.shows(_SERVER_WORDS, _SERVER_TEXT):
        return Role.SERVER
    return Role.CLIENT if name.endswith((".tsx", ".jsx")) else Role.UNKNOWN


def _is_route(folders: list[str], name: str) -> bool:
    """Whether a web framework runs the file on the server although it stands among pages (Next.js, SvelteKit, Remix)."""
    if "api" in folders and ("pages" in folders or re.fullmatch(r"route\.[jt]sx?", name)):
        return True
    return re.search(r"^\+(?:server|page\.server|layout\.server)\.[jt]s$|\.server\.[jt]sx?$", name) is not None
