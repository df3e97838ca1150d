"""Detectors that look at both sides of a change: what is gone, what was added, and what did not come along."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app import library
from app.analysis import Scanner, scan
from app.analysis.probe import probes
from app.core import diff, evidence
from app.core.finding import Kind, Side
from app.core.rule import Compare, Comparison, Detector, Evidence, Rule, Strength
from app.core.source import ScanResult, SourceFile, Surroundings

RULES = library.load().rules
ROUTE = {"rule": {"pattern": "app.$METHOD($PATH, $$$REST)"}}


def rule(detector: Detector) -> Rule:
    return replace(RULES[0], id="own", kind=Kind.DESIGN, detectors=(detector,))


def detector(what: Comparison, by: str, **changes: object) -> Detector:
    made = Detector("one", ("javascript",), Strength.WEAK, ROUTE, compare=Compare(what, by))
    return replace(made, **changes)  # type: ignore[arg-type]


GONE = rule(detector(Comparison.GONE, "{METHOD} {PATH}"))
ADDED = rule(detector(Comparison.ADDED, "{text}"))


def compared(*files: SourceFile, by: Rule, around: Surroundings | None = None, all_there: bool = True) -> ScanResult:
    return scan.scan(files, probes([by]), around=around, all_there=all_there)


def places(found: tuple[Evidence, ...]) -> list[tuple[str, str, int]]:
    return [(one.path, one.side.value, one.start_line) for one in found]


# --- gone -------------------------------------------------------------------------------------------------------------


def test_what_is_gone_stands_on_the_line_that_was_removed() -> None:
    before = 'app.get("/a", a);\napp.get("/b", b);\n'
    result = compared(SourceFile.between("src/a.js", before, 'app.get("/b", b);\n'), by=GONE)
    (found,) = result.new
    assert places(result.new) == [("src/a.js", "LEFT", 1)]
    assert found.quote == 'app.get("/a", a);'
    assert dict(found.captures)["PATH"] == '"/a"'
    assert (result.existing, result.notes) == ((), ())


def test_what_moved_to_another_file_is_not_gone() -> None:
    old = SourceFile.between("src/a.js", 'app.get("/a", a);\n', "")
    new = SourceFile("src/b.js", "app.get('/a',   a);\n", changed=frozenset({1}))
    assert compared(old, new, by=GONE).new == ()


def test_a_new_name_for_an_old_thing_is_told_on_the_old_line() -> None:
    file = SourceFile.between("src/a.js", 'start();\napp.get("/a", a);\n', 'start();\napp.get("/b", a);\n')
    assert places(compared(file, by=GONE).new) == [("src/a.js", "LEFT", 2)]


def test_a_comment_on_what_is_gone_stands_on_the_left_side_of_its_hunk() -> None:
    patch = b"""\
diff --git a/src/a.js b/src/a.js
--- a/src/a.js
+++ b/src/a.js
@@ -1,3 +1,2 @@
 start();
-app.get("/a", a);
 stop();
