"""Scanning as a review does it: through the worker process, with the rules as shipped."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from app import library
from app.analysis import Scanner, parses, scan, symbols, wire, worker
from app.analysis.context import FileContext, Match
from app.analysis.probe import probes
from app.analysis.refine import searches
from app.core import diff, evidence
from app.core.finding import Kind, Severity, Side
from app.core.rule import Answer, Detector, Rule, Strength
from app.core.source import ScanResult, SourceFile, Surroundings, Verdict

T = TypeVar("T")
RULES = library.load().rules

CHARGE = """\
import http from "node:http";

export async function charge(order) {
  const reply = await fetch(`${process.env.GATEWAY}/charges`, {
    method: "POST",
    body: JSON.stringify(order),
  });
  return reply.json();
}

export async function refund(order) {
  return fetch(`${process.env.GATEWAY}/refunds/${order.id}`);
}
"""


def told(ask: Callable[[Scanner], Awaitable[T]], **options: float) -> T:
    """What a scanner answers, started and stopped around the question."""

    async def story() -> T:
        async with Scanner(**options) as scanner:  # type: ignore[arg-type]
            return await ask(scanner)

    return asyncio.run(story())


def scanned(*files: SourceFile, rules: tuple[Rule, ...] = RULES) -> ScanResult:
    """What the worker answers about these files, computed here; that both are the same has its own test."""
    return scan.scan(files, probes(rules))


def test_the_worker_answers_what_a_scan_finds() -> None:
    files = [SourceFile("src/charge.ts", CHARGE, changed=frozenset({4})), SourceFile("a.js", "x" * 60_000)]
    assert told(lambda scanner: scanner.scan(files, RULES)) == scanned(*files)


def rule(name: str, detector: Detector) -> Rule:
    return replace(RULES[0], id=name, kind=Kind.BUG, detectors=(detector,))


def detector(**changes: object) -> Detector:
    made = Detector("one", ("typescript",), Strength.STRONG, {"pattern": "eval($CODE)"})
    return replace(made, **changes)  # type: ignore[arg-type]


def children() -> set[int]:
    """The processes that this one started."""
    tasks = Path("/proc/self/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


# --- new and existing -------------------------------------------------------------------------------------------------


def test_evidence_on_added_lines_is_new_and_elsewhere_it_was_there_before() -> None:
    result = scanned(SourceFile("src/charge.ts", CHARGE, changed=frozenset({12}), shown=((9, 13),)))
    assert [(one.rule, one.start_line) for one in result.new] == [("timeouts", 12)]
    assert [(one.rule, one.start_line) for one in result.existing] == [("timeouts", 4)]
    assert result.notes == ()


def test_a_limit_that_was_removed_is_new_although_no_line_was_added() -> None:
    patch = b"""\
