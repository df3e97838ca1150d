"""Writes the reference pages that are made from the code: `python docs/generate.py`. A test keeps them equal to it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer.main
from pydantic import SecretStr

import app.main  # noqa: F401 - every metric is registered by then
from app import commands, library, telemetry
from app.cli import cli
from app.core import policy, registration
from app.errors import MEANINGS, Code
from app.settings import Settings

HERE = Path(__file__).parent
LEVELS = ("debug", "info", "warning", "error", "exception")
MADE = "This page is made from the code by `python docs/generate.py`."
LARGEST_BOUND = 2**31
"""What is larger bounds nobody."""
KINDS = {
    bool: "`true` or `false`",
    float: "number",
    int: "whole number",
    Path: "path",
    SecretStr: "secret",
    str: "text",
}
NOT_LOGGED = ("sandbox", "demo", "evaluation")
"""Parts that are no service: they speak on the terminal."""


def errors() -> str:
    """docs/errors.md: every code with why it happens and what to do."""
    lines = [
        "# Error codes",
        "",
        "Where a review could not be made, or not all of it, the check run, the log line and the metric carry one of these.",
        "This page is made from `app/errors.py` by `python docs/generate.py`.",
        "",
        "| code | why | what to do |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {MEANINGS[code].why} | {MEANINGS[code].action} |" for code in Code]
    return "\n".join(lines) + "\n"


def policy_schema() -> str:
    """docs/schemas/policy.schema.json: the form of a repository's policy, for editors and for checks."""
    return json.dumps(policy.schema(), indent=2, ensure_ascii=False) + "\n"


def app_manifest() -> str:
    """deploy/app-manifest.json: what `/setup` asks GitHub for, for those who create the App in another way."""
    root = "https://YOUR-HOST"
    new = registration.NewApp(
        name=registration.NAME,
        organisation="",
        server_url="https://github.com",
        api_url="https://api.github.com",
        public_url=root,
        webhook_url=f"{root}{registration.WEBHOOK_PATH}",
    )
    return json.dumps(new.manifest(redirect_url=f"{root}{registration.SETUP_PATH}/created"), indent=2) + "\n"


def settings() -> str:
    """docs/reference/settings.md: every variable with what it takes; the front page has what it means."""
    meanings = _meanings((HERE.parent / "README.md").read_text(encoding="utf-8"))
    rows = [
        (
            f"`{field.alias}`",
            _form(field.annotation, field.metadata),
            _default(field),
            meanings.get(field.alias or "", ""),
        )
        for field in Settings.model_fields.values()
    ]
    intro = (
        "Read once, from the environment, when the process starts. An empty variable counts as not set; a wrong one stops "
        "the start and is named."
    )
    return _page("Settings", intro, ("variable", "form", "default", "meaning"), rows)


def _meanings(readme: str) -> dict[str, str]:
    """What the front page's table says of each variable."""
    table = readme.partition("## Settings")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {
        name: row[1].strip().replace("](docs/", "](../") for row in rows for name in re.findall(r"`([A-Z_]+)`", row[0])
    }


def _form(kind: Any, metadata: Iterable[Any]) -> str:
    bounds = [
        f"{sign} {getattr(one, name):g}"
        for one in metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if abs(getattr(one, name, None) or 0) < LARGEST_BOUND and getattr(one, name, None) is not None
    ]
    return ", ".join(["address" if "_url" in repr(metadata) else _words(kind), *bounds])


