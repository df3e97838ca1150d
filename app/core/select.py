"""Changed files → those worth a reviewer's time, and the rest, each with the reason a person reads.

    select(files, attributes=facts) ──► (kept, skipped)        Skipped("dist/app.js", "generated")

What a repository says about a file in `.gitattributes` (`linguist-generated`, `linguist-vendored`) wins over its name, and
its name over its content. When in doubt a file is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.change import FileDiff, FileStatus, Skipped

DELETED = "deleted"
"""Why a file that the change deletes is not reviewed."""

LONG_LINE_CHARACTERS = 500
"""Nobody writes lines like these by hand; a file in which most changed lines are longer was written by a program."""

OPENING_LINES = 20
"""How far down a file its notice of being generated may stand."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is known of a file besides its diff: what the repository declares (None: nothing), and how the file opens."""

    generated: bool | None = None
    vendored: bool | None = None
    opening: str = ""


def select(
    files: Sequence[FileDiff],
    *,
    attributes: Mapping[str, Attributes] | None = None,
    exclude: Callable[[str], str] | None = None,
) -> tuple[tuple[FileDiff, ...], tuple[Skipped, ...]]:
    """The files to review and the files left out, both in the diff's order.

    `attributes` are known facts by path; `exclude` gives why the policy keeps a path from every model, empty when it does not.
    """
    kept: list[FileDiff] = []
    skipped: list[Skipped] = []
    for file in files:
        left_out = exclude(file.path) if exclude is not None else ""
        reason = left_out or _reason(file, (attributes or {}).get(file.path, Attributes()))
        if reason:
            skipped.append(Skipped(file.path, reason, hunks=len(file.hunks)))
        else:
            kept.append(file)
    return tuple(kept), tuple(skipped)


def _reason(file: FileDiff, facts: Attributes) -> str:
    """Why the file is not reviewed, empty when it is."""
    return _nothing_to_read(file) or _not_written_here(file, facts)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- nothing to read --------------------------------------------------------------------------------------------------

_SUBMODULE, _SYMBOLIC_LINK = "160000", "120000"


_KINDS = {
    "image": _words("apng avif bmp eps gif heic icns ico jpeg jpg png psd svg tif tiff webp"),
    "font": _words("eot otf ttc ttf woff woff2"),
    "data": _words("arrow avro csv db dbf feather geojson jsonl ndjson npy npz parquet pickle pkl sqlite sqlite3 tsv"),
}


def _nothing_to_read(file: FileDiff) -> str:
    mode = file.new_mode or file.old_mode
    if mode == _SUBMODULE:
        return "submodule"
    if mode == _SYMBOLIC_LINK:
        return "symbolic link"
    if file.status is FileStatus.DELETED:
        return DELETED
    extension = _extension(file.path)
    kind = next((kind for kind, extensions in _KINDS.items() if extension in extensions), "")
    if kind or file.binary:
        return kind or "binary"
    return "" if file.hunks else _without_lines(file)


def _without_lines(file: FileDiff) -> str:
    match file.status:
        case FileStatus.RENAMED:
            return "only renamed"
        case FileStatus.COPIED:
            return "only copied"
        case FileStatus.ADDED:
            return "empty"
        case _:
            return "only its mode changed"


# --- not written here -------------------------------------------------------------------------------------------------

_LOCK_FILES = _words("""
    .terraform.lock.hcl buf.lock buildscript-gradle.lockfile bun.lock bun.lockb cabal.project.freeze cargo.lock
    cartfile.resolved chart.lock composer.lock conan.lock conda-lock.yml cpanfile.snapshot deno.lock devbox.lock
    dub.selections.json flake.lock gemfile.lock gems.locked go.sum go.work.sum gradle.lockfile mix.lock
    module.bazel.lock npm-shrinkwrap.json package-lock.json package.resolved packages.lock.json packrat.lock paket.lock
    pdm.lock pipfile.lock pixi.lock pnpm-lock.yaml podfile.lock poetry.lock project.assets.json pubspec.lock rebar.lock
    renv.lock shard.lock spago.lock stack.yaml.lock uv.lock yarn.lock
""")
_VENDORED_FOLDERS = _words("""
    .venv .yarn 3rdparty bower_components carthage jspm_packages node_modules pods site-packages third-party third_party
    thirdparty
""")
_VENDORED_FILES = _words(".pnp.cjs .pnp.loader.mjs gradlew gradlew.bat mvnw mvnw.cmd")
_BUILT = _words("js mjs cjs css map")