diff --git a/src/charge.ts b/src/charge.ts
--- a/src/charge.ts
+++ b/src/charge.ts
@@ -3,5 +3,4 @@
 export async function charge(order) {
   const reply = await fetch(`${process.env.GATEWAY}/charges`, {
     method: "POST",
-    signal: AbortSignal.timeout(5_000),
     body: JSON.stringify(order),
"""
    (file,) = diff.parse(patch)
    source = SourceFile.of(file, CHARGE)
    assert source.changed == frozenset()
    assert source.removed_before == {6}
    result = scanned(source)
    assert [one.start_line for one in result.new] == [4]


def test_the_body_of_an_old_call_is_not_the_call() -> None:
    text = "export function all(xs) {\n  xs.forEach(async (x) => {\n    await one(x);\n    await two(x);\n  });\n}\n"
    result = scanned(SourceFile("src/a.js", text, changed=frozenset({4}), shown=((1, 6),)))
    assert result.new == ()
    assert len(result.existing) == 1


def test_a_whole_patch_needs_all_its_lines_in_one_hunk() -> None:
    text = "export async function all(xs) {\n  xs.forEach(async (x) => {\n    await one(x);\n  });\n}\n"
    inside = scanned(SourceFile("src/a.js", text, changed=frozenset({2}), shown=((1, 5),))).new[0]
    assert (inside.start_line, inside.end_line) == (2, 4)
    assert inside.replacement == "  for (const x of xs) {\n    await one(x);\n  }"
    outside = scanned(SourceFile("src/a.js", text, changed=frozenset({2}), shown=((1, 3),))).new[0]
    assert (outside.start_line, outside.end_line, outside.replacement) == (2, 2, "")
    fix = evidence.to_fix(outside, next(rule for rule in RULES if rule.id == "async-io"))
    assert dict(fix.missing)["patch"] == "it would reach beyond the lines this pull request shows"


def test_windows_line_ends_stay_in_a_replacement() -> None:
    text = 'import http from "node:http";\r\nfetch(process.env.A_URL, {\r\n  method: "POST",\r\n});\r\n'
    (found,) = scanned(SourceFile("src/a.ts", text, whole=True)).new
    assert all(line.endswith("\r") for line in found.replacement.split("\n"))
    assert "signal: AbortSignal.timeout(5_000)," in found.replacement


def test_characters_beyond_the_basic_plane_do_not_move_a_place() -> None:
    text = f'import http from "node:http";\nconst a = "{"😀é" * 40}"; fetch(process.env.A_URL);\n'
    (found,) = scanned(SourceFile("src/a.ts", text, whole=True)).new
    assert "fetch(process.env.A_URL, { signal: AbortSignal.timeout(5_000) });" in found.replacement
    assert found.quote == text.split("\n")[1]


def test_javascript_with_flow_types_is_read_all_the_same() -> None:
    text = '// @flow\nimport http from "http";\nexport const a = (url: string): Promise<any> => fetch(`https://x.example.net/${url}`);\n'
    assert [one.rule for one in scanned(SourceFile("src/a.js", text, whole=True)).new] == ["timeouts"]


def test_the_same_call_counts_only_where_a_service_runs_it() -> None:
    text = "export const load = () => fetch(`https://rates.example.net/eur`);\n"
    served = {
        "src/rates.ts",
        "src/server/a.ts",
        "packages/back-end/src/a.ts",
        "apps/web/app/api/orders/route.ts",
        "src/routes/+page.server.ts",
    }
    others = {
        "frontend/src/hooks/api/a.ts",
        "src/components/A.tsx",
        "test/a.ts",
        "src/a.spec.ts",
        "scripts/a.ts",
        "examples/a.ts",
        "vite.config.ts",
    }
    result = scanned(*(SourceFile(path, text, whole=True) for path in sorted(served | others)))
    assert {one.path for one in result.new} == served


# --- what people read -------------------------------------------------------------------------------------------------


def test_strong_evidence_becomes_a_finding_with_its_answer() -> None:
    result = scanned(SourceFile("src/charge.ts", CHARGE, changed=frozenset(range(1, 14)), shown=((1, 13),)))
    timeouts = next(rule for rule in RULES if rule.id == "timeouts")
    finding = evidence.to_finding(result.new[0], timeouts)
    assert finding.title == "`charge` calls `fetch` without a limit of its own"
    assert (finding.severity, finding.strong, finding.line, finding.rule) == (Severity.HIGH, True, 4, "timeouts")
    assert finding.quote in CHARGE
    fix = evidence.to_fix(result.new[0], timeouts)
    assert "silent" in fix.repro
    assert "line 4" in fix.root_cause
    assert fix.tests[0].path == "src/charge.timeout.test.ts"
    assert 'import { charge } from "./charge.ts";' in fix.tests[0].content


def test_captured_code_cannot_break_out_of_a_sentence_or_a_fence() -> None:
    own = rule(
        "own",
        detector(
            answer=Answer(
                title="{CODE}", explanation="see `{CODE}`", repro="run `{CODE}`\n```js\n{CODE}\n```", test="{CODE}"
            )
        ),
    )
    text = "eval(`${'```'}\n{explanation} ${x}`);\n"
    (found,) = scanned(SourceFile("src/a.ts", text, whole=True), rules=(own,)).new
    finding, fix = evidence.to_finding(found, own), evidence.to_fix(found, own)
    assert "\n" not in finding.title
    assert finding.explanation.count("`") == 2
    assert "{explanation}" in finding.explanation
    assert fix.repro.count("```") == 2


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (Kind.BUG, ("repro", "root_cause", "risk")),
        (Kind.PERFORMANCE, ("measure", "change", "risk")),
        (Kind.DESIGN, ("alternative", "trade_off", "migration")),
    ],
)
def test_each_kind_of_finding_gets_the_parts_of_its_answer_pattern(kind: Kind, parts: tuple[str, ...]) -> None:
    answer = Answer(title="t", explanation="e", repro="see", root_cause="since", risk="may")
    own = replace(rule("own", detector(answer=answer)), kind=kind)
    (found,) = scanned(SourceFile("src/a.ts", "eval(x);\n", whole=True), rules=(own,)).new
    fix = evidence.to_fix(found, own)
    assert [getattr(fix, part) for part in parts] == ["see", "since", "may"]


def test_weak_evidence_speaks_with_its_rules_words_and_less_certainty() -> None:
    own = rule("own", detector(strength=Strength.WEAK))
    (found,) = scanned(SourceFile("src/a.ts", "eval(x);\n", whole=True), rules=(own,)).new
    finding = evidence.to_finding(found, own)
    assert (finding.title, finding.explanation, finding.strong) == (own.title, own.summary, False)
    assert finding.confidence < 0.9


def test_a_test_that_nothing_could_call_is_not_written() -> None:
    text = CHARGE.replace("export ", "")
    timeouts = next(rule for rule in RULES if rule.id == "timeouts")
    fix = evidence.to_fix(scanned(SourceFile("src/charge.ts", text, whole=True)).new[0], timeouts)
    assert fix.tests == ()
    assert dict(fix.missing)["tests"] == evidence.NOT_CALLABLE


def test_evidence_of_another_rule_is_refused() -> None:
    (found, _) = scanned(SourceFile("src/charge.ts", CHARGE, whole=True)).new
    with pytest.raises(KeyError, match="has no detector"):
        evidence.to_finding(found, rule("own", detector()))


def test_a_long_capture_is_shortened_in_a_sentence() -> None:
    own = rule("own", detector(answer=Answer(title="{CODE}", explanation="e")))
    text = f"eval({' + '.join(['piece'] * 40)});\n"
    (found,) = scanned(SourceFile("src/a.ts", text, whole=True), rules=(own,)).new
    assert len(evidence.to_finding(found, own).title) == 60
    assert evidence.to_finding(found, own).title.endswith("…")


def test_an_anchor_is_the_part_of_the_evidence_that_one_hunk_shows() -> None:
    patch = b"""\
diff --git a/src/charge.ts b/src/charge.ts
--- a/src/charge.ts
+++ b/src/charge.ts
@@ -11,2 +11,3 @@
 export async function refund(order) {
+  return fetch(`${process.env.GATEWAY}/refunds/${order.id}`);
 }
"""
    (file,) = diff.parse(patch)
    (found,) = scanned(SourceFile.of(file, CHARGE)).new
    anchor = evidence.anchor(found, file)
    assert anchor is not None
    assert (anchor.side, anchor.start_line, anchor.line, anchor.hunk) == (Side.RIGHT, 12, 12, 0)
    assert evidence.anchor(replace(found, start_line=90, end_line=91), file) is None


# --- an operator's own detectors --------------------------------------------------------------------------------------


def test_a_pattern_without_a_refine_step_counts_and_its_variables_fill_the_templates() -> None:
    own = rule("own", detector(answer=Answer(title="Runs {CODE}", explanation="No.", replacement="run({CODE})")))
    (found,) = scanned(SourceFile("src/a.ts", "const a = eval(text);\n", whole=True), rules=(own,)).new
    assert found.replacement == "const a = run(text);"
    assert evidence.to_finding(found, own).title == "Runs text"


@pytest.mark.parametrize(
    "broken",
    [
        detector(name="kind", ast={"kind": "no_such_kind"}),
        detector(name="shape", ast={"pattern": {"nonsense": 1}}),
        detector(name="step", refine="no-such-step"),
        detector(name="search", ast={}, refine="no-such-search"),
        detector(name="variable", ast={"pattern": "a", "regex": "("}),
    ],
    ids=lambda one: str(one.name),
)
def test_a_broken_detector_is_noted_and_the_others_run(broken: Detector) -> None:
    rules = (rule("broken", broken), rule("sound", detector()))
    result = scanned(SourceFile("src/a.ts", "eval(x);\n", whole=True), rules=rules)
    assert [one.rule for one in result.new] == ["sound"]
    assert [note.subject for note in result.notes] == [f"broken/{broken.name}"]
    assert "failed on src/a.ts" in result.notes[0].reason


def test_a_pattern_that_matches_everywhere_is_cut_and_says_so() -> None:
    result = scanned(SourceFile("src/a.ts", "eval(x);\n" * 200, whole=True), rules=(rule("own", detector()),))
    assert len(result.new) == 50
    assert "more than 50 matches" in result.notes[0].reason


# --- the worker -------------------------------------------------------------------------------------------------------


def test_s23_a_killed_worker_is_replaced() -> None:
    async def ask(scanner: Scanner) -> tuple[ScanResult, ScanResult]:
        before = await scanner.scan([SourceFile("src/charge.ts", CHARGE, whole=True)], RULES)
        (worker,) = children() - known
        os.kill(worker, signal.SIGKILL)
        return before, await scanner.scan([SourceFile("src/charge.ts", CHARGE, whole=True)], RULES)

    known = children()
    before, after = told(ask)
    assert before.new
    assert after.new == before.new


def test_s21_no_worker_is_left_behind() -> None:
    known = children()
    told(lambda scanner: scanner.outline(SourceFile("a.ts", CHARGE)))
    assert children() == known


def test_s20_a_worker_knows_nothing_but_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given no credentials, and a module that lies in the working directory is never imported."""
    for name in ("json.py", "struct.py", "app.py", "yaml.py"):
        (tmp_path / name).write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "not for the worker")

    async def ask(_: Scanner) -> Path:
        (worker,) = children() - known
        return Path(f"/proc/{worker}")

    def look(worker: Path) -> tuple[str, str]:
        return (worker / "environ").read_text(), str((worker / "cwd").readlink())

    async def asked(scanner: Scanner) -> tuple[str, str]:
        return await asyncio.to_thread(look, await ask(scanner))

    known = children()
    environ, folder = told(asked)
    assert "OPENAI" not in environ
    assert folder == "/"


LONG = CHARGE * 2_000
"""Takes far longer to parse than the limit that the next tests set."""


def test_s21_what_takes_too_long_is_noted_file_by_file_and_nothing_is_raised() -> None:
    files = [SourceFile(f"src/{number}.ts", LONG, whole=True) for number in range(3)]
    result = told(lambda scanner: scanner.scan(files, RULES), scan_seconds=0.001, file_seconds=0.001)
    assert result.new == ()
    assert [note.subject for note in result.notes] == ["src/0.ts", "src/1.ts", "src/2.ts"]
    assert all("took longer" in note.reason for note in result.notes)


def test_other_questions_that_take_too_long_answer_with_nothing() -> None:
    async def ask(scanner: Scanner) -> tuple[object, ...]:
        file = SourceFile("a.ts", LONG)
        check = await scanner.parse_errors("a.ts", LONG, f"{LONG} (")
        return await scanner.symbols(file, [(1, 1), (2, 2)]), await scanner.outline(file), check.verdict

    assert told(ask, file_seconds=0.001) == ((None, None), (), Verdict.UNCHECKED)


def test_hundreds_of_files_are_scanned_in_several_requests() -> None:
    files = [SourceFile(f"src/{number}.ts", CHARGE, whole=True) for number in range(210)]
    assert len(told(lambda scanner: scanner.scan(files, RULES)).new) == 420


def test_two_workers_answer_at_the_same_time() -> None:
    async def ask(scanner: Scanner) -> list[ScanResult]:
        file = SourceFile("src/charge.ts", CHARGE, whole=True)
        return list(await asyncio.gather(*(scanner.scan([file], RULES) for _ in range(6))))

    assert {len(one.new) for one in told(ask, workers=2)} == {2}


def test_nothing_to_do_is_an_empty_result() -> None:
    async def ask(scanner: Scanner) -> list[ScanResult]:
        return [await scanner.scan([], RULES), await scanner.scan([SourceFile("a.ts", CHARGE, whole=True)], [])]

    assert told(ask) == [ScanResult(), ScanResult()]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "{[<`${" * 20_000,
        "fetch(" * 20_000,
        "a" * 40_000 + "\n" + "password = '" * 5_000,
        "eyJ" * 100_000,
        "\x00\ufffe" * 1_000,
        "x.forEach(async () => { await " * 2_000,
        "://a:b@" * 20_000,
    ],
    ids=["brackets", "mixed", "calls", "quotes", "tokens", "odd", "nested", "addresses"],
)
def test_s22_hostile_text_ends_in_a_result(text: str) -> None:
    files = [SourceFile("src/a.ts", text, whole=True), SourceFile("src/charge.ts", CHARGE, whole=True)]
    result = told(lambda scanner: scanner.scan(files, RULES))
    assert [one.path for one in result.new if one.rule == "timeouts" and one.path == "src/charge.ts"] == [
        "src/charge.ts"
    ] * 2


