"""Who reviews: personas and a change in, the personas that apply out; and which of their references the change calls for.

A persona applies by the extensions, paths or imports of the change, or by its activation phrases in title, labels and
command; with none of these conditions it applies to every change. Nobody applies: the common core reviews.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from app.core import gate, glob, signals
from app.core.budget import estimate_tokens
from app.core.change import Change, narrow
from app.core.options import EFFORTS
from app.core.persona import Persona, Reference
from app.errors import UserError

STARTS_OVER = "full"
"""After `/review`: as if nothing had been reviewed or said before."""
MOST_UNHEEDED = 4
COMMON_CORE = "common-core"
FIXER = "backend-expert-nodejs"
SCRIPT_EXTENSIONS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
LONGEST_TEXT = 4_000_000
REFERENCES_PER_PERSONA = 4
SECTION_TOKENS = 900
"""Of the personas' references in one prompt."""

_ASKED = re.compile(r"(?:^|\s)persona[ \t:=]+(?:\"([^\"\n]+)\"|'([^'\n]+)'|(\S+))", re.IGNORECASE)
_SECTION = re.compile(r"(?m)^(?=##[ \t])")
_IMPORTED = re.compile(
    r"(?:\bfrom\s*|\brequire\(\s*|\bimport\(\s*|\bimport\s+)[\"'`]([^\"'`\n]{1,200})[\"'`]|"
    r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_][\w.]{0,200})|\b(Bun|Deno)\.[a-z]\w*",
    re.MULTILINE,
)


def choose(
    personas: Sequence[Persona], change: Change, *, added_text: str, asked: str = "", only: Sequence[str] = ()
) -> tuple[Persona, ...]:
    """The personas that review a change, in the library's order.

    `added_text` is what `added_text` gives for the change; `asked` what a person wrote after `/review`. `persona NAME` in
    it chooses that one alone; raises `UserError` when there is none of that name. `only` names those that may review at
    all; empty means all.
    """
    named = _ASKED.search(asked)
    if named:
        return (_named(personas, next(part for part in named.groups() if part)),)
    modules = _modules(added_text)
    spoken = " \n ".join((change.intent.title.text, *change.intent.labels, asked))
    applying = tuple(
        persona
        for persona in personas
        if persona.name != COMMON_CORE
        and (not only or _is_called(persona, only))
        and _applies(persona, change, modules=modules, spoken=spoken)
    )
    core = tuple(persona for persona in personas if persona.name == COMMON_CORE)
    return (*applying, *core) if _somebody_is_missing(applying, change) else applying


def unheeded(change: Change, asked: str) -> tuple[str, ...]:
    """A sentence about what stands behind `/review` and means nothing here, so that nobody takes a typing error for obeyed."""
    words = [word for word in _ASKED.sub(" ", asked).split() if word.lower() not in (STARTS_OVER, *EFFORTS)]
    lost = [word for word in words if narrow(change, word) is change]
    if not lost:
        return ()
    named = ", ".join(gate.span(word) for word in lost[:MOST_UNHEEDED])
    rest = "" if len(lost) < len(words) else ", so all of it was reviewed"
    return (f"Nothing in this change is named {named}{rest}",)


def fixer(personas: Sequence[Persona], change: Change) -> Persona | None:
    """The persona whose answer patterns and file header the fixes of this change follow; None for languages not its own."""
    if not any(file.path.casefold().endswith(SCRIPT_EXTENSIONS) for file in change.files):
        return None
    return next((persona for persona in personas if persona.name == FIXER), None)


def references(persona: Persona, change_text: str) -> tuple[Reference, ...]:
    """The persona's documents of which a topic stands in the change's text, the most often met first."""
    text = change_text[:LONGEST_TEXT].casefold()
    met = [(sum(1 for topic in one.topics if _stands_in(topic, text)), one) for one in persona.references]
    kept = sorted((pair for pair in met if pair[0]), key=lambda pair: -pair[0])
    return tuple(one for _, one in kept[:REFERENCES_PER_PERSONA])


def sections(references: Sequence[Reference], *, code: str) -> tuple[Reference, ...]:
    """The parts of the documents that speak of this code, those that name most of its words first: the rest only costs."""
    words = signals.words(code[:LONGEST_TEXT])
    parts = [
        Reference(one.name, one.topics, part.strip())
        for one in references
        for part in _SECTION.split(one.text.strip())[1:]
    ]
    scored = [(signals.count([part.text], code=words), part) for part in parts]
    worth = sorted((pair for pair in scored if pair[0] >= signals.LEAST), key=lambda pair: -pair[0])
    kept: list[Reference] = []
    left = SECTION_TOKENS
    for _, part in worth:
        tokens = estimate_tokens(part.text)
        if tokens <= left:
            kept.append(part)
            left -= tokens
    return tuple(kept)