# Of lower-case paths. Folders named build also hold hand-written scripts, so there only a hash in the name counts.
_BY_PATH = (
    ("source map", re.compile(r".*\.(?:[cm]?[jt]s|css)\.map")),
    ("minified", re.compile(r".*\.min\.(?:[cm]?js|css)")),
    ("snapshot", re.compile(r".*\.snap|(?:.*/)?__snapshots__/.*")),
    ("generated", re.compile(r".*\.(?:pb|gen|generated)\.[a-z]+|.*\.pb\.gw\.go|.*\.pbobjc\.[hm]|.*_generated\.[a-z]+")),
    (
        "generated",
        re.compile(r".*_pb2(?:_grpc)?\.pyi?|.*_pb\.(?:[cm]?js|ts|d\.ts)|.*_gen\.go|(?:.*/)?zz_generated[^/]*\.go"),
    ),
    (
        "generated",
        re.compile(r".*\.(?:g|gr|freezed|mocks)\.dart|.*\.(?:g|g\.i|designer)\.(?:cs|vb)|(?:.*/)?project\.pbxproj"),
    ),
    ("generated", re.compile(r"(?:.*/)?(?:\.next|\.nuxt|\.output|\.svelte-kit|__generated__|generated)/.*")),
    ("generated", re.compile(r"(?:.*/)?dist/.*\.(?:[cm]?js|css|map|d\.ts)")),
    (
        "generated",
        re.compile(r"(?:.*/)?(?:build|out|assets)/.*[.-][0-9a-f]{8,32}(?:\.chunk|\.bundle)?\.(?:[cm]?js|css)"),
    ),
)


def _not_written_here(file: FileDiff, facts: Attributes) -> str:
    """Lock file, vendored, generated or minified; what the repository declares decides where it does."""
    path = file.path.lower()
    if facts.vendored or (facts.vendored is None and _is_vendored(path)):
        return "vendored"
    if facts.generated is not None:
        return "generated" if facts.generated else ""
    if path.rpartition("/")[2] in _LOCK_FILES:
        return "lock file"
    return next((reason for reason, pattern in _BY_PATH if pattern.fullmatch(path)), "") or _by_content(file, facts)


def _is_vendored(path: str) -> bool:
    *folders, name = path.split("/")
    if name in _VENDORED_FILES or not _VENDORED_FOLDERS.isdisjoint(folders) or folders[:1] == ["vendor"]:
        return True
    # A folder named vendor deeper down may hold a business's suppliers; the ones that tools fill look like these.
    if folders[-1:] == ["vendor"] and name in ("autoload.php", "modules.txt"):
        return True
    return any(
        above == "vendor" and ("." in below or below in ("bundle", "composer")) for above, below in pairwise(folders)
    )


def _by_content(file: FileDiff, facts: Attributes) -> str:
    if _is_generated(file, facts.opening):
        return "generated"
    added = [raw for hunk in file.hunks for raw in hunk.body if raw.startswith("+")]
    long = sum(1 for raw in added if len(raw) > LONG_LINE_CHARACTERS)
    if long * 2 > len(added):
        return "minified" if _extension(file.path) in _BUILT else "lines too long to read"
    return ""


# --- a notice of being generated --------------------------------------------------------------------------------------

_COMMENT = ("#", "//", "/*", "*", "--", ";", "<!--", '"""', "'''", "%", "{-", "(*")
_TAG = re.compile(r"@generated\b")
_BY_A_PROGRAM = re.compile(
    r"auto-?generated|automatically generated|(?:code|is|was|file) generated|generated (?:automatically|by|from|with|using)"
)
_HANDS_OFF = re.compile(
    r"(?:do not|don't|never) (?:edit|modify|change|touch|manually|hand)|not be (?:edited|modified|changed)"
    r"|changes .{0,40}(?:lost|overwritten)"
)


def _is_generated(file: FileDiff, opening: str) -> bool:
    """Whether the file opens with such a notice, and did so before: a notice that this change put on is no proof."""
    after = dict(enumerate(opening.split("\n")[:OPENING_LINES] if opening else [], 1))
    before = dict(after)
    removed: list[str] = []
    for line in (line for hunk in file.hunks if hunk.new_start <= OPENING_LINES for line in hunk.lines()):
        if line.new is None:
            removed.append(line.text)
        elif line.new <= OPENING_LINES:
            after[line.new] = before[line.new] = line.text
            if line.mark == "+":
                del before[line.new]
    if file.status is FileStatus.ADDED:
        return _says_generated(after.values())
    return _says_generated(after.values()) and _says_generated((*before.values(), *removed[:OPENING_LINES]))


def _says_generated(lines: Iterable[str]) -> bool:
    """Whether comments say that a program wrote the file and that nobody should edit it."""
    comments = (line.strip()[:LONG_LINE_CHARACTERS].lower() for line in lines)
    notice = " ".join(line for line in comments if line.startswith(_COMMENT))
    if _TAG.search(notice):
        return True
    return _BY_A_PROGRAM.search(notice) is not None and _HANDS_OFF.search(notice) is not None


def _extension(path: str) -> str:
    return path.rpartition("/")[2].lower().rpartition(".")[2]
