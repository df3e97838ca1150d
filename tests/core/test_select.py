"""What is not worth a reviewer's time is left out, each file with a reason in plain words; what is code stays."""

from __future__ import annotations

import pytest

from app.core import diff
from app.core.change import FileDiff, FileStatus, Hunk, Skipped
from app.core.select import LONG_LINE_CHARACTERS, Attributes, select


def changed(path: str, *body: str, at: int = 40, status: FileStatus = FileStatus.MODIFIED) -> FileDiff:
    """A file with one hunk; by default a changed line in its middle."""
    rows = body or (" before", "-old", "+new", " after")
    old, new = (sum(row[0] in marks for row in rows) for marks in (" -", " +"))
    return FileDiff(path, status, (Hunk(at, old, at, new, "", rows),), old_mode="100644", new_mode="100644")


def reason(file: FileDiff, facts: Attributes | None = None) -> str | None:
    """Why it is skipped; None when it is kept."""
    kept, skipped = select([file], attributes={file.path: facts} if facts else None)
    assert len(kept) + len(skipped) == 1
    return skipped[0].reason if skipped else None


def test_files_are_parted_in_order_and_each_skipped_one_has_its_hunks_and_reason() -> None:
    files = [changed("src/a.ts"), changed("dist/app.js"), changed("src/b.ts"), changed("yarn.lock")]
    assert select(files) == (
        (files[0], files[2]),
        (Skipped("dist/app.js", "generated", hunks=1), Skipped("yarn.lock", "lock file", hunks=1)),
    )


CODE = """
    src/charge.ts build/webpack.config.js scripts/dist.js src/vendor/invoice.ts src/vendor/index.ts app/locks.py pods.ts
    src/generator.ts src/pb.go src/api.mocks.ts src/admin.designer.tsx code_gen.py Makefile docs/map.md assets/app.js
    src/lock/yarn.lock.ts out/main.js build/deadbeef.js snapshots/a.ts lib/minify.js src/schema.graphql Dockerfile
    packages/vendor.d/x.ts db/migrations/001.sql src/distribution/a.js config.json dist/README.md src/vendors/x.y/z.ts
"""

NOT_WRITTEN_HERE = {
    "lock file": """
        package-lock.json web/yarn.lock pnpm-lock.yaml bun.lock Cargo.lock poetry.lock uv.lock Gemfile.lock go.sum
        composer.lock a/b/Package.resolved .terraform.lock.hcl flake.lock Podfile.lock gradle.lockfile
    """,
    "vendored": """
        node_modules/a/index.js web/node_modules/a.ts vendor/symfony/a.php svc/vendor/github.com/a/b.go gradlew
        third_party/lib/a.c x/third-party/a.py ruby/vendor/bundle/a.rb php/vendor/composer/a.php ios/Pods/A/a.m
        php/vendor/autoload.php svc/vendor/modules.txt .yarn/releases/yarn-4.cjs lib/site-packages/x.py Vendor/a.go
    """,
    "generated": """
        api/orders.pb.go api/orders.pb.gw.go orders_pb2.py orders_pb2_grpc.py orders_pb2.pyi a_pb.js a_pb.d.ts A.pbobjc.m
        lib/user.g.dart user.freezed.dart Form.Designer.cs Form.g.i.cs src/api.generated.ts routes.gen.ts types_gen.go
        zz_generated.deepcopy.go k8s/zz_generated.defaults.go model_generated.rs App.xcodeproj/project.pbxproj
        src/__generated__/query.ts src/generated/client.ts .next/server/page.js dist/app.js packages/a/dist/index.d.ts
        dist/style.css build/static/main.3f2a1b9c.js public/assets/index-3f2a1b9c.css out/a.3f2a1b9c.chunk.js
    """,
    "source map": "a.js.map dist/app.css.map lib/a.d.ts.map a.mjs.map",
    "minified": "static/jquery.min.js a.min.css a.min.mjs",
    "snapshot": "tests/a.test.ts.snap src/__snapshots__/a.txt __snapshots__/b.js",
    "image": "logo.svg a/icon.PNG",
    "font": "a.woff2 b.ttf",
    "data": "fixtures/rows.csv a.parquet b.ndjson",
}