def changed_text(change: Change) -> str:
    """The lines that the change adds or takes away: what is searched for what applies to it."""
    lines = (raw[1:] for file in change.files for hunk in file.hunks for raw in hunk.body if raw[:1] in "+-")
    return "\n".join(lines)[:LONGEST_TEXT]


def added_text(change: Change) -> str:
    """The lines of the change as its head has them, with their context and the files' paths: what topics are looked for in."""
    parts: list[str] = []
    size = 0
    for file in change.files:
        parts.append(file.path)
        for hunk in file.hunks:
            parts += [raw[1:] for raw in hunk.body if not raw.startswith("-")]
            size += sum(map(len, hunk.body))
        if size > LONGEST_TEXT:
            break
    return "\n".join((change.intent.title.text, *parts))[:LONGEST_TEXT]


def _named(personas: Sequence[Persona], name: str) -> Persona:
    plain = name.casefold()
    for persona in personas:
        if _is_called(persona, [plain]):
            return persona
    known = ", ".join(persona.name for persona in personas)
    raise UserError(f"there is no persona {name[:80]!r}; there are {known}")


def _is_called(persona: Persona, names: Sequence[str]) -> bool:
    called = {persona.name, *(alias.casefold() for alias in persona.aliases)}
    return any(name.casefold() in called for name in names)


def _applies(persona: Persona, change: Change, *, modules: _Modules, spoken: str) -> bool:
    if not (persona.extensions or persona.paths or persona.imports or persona.activation):
        return True
    return (
        any(file.path.casefold().endswith(persona.extensions) for file in change.files)
        or any(glob.matches_any(file.path, persona.paths) for file in change.files)
        or _imports(persona, modules)
        or any(_stands_in(phrase, spoken.casefold()) for phrase in persona.activation)
    )


def _somebody_is_missing(applying: Sequence[Persona], change: Change) -> bool:
    """Whether some file of the change has nobody who knows its language; configuration beside reviewed code has."""
    if not applying:
        return True
    if any(not persona.builtin for persona in applying) and not any(persona.builtin for persona in applying):
        return True
    known = tuple(extension for persona in applying for extension in persona.extensions)
    return any(
        PurePosixPath(file.path).suffix.casefold() in _OTHER_CODE
        and not file.path.casefold().endswith(known or ("\0",))
        for file in change.files
    )


_OTHER_CODE = frozenset((
    ".py", ".go", ".rs", ".java", ".kt", ".kts", ".scala", ".rb", ".php", ".cs", ".fs", ".swift", ".c", ".h", ".cc",
    ".cpp", ".hpp", ".m", ".ex", ".exs", ".erl", ".clj", ".hs", ".ml", ".lua", ".pl", ".r", ".dart", ".jl", ".zig",
    ".nim", ".sql", ".tf", ".proto",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Modules:
    """What the change imports: `quoted` names as JavaScript writes them, `bare` ones as Python does."""

    quoted: frozenset[str]
    bare: frozenset[str]


def _modules(text: str) -> _Modules:
    quoted: set[str] = set()
    bare: set[str] = set()
    for name, dotted, runtime in _IMPORTED.findall(text):
        if dotted:
            bare.add(dotted)
        else:
            quoted.add(runtime.casefold() or name)
    return _Modules(frozenset(quoted), frozenset(bare))


def _imports(persona: Persona, modules: _Modules) -> bool:
    """Whether the change imports one of the persona's modules. Who wants `node:` does not mean Python's `http`."""
    scripts_only = any(wanted.startswith("node:") for wanted in persona.imports)
    known = modules.quoted if scripts_only else modules.quoted | modules.bare
    return any(_is_imported(wanted, known) for wanted in persona.imports)


def _is_imported(wanted: str, modules: frozenset[str]) -> bool:
    """`node:` and `@nestjs/` stand for everything below; a plain name for the module and its own parts (`express/lib`)."""
    if wanted.endswith((":", "/")):
        return any(module.startswith(wanted) for module in modules)
    return any(module == wanted or module.startswith((f"{wanted}/", f"{wanted}.")) for module in modules)


def _stands_in(phrase: str, text: str) -> bool:
    return _pattern(phrase.casefold()).search(text) is not None


@lru_cache(maxsize=4096)
def _pattern(phrase: str) -> re.Pattern[str]:
    """The phrase as a whole word, white space however wide, a plural allowed."""
    body = r"\s+".join(re.escape(word) for word in phrase.split()) or r"(?!)"
    before = r"(?<!\w)" if phrase[:1].isalnum() else ""
    after = r"(?:e?s)?(?!\w)" if phrase[-1:].isalnum() else ""
    return re.compile(before + body + after)