def _words(kind: Any) -> str:
    """A type as a person would say it."""
    inner = [one for one in get_args(kind) if one is not type(None) and one is not Ellipsis]
    if get_origin(kind) is Annotated:
        return "address" if "_url" in repr(kind) else _words(inner[0])
    if get_origin(kind) is Literal:
        return " or ".join(f"`{one}`" for one in inner)
    if get_origin(kind) is tuple:
        return f"{_words(inner[0])}s"
    if inner:
        return _words(inner[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{one.value}`" for one in kind)
    return KINDS.get(kind, str(kind))


def _default(field: Any) -> str:
    value = field.default
    if value is None or value == () or isinstance(value, SecretStr):
        return "—"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def policy_keys() -> str:
    """docs/reference/policy.md: every key of `.github/principal.yml`."""
    schema = policy.schema()
    kinds = schema["$defs"]

    def rows(properties: dict[str, Any], before: str = "") -> Iterator[tuple[str, ...]]:
        for key, one in properties.items():
            inner = _reference(one, kinds)
            default = json.dumps(one["default"], ensure_ascii=False) if "default" in one else "—"
            yield (
                f"`{before}{key}`",
                _kind(one, kinds),
                f"`{default}`" if default != "—" else default,
                one.get("description", inner.get("description", "")),
            )
            if "properties" in inner:
                yield from rows(inner["properties"], f"{before}{key}.")

    intro = "What `.github/principal.yml` on the default branch may say. How it is found, and examples: [policy](../policy.md)."
    return _page(
        "Keys of the policy",
        intro,
        ("key", "form", "default", "meaning"),
        [tuple(map(_cell, row)) for row in rows(schema["properties"])],
    )


def _reference(one: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    named = [each["$ref"] for each in (one, *one.get("anyOf", ())) if "$ref" in each]
    return kinds[named[0].rpartition("/")[2]] if named else {}


def _kind(one: dict[str, Any], kinds: dict[str, Any]) -> str:
    """The form of a value in few words."""
    if "$ref" in one:
        return _kind(kinds[one["$ref"].rpartition("/")[2]], kinds)
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_kind(each, kinds) for each in one["anyOf"] if each.get("type") != "null"))
    if "enum" in one:
        return ", ".join(f"`{word}`" for word in one["enum"])
    if one.get("type") == "array":
        return f"a list of {_kind(one.get('items', {}), kinds)}"
    bounds = [f"{sign} {one[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in one]
    return " ".join([one.get("type", "anything"), *bounds])


def command_line() -> str:
    """docs/reference/commands.md: what people type, on a pull request and on a terminal."""
    lines = [
        "# Commands",
        "",
        MADE,
        "",
        "## On a pull request",
        "",
        "At the start of a line of a comment, by whoever may write to the repository.",
        "",
    ]
    lines += [*(f"- {' '.join(verb.help.split())}" for verb in commands.verbs().values()), ""]
    lines += ["Who is heard, and what people see: [commands](../commands.md).", ""]
    lines += ["## On a terminal", ""]
    for name, command in _leaves(typer.main.get_command(cli), "principal"):
        lines += [f"### `{name}`", "", " ".join((command.help or "").split()), ""]
        options = [one for one in command.params if getattr(one, "help", None) and not getattr(one, "hidden", False)]
        lines += [f"- {', '.join(f'`{word}`' for word in one.opts)}: {_cell(one.help)}" for one in options]
        lines += [""] if options else []
    return "\n".join(lines)


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
    for word, one in (inner or {}).items():
        yield from _leaves(one, f"{name} {word}")


def rules() -> str:
    """docs/reference/rules.md: every rule that is shipped."""
    shipped = sorted(library.load().rules, key=lambda rule: (rule.category.priority, rule.id))
    rows = [
        (
            f"`{rule.id}`",
            f"{rule.category.priority} {rule.category.slug}",
            str(rule.severity),
            str(len(rule.detectors)),
            _cell(rule.title),
        )
        for rule in shipped
    ]
    intro = (
        "`principal rules explain RULE` tells all of one: why, what to look for and what to leave alone, its detectors."
    )
    return _page("Rules", intro, ("rule", "category", "severity", "detectors", "what it asks for"), rows)


def metrics() -> str:
    """docs/reference/metrics.md: everything at `/metrics`."""
    rows = [
        (
            f"`{one.name}{'_total' if one.type == 'counter' else ''}`",
            one.type,
            ", ".join(f"`{name}`" for name in labels),
            _cell(one.documentation),
        )
        for one, labels in _metrics()
    ]
    intro = (
        "At `GET /metrics` of `principal serve`, and of `principal worker --metrics-port`. No label has a value that a stranger "
        "can choose. The dashboard and the alerts stand in [`deploy/observability`](../../deploy/observability), what to do "
        "about each alert in the [runbooks](../runbooks.md)."
    )
    return _page("Metrics", intro, ("metric", "kind", "labels", "meaning"), rows)


def _metrics() -> list[tuple[Any, Sequence[str]]]:
    ours = [one for one in vars(telemetry).values() if hasattr(one, "describe") and hasattr(one, "_labelnames")]
    labels = {one.describe()[0].name: one._labelnames for one in ours}  # noqa: SLF001 - the library has no public way
    found = [one for one in telemetry.REGISTRY.collect() if one.name.startswith("principal_")]
    return sorted(((one, labels.get(one.name, ())) for one in found), key=lambda pair: pair[0].name)


def logs() -> str:
    """docs/reference/logs.md: every event that the service logs."""
    said: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for path in sorted((HERE.parent / "app").rglob("*.py")):
        module = path.relative_to(HERE.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if module.split(".")[1:2] and module.split(".")[1] in NOT_LOGGED:
            continue
        for level, event, fields in _events(ast.parse(path.read_text(encoding="utf-8"))):
            known = said.setdefault((event, level), (set(), set()))
            known[0].update(fields)
            known[1].add(module)
    rows = [
        (f"`{event}`", level, ", ".join(f"`{name}`" for name in sorted(fields)), ", ".join(sorted(modules)))
        for (event, level), (fields, modules) in sorted(said.items())
    ]
    intro = (
        "One JSON object a line on standard error, with `event`, `level`, `logger`, `timestamp`, and the fields below. Lines "
        "about a delivery also have `delivery` (GitHub's id), `trace`, and once they are known `repository`, `number` and "
        "`job`. No line holds code, prompts, replies or titles."
    )
    return _page("Log events", intro, ("event", "level", "fields of its own", "said by"), rows)


def _events(tree: ast.AST) -> Iterator[tuple[str, str, list[str]]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=str(level)), args=[ast.Constant(value=str(event)), *_]
            ) if level in LEVELS:
                yield "error" if level == "exception" else level, event, [one.arg or "…" for one in node.keywords]


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _page(title: str, intro: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A page with one table."""
    lines = [f"# {title}", "", intro, "", MADE, "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


PAGES = {
    "errors.md": errors,
    "schemas/policy.schema.json": policy_schema,
    "reference/settings.md": settings,
    "reference/policy.md": policy_keys,
    "reference/commands.md": command_line,
    "reference/rules.md": rules,
    "reference/metrics.md": metrics,
    "reference/logs.md": logs,
    "../deploy/app-manifest.json": app_manifest,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