def test_a_path_that_is_not_text_survives() -> None:
    path = os.fsdecode(b"src/caf\xe9.ts")
    assert {one.path for one in scanned(SourceFile(path, CHARGE, whole=True)).new} == {path}


def test_files_that_are_too_long_are_left_out_and_named() -> None:
    long_line, long_file = (
        SourceFile("a.js", "x" * 60_000, whole=True),
        SourceFile("b.js", "x;\n" * 400_000, whole=True),
    )
    assert [note.subject for note in scanned(long_line, long_file).notes] == ["a.js", "b.js"]


def conversation(*requests: dict[str, object]) -> list[dict[str, object]]:
    """The answers of a worker's loop, run here, to these requests."""
    answers = io.BytesIO()
    worker.serve(io.BytesIO(b"".join(map(wire.encode, requests))), answers)
    data, found = answers.getvalue(), []
    while data:
        (length,) = wire.LENGTH.unpack(data[:4])
        found.append(wire.decode(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


ALONE = {"around": wire.around_out(Surroundings()), "all_there": True}


def test_s22_a_worker_answers_every_kind_of_question_and_survives_the_wrong_ones() -> None:
    file = SourceFile("src/charge.ts", CHARGE, changed=frozenset({4}), removed_before=frozenset({2}), shown=((1, 9),))
    own = rule("own", detector(ast={"pattern": "fetch($$$REST)"}, answer=Answer(replacement="get({REST})")))
    wanted = [wire.probe_out(probe) for probe in probes([own])]
    answers = conversation(
        {"do": "warm"},
        {"do": "rules", "key": "k", "probes": wanted},
        {"do": "scan", "key": "k", "files": [wire.file_out(file)], **ALONE},
        {"do": "symbols", "path": file.path, "text": file.text, "spans": [[4, 4]]},
        {"do": "definitions", "files": [[file.path, file.text]], "names": ["refund"]},
        {"do": "outline", "path": file.path, "text": file.text},
        {"do": "identifiers", "path": file.path, "text": file.text, "spans": [[4, 4]]},
        {"do": "parses", "path": "a.ts", "before": "a;", "after": "a("},
        {"do": "scan", "key": "unknown", "files": [], **ALONE},
        {"do": "nothing"},
        {},
    )
    assert answers[:2] == [{"ok": "no_worse"}, {"ok": 1}]
    result = wire.result_in(answers[2]["ok"])  # type: ignore[arg-type]
    assert [one.start_line for one in result.new] == [4]
    assert [one.start_line for one in result.existing] == [12]
    assert wire.symbols_in(answers[3]["ok"])[0].name == "charge"  # type: ignore[arg-type,union-attr]
    assert [one.name for one in wire.symbols_in(answers[5]["ok"]) if one] == ["charge", "refund"]  # type: ignore[arg-type]
    assert answers[6]["ok"][0] == "fetch"  # type: ignore[index]
    assert answers[7]["ok"]["verdict"] == "worse"  # type: ignore[index]
    assert all("error" in answer for answer in answers[8:])


def test_a_worker_remembers_only_so_many_sets_of_rules() -> None:
    told_sets = [{"do": "rules", "key": str(number), "probes": []} for number in range(wire.RULE_SETS_KEPT + 1)]
    *_, first, last = conversation(
        *told_sets, {"do": "scan", "key": "0", "files": [], **ALONE}, {"do": "scan", "key": "8", "files": [], **ALONE}
    )
    assert "error" in first
    assert "ok" in last


def test_a_request_that_is_cut_off_ends_the_worker() -> None:
    answers = io.BytesIO()
    worker.serve(io.BytesIO(wire.encode({"do": "warm"})[:-1]), answers)
    worker.serve(io.BytesIO(wire.LENGTH.pack(2) + b"[]"), answers)
    assert wire.decode(answers.getvalue()[4:]) == {"error": "TypeError: a message is an object"}


# --- symbols and parsing ----------------------------------------------------------------------------------------------

SHOP = textwrap.dedent(
    """\
    import { x } from "./x.js";
    export const LIMIT = 5;
    export class Shop<T> {
      total = 0;
      async charge(order: Order): Promise<void> {
        const paid = await this.gateway.pay(order, LIMIT);
        items.map((item) => item.price);
      }
    }
    export const refund = async (order: Order) => {
      return pay(order);
    };
    type Order = { id: string };
    interface Row { id: string }
    enum State { Open }
    """
)


def test_each_span_gets_the_innermost_named_thing_around_it() -> None:
    spans = [(6, 6), (4, 7), (11, 11), (13, 13), (1, 1), (7, 7), (2, 12)]
    found = symbols.enclosing("src/shop.ts", SHOP, spans)
    assert told(lambda scanner: scanner.symbols(SourceFile("src/shop.ts", SHOP), spans)) == found
    assert [(one.name, one.kind) if one else None for one in found] == [
        ("Shop.charge", "method"),
        ("Shop", "class"),
        ("refund", "function"),
        ("Order", "type"),
        None,
        ("Shop.charge", "method"),
        None,
    ]
    assert found[0] is not None
    assert found[0].text == "\n".join(SHOP.split("\n")[4:8])


@pytest.mark.parametrize(
    ("path", "text", "line", "name"),
    [
        ("a.go", "package a\n\nfunc (c *C) Do(x int) error {\n\treturn nil\n}\n", 4, "Do"),
        ("a.go", "package a\n\ntype T struct {\n\ta int\n}\n", 4, "T"),
        ("A.java", "class A {\n  int b(int c) {\n    return 1;\n  }\n}\n", 3, "b"),
        ("a.rs", "impl A {\n  fn b(&self) {\n    1;\n  }\n}\n", 3, "b"),
        ("a.rb", "class A\n  def b\n    1\n  end\nend\n", 3, "b"),
        ("a.php", "<?php\nclass A {\n  function b() {\n    return 1;\n  }\n}\n", 4, "b"),
        ("a.c", "int *f(int a) {\n  return 0;\n}\n", 2, "f"),
        ("a.cpp", "int A::f(int a) {\n  return 1;\n}\n", 2, "A::f"),
        ("A.cs", "class A {\n  int B() {\n    return 1;\n  }\n}\n", 3, "B"),
        ("a.kt", "class A {\n  fun b(): Int {\n    return 1\n  }\n}\n", 3, "b"),
        ("a.swift", "class A {\n  func b() -> Int {\n    return 1\n  }\n}\n", 3, "b"),
        ("a.scala", "class A {\n  def b(): Int = {\n    1\n  }\n}\n", 3, "b"),
    ],
)
def test_functions_are_known_in_languages_without_detectors(path: str, text: str, line: int, name: str) -> None:
    inside, outside = symbols.enclosing(path, text, [(line, line), (99, 99)])
    assert inside is not None
    assert (inside.name, outside) == (name, None)


def test_a_long_function_is_cut_around_the_lines_asked_about() -> None:
    text = "function long() {\n" + "  step();\n" * 900 + "}\n"
    (found,) = symbols.enclosing("a.js", text, [(600, 602)])
    assert found is not None
    assert found.cut
    assert found.start_line <= 600
    assert found.end_line >= 602
    assert found.text.count("\n") == found.end_line - found.start_line < 250


def test_an_outline_names_everything_in_order() -> None:
    found = symbols.outline("src/shop.ts", SHOP)
    assert told(lambda scanner: scanner.outline(SourceFile("src/shop.ts", SHOP))) == found
    assert [(one.name, one.kind, one.start_line) for one in found] == [
        ("LIMIT", "constant", 2),
        ("Shop", "class", 3),
        ("Shop.charge", "method", 5),
        ("refund", "function", 10),
        ("Order", "type", 13),
        ("Row", "interface", 14),
        ("State", "enum", 15),
    ]


def test_python_is_outlined_too() -> None:
    text = "LIMIT = 5\n\n@cache\ndef load(x):\n    def inner(): pass\n    return x\n\nclass Shop:\n    def pay(self): ...\n"
    found = symbols.outline("a.py", text)
    assert [(one.name, one.kind, one.start_line) for one in found] == [
        ("LIMIT", "constant", 1),
        ("load", "function", 3),
        ("inner", "function", 5),
        ("Shop", "class", 8),
        ("Shop.pay", "method", 9),
    ]


def test_definitions_are_found_by_name_across_files() -> None:
    files = [
        SourceFile("src/shop.ts", SHOP),
        SourceFile("b.py", "def charge(): ...\n"),
        SourceFile("c.go", "func charge() {}"),
    ]
    found = told(lambda scanner: scanner.definitions(files, ["charge", "Order", "LIMIT", "nothing"]))
    assert [(one.path, one.name) for one in found] == [
        ("src/shop.ts", "LIMIT"),
        ("src/shop.ts", "Shop.charge"),
        ("src/shop.ts", "Order"),
        ("b.py", "charge"),
    ]


def test_identifiers_come_called_ones_first() -> None:
    found = symbols.identifiers("src/shop.ts", SHOP, [(6, 6), (11, 11)])
    assert found[0] == "pay"
    assert set(found) >= {"pay", "gateway", "order", "LIMIT", "paid"}
    assert "refund" not in found


@pytest.mark.parametrize(
    ("path", "before", "after", "verdict"),
    [
        ("a.ts", "const a = 1;", "const a: number = 2;", Verdict.NO_WORSE),
        ("a.ts", "if (a) { b(); }", "if (a) { b();", Verdict.WORSE),
        ("a.ts", "f(1);", "f(1;", Verdict.WORSE),
        ("a.js", "const a = 1;", "Here is the code you asked for", Verdict.WORSE),
        ("a.tsx", "const a = <b>x</b>;", "const a = <b>x;", Verdict.WORSE),
        ("a.jsx", "const a = <b/>;", "const a = <b c={1}/>;", Verdict.NO_WORSE),
        ("a.js", "type A = {| x: number |}; f(;", "type A = {| x: number |}; f(;", Verdict.NO_WORSE),
        ("a.js", "const a = 1;", "const f = (a: string) => a;", Verdict.NO_WORSE),
        ("a.py", "def f():\n    pass\n", "def f(:\n    pass\n", Verdict.WORSE),
        ("a.py", "x = 1\n", "x = (1\n", Verdict.WORSE),
        ("a.json", '{"a": 1}', '{"a": 1,}', Verdict.WORSE),
        ("tsconfig.json", '{"a": 1} // why', '{"a": 2} // why', Verdict.UNCHECKED),
        ("a.json", "[]", "[" * 100_000, Verdict.UNCHECKED),
        ("a.go", "package a", "package", Verdict.UNCHECKED),
        ("new.ts", None, "const a = ", Verdict.WORSE),
        ("new.ts", None, "const a = 1;", Verdict.NO_WORSE),
        ("new.json", None, "{", Verdict.WORSE),
        ("a.ts", "", "x;\n" * 800_000, Verdict.UNCHECKED),
    ],
)
def test_a_patch_is_compared_with_the_file_as_it_was(
    path: str, before: str | None, after: str, verdict: Verdict
) -> None:
    checked = parses.check(path, before, after)
    assert checked.verdict is verdict
    assert bool(checked.reason) is (verdict is not Verdict.NO_WORSE)


def test_a_patch_that_breaks_a_file_is_told_with_its_line() -> None:
    checked = told(
        lambda scanner: scanner.parse_errors("a.ts", SHOP, SHOP.replace("return pay(order);", "return pay(order;"))
    )
    assert checked.verdict is Verdict.WORSE
    assert checked.reason.startswith("line 11 ")


@searches("test.never-ends")
def never_ends(file: FileContext) -> Iterator[Match]:
    """Works for minutes, as a careless pattern would on a hostile file; bounded, so that a failing test ends."""
    for number in range(1_000_000_000):
        if number < 0:
            yield Match(0, 1)


def test_a_detector_that_does_not_end_is_stopped_and_the_others_run() -> None:
    endless = replace(rule("slow", detector(ast={}, refine="test.never-ends")), category=RULES[0].category)
    file = SourceFile("src/a.ts", "eval(x);\n", whole=True)
    result = scan.scan(
        [file, replace(file, path="src/b.ts")], probes([endless, rule("own", detector())]), seconds_each=0.2
    )
    assert [(one.rule, one.path) for one in result.new] == [("own", "src/a.ts"), ("own", "src/b.ts")]
    (note,) = result.notes
    assert note.subject == "slow/one"
    assert "used up its 0.2 seconds" in note.reason
