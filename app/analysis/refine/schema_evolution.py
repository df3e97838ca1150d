"""Rule `schema-evolution`: statements of a migration that break the code which still runs, or hold a lock while they work."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from app.analysis import languages
from app.analysis.context import FileContext, Match
from app.analysis.refine import searches
from app.analysis.roles import Role

_MIGRATION = re.compile(
    r"(?:^|/)(?:migrate|alembic|changelogs?|flyway|db/versions)/|migration|(?:^|/)V\d[\w.]*__\w+\.sql$", re.IGNORECASE
)
_DOWN = re.compile(
    r"\b(?:async\s+)?down\s*[(:=]|\bexports\.down\b|\bdef\s+downgrade\b|^\s*--\s*(?:migrate:|\+goose\s+)?down\b|^\s*--\s*rollback\b",
    re.IGNORECASE | re.MULTILINE,
)
_UP = re.compile(
    r"\b(?:async\s+)?up\s*[(:=]|\bexports\.up\b|\bdef\s+upgrade\b|^\s*--\s*(?:migrate:|\+goose\s+)?up\b",
    re.IGNORECASE | re.MULTILINE,
)
_SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CODE_COMMENT = re.compile(r"(?m:^\s*(?://|#|\*)[^\n]*)|/\*.*?\*/", re.DOTALL)
_CHANGES_SCHEMA = re.compile(
    r"\b(?:knex|queryInterface|QueryRunner|queryRunner|pgm|schema|op|migrations?|addSql|sql)\b", re.IGNORECASE
)
_NAME = r"[\"'`\[\]\w.]{1,100}"
_DESTROYS = (
    ("drops a table", re.compile(rf"\bDROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})", re.IGNORECASE)),
    (
        "drops a column",
        re.compile(
            rf"\bALTER\s+TABLE\s[^;]{{0,400}}?\bDROP\s+COLUMN\s+(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})", re.IGNORECASE
        ),
    ),
    ("empties a table", re.compile(rf"\bTRUNCATE\s+(?:TABLE\s+)?(?P<name>{_NAME})", re.IGNORECASE)),
    (
        "drops a column",
        re.compile(
            r"\.(?:dropColumns?|removeColumn|drop_column|remove_column)\(\s*(?P<name>[\"'`][^\"'`\n]{1,100}[\"'`](?:\s*,\s*[\"'`][^\"'`\n]{1,100}[\"'`])?)?"
        ),
    ),
    (
        "drops a table",
        re.compile(r"\.(?:dropTable(?:IfExists)?|drop_table)\(\s*(?P<name>[\"'`][^\"'`\n]{1,100}[\"'`])?"),
    ),
)
_RENAMES = (
    (
        "renames a table or column",
        re.compile(
            rf"\bALTER\s+TABLE\s(?:(?!\bRENAME\b)[^;]){{0,400}}\bRENAME\s+(?:COLUMN\s+)?(?:{_NAME}\s+)?TO\s+(?P<name>{_NAME})",
            re.IGNORECASE,
        ),
    ),
    (
        "renames a table or column",
        re.compile(
            r"(?<!\.\.)\.(?:renameColumn|renameTable|rename_table)\(\s*(?P<name>[\"'`][^\"'`\n]{1,100}[\"'`](?:\s*,\s*[\"'`][^\"'`\n]{1,100}[\"'`])?)?"
        ),
    ),
)
_LOCKS = (
    (
        "builds an index while it keeps writers out",
        re.compile(
            rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY\b)(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\s+)?ON\s+(?:ONLY\s+)?(?P<name>{_NAME})",
            re.IGNORECASE,
        ),
    ),
    (
        "adds a column that must not be empty and has no default",
        re.compile(
            rf"\bALTER\s+TABLE\s+(?:ONLY\s+)?(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})\s+ADD\s+(?:COLUMN\s+)?(?!CONSTRAINT\b)(?:IF\s+NOT\s+EXISTS\s+)?"
            r"(?:(?!\bDEFAULT\b|\bGENERATED\b|;).){1,200}?\bNOT\s+NULL\b(?!(?:(?!;|,).){0,80}\b(?:DEFAULT|GENERATED)\b)",
            re.IGNORECASE,
        ),
    ),
    (
        "reads the whole table to see that a column is never empty",
        re.compile(
            rf"\bALTER\s+TABLE\s+(?:ONLY\s+)?(?P<name>{_NAME})\s[^;]{{0,200}}?\bALTER\s+(?:COLUMN\s+)?{_NAME}\s+SET\s+NOT\s+NULL\b",
            re.IGNORECASE,
        ),
    ),
    (
        "changes the type of a column, which rewrites the table",
        re.compile(
            rf"\bALTER\s+TABLE\s+(?P<name>{_NAME})\s[^;]{{0,200}}?\bALTER\s+(?:COLUMN\s+)?{_NAME}\s+(?:SET\s+DATA\s+)?TYPE\b",
            re.IGNORECASE,
        ),
    ),
)


_COLUMN_RENAMED = re.compile(rf"\bRENAME\s+(?:COLUMN\s+)?(?P<old>{_NAME})\s+TO\s+(?P<new>{_NAME})", re.IGNORECASE)
_COLUMN_RENAMED_IN_CODE = re.compile(
    r"\.renameColumn\((?:\s*[\"'`][^\"'`\n]{1,100}[\"'`]\s*,)?\s*[\"'`](?P<old>[^\"'`\n]{1,100})[\"'`]\s*,\s*[\"'`](?P<new>[^\"'`\n]{1,100})[\"'`]"
)
_ANY_RENAMED = re.compile(
    r"ALTER\s+TABLE\s+(?:ONLY\s+)?(?:IF\s+EXISTS\s+)?(?:[^\s;]{1,100}\s+RENAME\s+(?:COLUMN\s+)?)?"
    r"(?P<old_in_sql>[^\s;]{1,100})\s+(?:RENAME\s+)?TO\s+(?P<new_in_sql>[^\s;)]{1,100})|"
    r"\.rename\w+\(\s*(?:[\"'`][^\"'`\n]{1,100}[\"'`]\s*,(?=[^,()]{1,100},))?(?P<old_in_code>[^,()]{1,100}),(?P<new_in_code>[^,()]{1,100})",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"(?<!at)te?mp(?!late|erat|o\b)|"
    r"[_-]?(?:new|old|copy|backup|bak|legacy|orig)[\"'`]?$|^[\"'`]?_?(?:new|old|legacy|backup|unpartitioned)_",
    re.IGNORECASE,
)
"""Names that something has only while a migration runs."""
_QUIET = frozenset((Role.TEST, Role.EXAMPLE))
_SEQUENCE = re.compile(r"^ALTER\s+TABLE\s+(?:ONLY\s+)?(?:IF\s+EXISTS\s+)?[\"'`]?\w*_seq\b", re.IGNORECASE)
_ALTERED = re.compile(rf"ALTER\s+TABLE\s+(?:ONLY\s+)?(?:IF\s+EXISTS\s+)?(?P<table>{_NAME})", re.IGNORECASE)
_CREATED = re.compile(
    rf"\bCREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})|\bcreateTable\(\s*(?P<other>[\"'`][^\"'`\n]{{1,100}}[\"'`])",
    re.IGNORECASE,
)


def _is_migration(file: FileContext) -> bool:
    """Whether the file changes a database step by step: by its folder or name, and as SQL or as code."""
    if not _MIGRATION.search(file.path) or file.path.endswith((".d.ts", ".md")) or file.role in _QUIET:
        return False
    return file.path.endswith(".sql") or (
        languages.of(file.path) is not None and _CHANGES_SCHEMA.search(file.text) is not None
    )


@searches("schema-evolution.destructive", where=_is_migration)
def destructive(file: FileContext) -> Iterable[Match]:
    """Statements after which the code that still runs finds its table or column gone."""
    return _statements(file, _DESTROYS)


@searches("schema-evolution.renaming", where=_is_migration)
def renaming(file: FileContext) -> Iterable[Match]:
    """The first statement after which the code that still runs finds a table or column under another name."""
    return islice(_statements(file, _RENAMES), 1)


@searches("schema-evolution.locking", where=_is_migration)
def locking(file: FileContext) -> Iterable[Match]:
    """Statements that keep writers out for as long as the table is large, or fail on rows that are there."""
    return _statements(file, _LOCKS)


def _statements(file: FileContext, forms: tuple[tuple[str, re.Pattern[str]], ...]) -> Iterator[Match]:
    text, turns, fresh = _read(file.text, is_sql=file.path.endswith(".sql"))
    for what, form in forms:
        for found in form.finditer(text):
            name, table = _bare(found["name"] or ""), _ALTERED.match(found.group())
            if table is not None and _bare(table["table"]) in fresh:
                continue
            if forms is _RENAMES and (
                _is_known_to_none(found.group(), text, turns) or _is_of_a_copy(found.start(), text)
            ):
                continue
            if name not in fresh and not _is_way_back(found.start(), turns):
                yield Match(found.start(), found.end(), captures={"what": what, "name": name}, note=what)


@lru_cache(maxsize=2)
def _read(text: str, *, is_sql: bool) -> tuple[str, list[tuple[int, bool]], frozenset[str]]:
    """The migration without comments, where it turns to its way back (or from it), and the tables it makes itself."""
    bare = _without_comments(text, is_sql=is_sql)
    turns = sorted(
        [(turn.start(), True) for turn in _DOWN.finditer(text)] + [(turn.start(), False) for turn in _UP.finditer(text)]
    )
    fresh = frozenset(
        _bare(found["name"] or found["other"])
        for found in _CREATED.finditer(bare)
        if not _is_way_back(found.start(), turns)
    )
    return bare, turns, fresh


def _is_known_to_none(renaming: str, text: str, turns: list[tuple[int, bool]]) -> bool:
    """Whether no running code misses the old name: only this migration knew it, another takes it, or code never says it."""
    if _SEQUENCE.search(renaming):
        return True
    old, new = _old_and_new(renaming)
    made = rf"\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?[\"'`]?{re.escape(old)}\b"
    built = rf"\.(?!rename|drop|remove)\w+\(\s*[\"'`]{re.escape(old)}[\"'`]"
    if old and re.search(f"{made}|{built}", text, re.IGNORECASE):
        return True
    others = [
        _old_and_new(found.group())
        for _, form in _RENAMES
        for found in form.finditer(text)
        if not _is_way_back(found.start(), turns)
    ]
    return any((old and old == other_new) or (new and new == other_old) for other_old, other_new in others)


def _is_of_a_copy(start: int, text: str) -> bool:
    """Whether a copy takes the place of what it was made from, or makes room for it: the name stays for all who know it."""
    found = _ANY_RENAMED.match(text, start)
    if found is None:
        return False
    old, new = ((found[f"{name}_in_sql"] or found[f"{name}_in_code"]).strip() for name in ("old", "new"))
    if _PASSING.search(old) or _PASSING.search(new):
        return True
    gone = rf"(?:DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?|\.drop\w+\(\s*){re.escape(new)}(?!\w)"
    return re.search(gone, text[:start], re.IGNORECASE) is not None


def _old_and_new(renaming: str) -> tuple[str, str]:
    """The two names of a column that is renamed; empty where it is a table, or a name is not written out."""
    if in_sql := _COLUMN_RENAMED.search(renaming):
        return _bare(in_sql["old"]), _bare(in_sql["new"])
    if in_code := _COLUMN_RENAMED_IN_CODE.search(renaming):
        return _bare(in_code["old"]), _bare(in_code["new"])
    return "", ""


def _without_comments(text: str, *, is_sql: bool) -> str:
    """The text with comments blanked and every offset kept."""
    comment = _SQL_COMMENT if is_sql else _CODE_COMMENT
    return comment.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def _is_way_back(place: int, turns: list[tuple[int, bool]]) -> bool:
    """Whether the statement stands in the part that undoes the migration, where everything is destroyed on purpose."""
    before = bisect_right(turns, (place, True))
    return before > 0 and turns[before - 1][1]


def _bare(name: str) -> str:
    return name.strip("\"'`[] ").rpartition(".")[2].strip("\"'`[]").lower()