@pytest.mark.parametrize("path", CODE.split())
def test_code_is_kept(path: str) -> None:
    assert reason(changed(path)) is None


@pytest.mark.parametrize(
    ("path", "why"), [(path, why) for why, names in NOT_WRITTEN_HERE.items() for path in names.split()]
)
def test_what_nobody_wrote_here_is_left_out(path: str, why: str) -> None:
    assert reason(changed(path)) == why


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (FileDiff("lib", FileStatus.MODIFIED, changed("x").hunks, old_mode="160000", new_mode="160000"), "submodule"),
        (FileDiff("lib", FileStatus.DELETED, changed("x").hunks, old_mode="160000"), "submodule"),
        (FileDiff("link", FileStatus.ADDED, changed("x").hunks, new_mode="120000"), "symbolic link"),
        (FileDiff("a.ts", FileStatus.TYPE_CHANGED, changed("x").hunks, None, "100644", "120000"), "symbolic link"),
        (FileDiff("a.ts", FileStatus.TYPE_CHANGED, changed("x").hunks, None, "120000", "100644"), None),
        (FileDiff("gone.ts", FileStatus.DELETED, changed("x").hunks, old_mode="100644"), "deleted"),
        (FileDiff("gone.png", FileStatus.DELETED, binary=True), "deleted"),
        (FileDiff("program", FileStatus.MODIFIED, binary=True), "binary"),
        (FileDiff("photo.jpg", FileStatus.ADDED, binary=True), "image"),
        (FileDiff("b.ts", FileStatus.RENAMED, old_path="a.ts"), "only renamed"),
        (FileDiff("b.ts", FileStatus.COPIED, old_path="a.ts"), "only copied"),
        (FileDiff("new.ts", FileStatus.ADDED), "empty"),
        (FileDiff("run.sh", FileStatus.MODIFIED, old_mode="100644", new_mode="100755"), "only its mode changed"),
        (FileDiff("b.ts", FileStatus.RENAMED, changed("x").hunks, old_path="a.ts"), None),
    ],
)
def test_a_file_with_nothing_to_read_is_left_out(file: FileDiff, why: str | None) -> None:
    assert reason(file) == why


def test_what_the_policy_excludes_is_left_out_whatever_it_is() -> None:
    files = [changed("secret/a.ts"), changed("src/a.ts"), FileDiff("secret/b", FileStatus.ADDED)]
    kept, skipped = select(files, exclude=lambda path: "excluded by the policy" * path.startswith("secret/"))
    assert [file.path for file in kept] == ["src/a.ts"]
    assert [one.reason for one in skipped] == ["excluded by the policy"] * 2


# --- what the repository declares -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "facts", "why"),
    [
        ("src/a.ts", Attributes(generated=True), "generated"),
        ("src/a.ts", Attributes(vendored=True), "vendored"),
        ("src/a.ts", Attributes(vendored=True, generated=False), "vendored"),
        ("dist/app.js", Attributes(generated=False), None),
        ("yarn.lock", Attributes(generated=False), None),
        ("vendor/a.go", Attributes(vendored=False), None),
        ("vendor/a.pb.go", Attributes(vendored=False), "generated"),
        ("vendor/a.pb.go", Attributes(generated=False), "vendored"),
        ("logo.svg", Attributes(generated=False, vendored=False), "image"),
        ("src/a.ts", Attributes(), None),
    ],
)
def test_the_repositorys_own_word_wins_over_the_name(path: str, facts: Attributes, why: str | None) -> None:
    assert reason(changed(path), facts) == why