"""
    (file,) = diff.parse(patch)
    source = SourceFile.of(file, "start();\nstop();\n", before='start();\napp.get("/a", a);\nstop();\n')
    (found,) = compared(source, by=GONE).new
    where = evidence.anchor(found, file)
    assert where is not None
    assert (where.side, where.start_line, where.line, where.hunk) == (Side.LEFT, 2, 2, 0)


def test_too_large_a_change_is_not_compared_and_says_so() -> None:
    file = SourceFile.between("src/a.js", 'app.get("/a", a);\n', "")
    result = compared(file, by=GONE, all_there=False)
    assert result.new == ()
    assert [note.subject for note in result.notes] == ["own/one"]


# --- added ------------------------------------------------------------------------------------------------------------


def test_what_was_only_moved_was_not_added() -> None:
    before, after = "app.use(x, y);\nfirst();\n", "first();\napp.use(x, y);\n"
    assert compared(SourceFile.between("src/a.js", before, after), by=ADDED).new == ()


def test_a_second_one_is_added_where_the_change_put_it() -> None:
    before, after = "app.use(x, y);\nlast();\n", "app.use(x, y);\nlast();\napp.use(x, y);\n"
    assert places(compared(SourceFile.between("src/a.js", before, after), by=ADDED).new) == [("src/a.js", "RIGHT", 3)]


def test_in_a_new_file_all_of_it_is_added() -> None:
    file = SourceFile("src/a.js", "app.use(x, y);\n", changed=frozenset({1}))
    assert places(compared(file, by=ADDED).new) == [("src/a.js", "RIGHT", 1)]


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [GONE, ADDED], ids=["gone", "added"])
def test_a_tree_has_no_base_so_nothing_is_compared(by: Rule) -> None:
    result = compared(SourceFile("src/a.js", "app.use(x, y);\n", whole=True), by=by)
    assert result == ScanResult()


@pytest.mark.parametrize(
    "broken",
    [
        detector(Comparison.STEP, "nobody.wrote-it", ast={}),
        detector(Comparison.GONE, "{METHOD}", ast={"kind": "no_such_kind"}),
        detector(Comparison.GONE, "{METHOD}", ast={}, refine="nobody.wrote-it"),
    ],
    ids=["step", "kind", "search"],
)
def test_a_broken_comparison_is_noted_and_the_others_run(broken: Detector) -> None:
    file = SourceFile.between("src/a.js", 'app.get("/a", a);\n', "first();\n")
    rules = [rule(broken), replace(GONE, id="other")]
    result = scan.scan([file], probes(rules))
    assert [one.rule for one in result.new] == ["other"]
    assert [note.subject for note in result.notes] == ["own/one"]


def test_the_worker_compares_as_it_would_be_done_here() -> None:
    file = SourceFile.between(
        "package.json", '{"dependencies": {\n"a": "1.0.0"}}\n', '{"dependencies": {\n"a": "2.0.0"}}\n'
    )
    lock = rule(detector(Comparison.STEP, "supply-chain.lock-file", ast={}, languages=("any",)))
    around = Surroundings(frozenset({"package.json"}), present=frozenset({"package-lock.json"}))

    async def asked() -> ScanResult:
        async with Scanner() as scanner:
            return await scanner.scan([file], [lock], around=around)

    result = asyncio.run(asked())
    assert result == compared(file, by=lock, around=around)
    assert places(result.new) == [("package.json", "RIGHT", 2)]


# --- manifests --------------------------------------------------------------------------------------------------------


def manifest(path: str, before: str, after: str, *, step: str, **around: frozenset[str]) -> list[tuple[str, str]]:
    """Name and side of each dependency that the step names."""
    by = rule(detector(Comparison.STEP, f"supply-chain.{step}", ast={}, languages=("any",)))
    paths = Surroundings(**{"touched": frozenset({path}), **around})
    found = compared(SourceFile.between(path, before, after), by=by, around=paths).new
    return [(dict(one.captures)["name"], one.side.value) for one in found]


PACKAGE = '{\n "dependencies": {\n  "left": "^1.0.0"\n }\n}\n'


def test_a_manifest_without_its_lock_file_is_told() -> None:
    newer = PACKAGE.replace("^1.0.0", "^2.0.0")
    workspace = frozenset({"package-lock.json"})
    assert manifest("apps/web/package.json", PACKAGE, newer, step="lock-file", present=workspace) == [("left", "RIGHT")]
    emptied = '{\n "dependencies": {\n }\n}\n'
    assert manifest("package.json", PACKAGE, emptied, step="lock-file", present=workspace) == [("left", "LEFT")]


def test_a_lock_file_that_came_along_or_never_was_is_not_missed() -> None:
    newer = PACKAGE.replace("^1.0.0", "^2.0.0")
    locks = frozenset({"yarn.lock"})
    both = frozenset({"package.json", "yarn.lock"})
    assert manifest("package.json", PACKAGE, newer, step="lock-file", present=locks, touched=both) == []
    assert manifest("package.json", PACKAGE, newer, step="lock-file") == []
    renamed = PACKAGE.replace("{\n", '{\n "name": "shop",\n', 1)
    assert manifest("package.json", PACKAGE, renamed, step="lock-file", present=locks) == []
    assert manifest("package.json", PACKAGE, "{", step="lock-file", present=locks) == []


@pytest.mark.parametrize(
    "version",
    ["*", "latest", "", "github:owner/left", "git+https://example.net/left.git#main", "http://example.net/l.tgz"],
)
def test_a_version_that_floats_is_told(version: str) -> None:
    newer = PACKAGE.replace("^1.0.0", version)
    assert manifest("package.json", PACKAGE, newer, step="unpinned") == [("left", "RIGHT")]


@pytest.mark.parametrize(
    "version",
    ["2.0.0", "~2.1", "workspace:*", "npm:right@2.0.0", "git+https://example.net/left.git#0123abcd", "file:../left"],
)
def test_a_version_that_says_what_it_is_is_not(version: str) -> None:
    assert manifest("package.json", PACKAGE, PACKAGE.replace("^1.0.0", version), step="unpinned") == []


def test_python_manifests_are_read_too() -> None:
    pinned = "left==1.0\nright==2.0\n"
    assert manifest("requirements.txt", pinned, pinned + "middle\n", step="unpinned") == [("middle", "RIGHT")]
    assert manifest("requirements.txt", "left\n", "left\nmiddle\n", step="unpinned") == []
    project = '[project]\ndependencies = [\n  "left>=1",\n]\n'
    newer = project.replace('"left>=1",', '"left>=1",\n  "right>=1",')
    lock = frozenset({"uv.lock"})
    assert manifest("pyproject.toml", project, newer, step="lock-file", present=lock) == [("right", "RIGHT")]
    assert manifest("pyproject.toml", project, "[[[", step="lock-file") == []


# --- tests and migrations ---------------------------------------------------------------------------------------------

FUNCTION = "export function total(order) {\n" + "".join(f"  order.line{n} = {n};\n" for n in range(9)) + "}\n"


def test_a_source_that_grew_without_a_test_is_told_once_at_its_first_line_of_code() -> None:
    by = rule(detector(Comparison.STEP, "tests.source-without-test", ast={}))
    file = SourceFile.between("src/server/a.js", "// a\n", f"// a\n{FUNCTION}")
    alone = Surroundings(touched=frozenset({file.path}), present=frozenset({"src/server/a.test.js"}))
    (found,) = compared(file, by=by, around=alone).new
    assert (found.start_line, dict(found.captures)["test"]) == (2, "src/server/a.test.js")
    with_test = Surroundings(touched=frozenset({file.path, "src/server/b.test.js"}))
    assert compared(file, by=by, around=with_test).new == ()
    assert compared(replace(file, path="scripts/a.js"), by=by, around=alone).new == ()


def migration(path: str, text: str, *, step: str) -> list[str]:
    by = rule(Detector("one", ("any",), Strength.WEAK, {}, refine=f"schema-evolution.{step}"))
    return [dict(one.captures)["name"] for one in scan.scan([SourceFile(path, text, whole=True)], probes([by])).new]


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("migrations/1.sql", 'DROP TABLE IF EXISTS "shop"."orders";', "orders"),
        ("prisma/migrations/2/migration.sql", 'ALTER TABLE "Order" DROP COLUMN "total";', "total"),
        ("migrations/4.js", 'exports.up = (knex) => knex.schema.dropTable("orders");', "orders"),
        (
            "src/migrations/5.ts",
            'export async function up(q) { await queryInterface.removeColumn("orders", "total"); }',
            'orders", "total',
        ),
        ("alembic/versions/6.py", 'def upgrade():\n    op.drop_column("orders", "total")\n', 'orders", "total'),
    ],
)
def test_a_migration_that_destroys_is_seen(path: str, text: str, name: str) -> None:
    assert migration(path, text, step="destructive") == [name]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("migrations/1.sql", "-- DROP TABLE orders;"),
        ("src/orders.sql", "DROP TABLE orders;"),
        ("migrations/2.js", 'exports.up = (knex) => 1;\nexports.down = (knex) => knex.schema.dropTable("orders");'),
        ("migrations/3.sql", "CREATE TABLE copied (a int);\nDROP TABLE copied;"),
        ("migrations/4.sql", "-- +goose Up\nCREATE TABLE a (b int);\n-- +goose Down\nDROP TABLE c;"),
    ],
)
def test_the_way_back_and_what_was_just_made_are_left_alone(path: str, text: str) -> None:
    assert migration(path, text, step="destructive") == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX by_day ON orders (day);",
        "ALTER TABLE orders ADD COLUMN day date NOT NULL;",
        "ALTER TABLE orders ALTER COLUMN total TYPE bigint;",
    ],
)
def test_a_migration_that_keeps_writers_out_is_seen(text: str) -> None:
    assert migration("db/migrations/1.sql", text, step="locking") == ["orders"]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX CONCURRENTLY by_day ON orders (day);",
        "ALTER TABLE orders ADD COLUMN day date NOT NULL DEFAULT now();",
        "ALTER TABLE orders ADD COLUMN day date DEFAULT now() NOT NULL;",
        "ALTER TABLE orders ADD COLUMN day date;",
        "CREATE TABLE orders (day date NOT NULL);\nCREATE INDEX by_day ON orders (day);",
    ],
)
def test_a_migration_that_does_not_is_left_alone(text: str) -> None:
    assert migration("db/migrations/1.sql", text, step="locking") == []