# --- notices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "opening",
    [
        "// Code generated by mockgen. DO NOT EDIT.\n\npackage a",
        "/**\n * @generated SignedSource<<abc>>\n */\n",
        "# This file was automatically generated by alembic.\n# Do not edit it by hand: your changes will be lost.\n",
        "<!-- auto-generated, should not be edited -->",
        '"""Generated from openapi.yml. Never modify."""',
        "#!/bin/sh\n\n\n; autogenerated\n; changes will be overwritten\n",
        "-- generated using sqlc\n-- don't touch\n",
    ],
)
def test_a_notice_at_the_top_says_that_a_file_is_generated(opening: str) -> None:
    assert reason(changed("src/a.ts"), Attributes(opening=opening)) == "generated"
    new = [f"+{line}" for line in opening.split("\n")]
    assert reason(changed("src/a.ts", *new, at=1, status=FileStatus.ADDED)) == "generated"


@pytest.mark.parametrize(
    "opening",
    [
        "const notice = '@generated';\n",
        "// generated by hand\n",
        "// DO NOT EDIT without asking\n",
        "// ids are generated by the database\nconst a = 'do not edit';",
        "\n" * 20 + "// @generated\n",
        "// @generatedByUs\n",
        "",
    ],
)
def test_code_about_generated_code_is_code(opening: str) -> None:
    assert reason(changed("src/a.ts"), Attributes(opening=opening)) is None


def test_a_notice_on_the_last_line_of_the_opening_counts() -> None:
    assert reason(changed("src/a.ts"), Attributes(opening="\n" * 19 + "// @generated\n")) == "generated"


def test_a_notice_that_this_change_put_on_an_old_file_is_no_proof() -> None:
    hidden = changed("src/a.ts", "+// @generated", " code();", "+evil();", at=1)
    assert reason(hidden, Attributes(opening="// @generated\ncode();\nevil();")) is None
    assert reason(hidden) is None
    lower = changed("src/a.ts", " 8", "+// @generated", " 9", at=8)
    assert reason(lower, Attributes(opening="\n" * 8 + "// @generated\n9")) is None


def test_a_notice_that_was_there_before_is_proof() -> None:
    again = changed(
        "src/a.ts", "-// Code generated by x v1. DO NOT EDIT.", "+// Code generated by x v2. DO NOT EDIT.", at=1
    )
    assert reason(again) == "generated"
    assert reason(changed("src/a.ts", " // @generated", "-a", "+b", at=1)) == "generated"
    edge = changed("src/a.ts", " // @generated", "-a", "+b", at=20)
    assert reason(edge) == "generated"
    far = changed("src/a.ts", "-// @generated", "+b", at=21)
    assert reason(far) is None


# --- long lines -------------------------------------------------------------------------------------------------------


def test_a_file_of_very_long_lines_is_left_out() -> None:
    long = "+" + "x" * LONG_LINE_CHARACTERS
    assert reason(changed("src/a.js", long)) == "minified"
    assert reason(changed("src/a.css", long, "+b")) is None
    assert reason(changed("src/a.css", long, long, "+b")) == "minified"
    assert reason(changed("src/a.json", long)) == "lines too long to read"
    assert reason(changed("src/a.js", long[:-1])) is None
    assert reason(changed("src/a.js", "-" + long, "+b")) is None


def test_a_change_that_only_removes_lines_is_reviewed() -> None:
    assert reason(changed("src/a.ts", " a", "-b", " c")) is None


def test_gits_own_diff_is_parted() -> None:
    files = diff.parse(
        b"diff --git a/a.ts b/a.ts\nindex 1..2 100644\n--- a/a.ts\n+++ b/a.ts\n@@ -1 +1 @@\n-a\n+b\n"
        b"diff --git a/go.sum b/go.sum\nindex 1..2 100644\n--- a/go.sum\n+++ b/go.sum\n@@ -1 +1 @@\n-a\n+b\n"
    )
    kept, skipped = select(files)
    assert ([file.path for file in kept], [one.path for one in skipped]) == (["a.ts"], ["go.sum"])
