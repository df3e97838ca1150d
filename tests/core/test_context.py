from __future__ import annotations

import pytest

from app.core import context
from app.core.budget import Piece
from app.core.context import Hit, Place, Wanted
from app.core.excerpts import Excerpt, Part, Shown
from app.core.finding import Category, Kind
from tests.core.values import file, hunk, rule


def wanted(*body, heading="", start=0, end=None):
    one = file("src/a.ts", hunk(*body, heading=heading))
    return context.wanted([Piece(one, 0, start, len(body) if end is None else end)])


# --- which names are worth looking up ---------------------------------------------------------------------------------


def test_names_that_the_change_defines_and_names_that_it_calls_are_told_apart():
    assert wanted(
        "+export async function chargeCard(order) {",
        "+  const reply = await sendToGateway(order);",
        "-  oldHelper(order);",
        "   contextOnly(order);",
    ) == Wanted(defined=("chargeCard",), used=("sendToGateway", "oldHelper", "contextOnly"))


def test_what_only_the_function_around_the_change_calls_is_looked_up_last():
    piece = Piece(file("a.go", hunk("+	now := clock()")), 0, 0, 1)
    assert context.wanted([piece], around=["now, seq, err := GetTime()"]).used == ("clock", "GetTime")


@pytest.mark.parametrize(
    "line",
    [
        "function chargeCard(a) {",
        "function* chargeCard(a) {",
        "export default class chargeCard {",
        "interface chargeCard {",
        "type chargeCard = string;",
        "enum chargeCard {}",
        "def chargeCard(a):",
        "async def chargeCard(a):",
        "func chargeCard(a int) {",
        "func (g *Gateway) chargeCard(a int) {",
        "pub fn chargeCard(a: u8) {",
        "struct chargeCard {",
        "trait chargeCard {",
        "const chargeCard = 1;",
        "let chargeCard = 1;",
        "var chargeCard = 1;",
    ],
)
def test_definitions_are_known_by_their_keyword(line):
    assert wanted(f"+{line}").defined == ("chargeCard",)
    assert context.is_definition("chargeCard", line)


def test_the_name_in_a_hunks_heading_is_known_too_but_comes_last():
    found = wanted("+function inner() {", "+  helperCall();", heading="export function outerOne() {")
    assert found == Wanted(defined=("inner", "outerOne"), used=("helperCall",))
    assert wanted("+function outerOne() {", heading="function outerOne() {").defined == ("outerOne",)


def test_a_name_that_is_called_more_often_comes_first_then_the_longer_then_by_the_alphabet():
    found = wanted("+aaaa(); bbbb(); bbbb(); longerName(); cccc();")
    assert found.used == ("bbbb", "longerName", "aaaa", "cccc")


def test_words_that_every_program_uses_and_names_of_two_letters_are_not_looked_up():
    assert wanted("+if (x) { return JSON.parse(String(ok(toString()))); } while (forEach(Promise()))").used == (
        "parse",
    )
    assert wanted("+const result = 1; let xy = 2;") == Wanted((), ())


def test_names_are_bounded_over_a_batch_and_half_of_them_are_for_definitions():
    body = [f"+function defined{number:02}() {{" for number in range(9)] + [
        f"+  called{number:02}();" for number in range(20)
    ]
    found = wanted(*body)
    assert found.defined == tuple(f"defined{number:02}" for number in range(6))
    assert len(found.used) == 6
    few = wanted("+function chargeCard() {", *(f"+  called{number:02}();" for number in range(20)))
    assert len(few.used) == 11


def test_what_a_batch_defines_is_not_also_looked_up_as_used():
    assert wanted("+function payTwice() {", "+  payTwice();", "+  other1();") == Wanted(("payTwice",), ("other1",))


def test_conversions_to_numbers_are_not_looked_up():
    assert wanted("+  x := uint64(now(int(a), float32(b)))").used == ("now",)


def test_only_the_lines_of_the_piece_count():
    assert wanted("+firstCall();", "+secondCall();", "+thirdCall();", start=1, end=2).used == ("secondCall",)


def test_several_pieces_are_read_together():
    one, other = (
        file("a.ts", hunk("+aaaa();"), hunk("+bbbb();")),
        file("b.ts", hunk("+bbbb();", heading="class Heading {")),
    )
    found = context.wanted([Piece(one, 0, 0, 1), Piece(one, 1, 0, 1), Piece(other, 0, 0, 1)])
    assert found == Wanted(("Heading",), ("bbbb", "aaaa"))


# --- what a line with the name is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("  async chargeCard(order: Order) {", True),
        ("  private static chargeCard() {  ", True),
        ("chargeCard(order) {", True),
        ("    public List<Charge> chargeCard(Order order) throws Refused {", True),
        ("  async chargeCard(order: Order): Promise<Charge> {", True),
        ("func (g *Gateway) chargeCard(order Order) error {", True),
        ("  if (await chargeCard(order)) {", False),
        ("  } else if (chargeCard(order)) {", False),
        ("  chargeCard(order);", False),
        ("  if (chargeCard(order)) {", False),
        ("  await chargeCard(order)", False),
        ("function chargeCardTwice() {", False),
        ("const rechargeCard = 1", False),
        ("  const chargeCard = 1;", False),
        ("for (const chargeCard of charges) {", False),
        ("export const chargeCard = async () => {", True),
        ("type", False),
    ],
)
def test_a_definition_is_told_from_a_use(line, is_one):
    assert context.is_definition("chargeCard", line) is is_one


def test_a_name_with_signs_in_it_is_looked_for_as_it_is():
    assert context.is_definition("$scope", "  $scope() {")
    assert not context.is_definition("a.b", "function axb() {")


# --- which places are shown -------------------------------------------------------------------------------------------


def test_definitions_of_used_names_come_first_then_the_callers_of_defined_ones():
    hits = {
        "used": [Hit("src/u.ts", 3, "used(1);"), Hit("src/u.ts", 9, "function used() {")],
        "mine": [Hit("src/m.ts", 1, "function mine() {"), Hit("src/c.ts", 5, "  mine();")],
    }
    assert context.choose_files(hits, Wanted(("mine",), ("used",)), shown=()) == (
        Place("src/u.ts", 9, "defines used", Part.DEFINITIONS),
        Place("src/c.ts", 5, "uses mine", Part.CALLERS),
    )


def test_at_most_two_definitions_and_three_callers_of_a_name_are_shown():
    hits = {
        "used": [Hit(f"d{number}.ts", 1, "const used = 1;") for number in range(4)],
        "mine": [Hit(f"c{number}.ts", 1, "mine();") for number in range(5)],
    }
    chosen = context.choose_files(hits, Wanted(("mine",), ("used",)), shown=())
    assert [place.path for place in chosen] == ["d0.ts", "d1.ts", "c0.ts", "c1.ts", "c2.ts"]


def test_callers_in_files_that_are_not_shown_anyway_come_first_and_tests_are_told_apart():
    hits = {
        "mine": [
            Hit("shown.test.ts", 1, "mine();"),
            Hit("shown.ts", 1, "mine();"),
            Hit("x.test.ts", 1, "mine();"),
            Hit("x.ts", 1, "mine();"),
        ]
    }
    chosen = context.choose_files(hits, Wanted(("mine",), ()), shown={"shown.ts", "shown.test.ts"})
    assert [(place.path, place.part) for place in chosen] == [
        ("x.ts", Part.CALLERS),
        ("shown.ts", Part.CALLERS),
        ("x.test.ts", Part.TESTS),
    ]


def test_a_twin_of_what_is_changed_is_shown_the_one_beside_it_first():
    hits = {
        "send": [
            Hit("api/openai.ts", 9, "  async send(order) {"),
            Hit("other/far.ts", 3, "  async send(order) {"),
            Hit("api/azure.ts", 4, "  async send(order) {"),
        ]
    }
    chosen = context.choose_files(hits, Wanted(("send",), ()), shown={"api/openai.ts"})
    assert chosen == (Place("api/azure.ts", 4, "another send", Part.SIBLINGS),)
    assert context.choose_files(hits, Wanted(("send",), ()), shown={"api/none.ts"}) == ()


def test_types_that_the_change_names_are_looked_up_like_what_it_calls():
    changed = file("a.ts", hunk("+const order: OrderDraft = new ShopCart(rows as RowList);"))
    assert {"OrderDraft", "ShopCart", "RowList"} <= set(context.wanted([Piece(changed, 0, 0, 1)]).used)


@pytest.mark.parametrize(
    "line",
    [
        'import { mine } from "./a";',
        "  from a import mine",
        "export { mine } from './a';",
        "export * from 'mine';",
        "use crate::mine;",
        "#include <mine>",
        "// mine is called by nobody",
        "   * mine: the rest",
        "# mine is old",
    ],
)
def test_an_import_is_no_use_and_neither_is_what_only_speaks_of_it(line):
    assert context.choose_files({"mine": [Hit("a.ts", 1, line)]}, Wanted(("mine",), ()), shown=()) == ()


def test_what_stands_near_the_change_is_shown_before_what_stands_far():
    hits = {"Server": [Hit(path, 1, "type Server struct {") for path in ("examples/a.go", "pkg/http/b.go", "pkg/c.go")]}
    chosen = context.choose_files(hits, Wanted((), ("Server",)), shown=["pkg/http/d.go"])
    assert [one.path for one in chosen] == ["pkg/http/b.go", "pkg/c.go"]


def test_the_words_of_a_text_are_no_names():
    text = file("docs/guide.md", hunk("+There is a type without callThat()"))
    assert context.wanted([Piece(text, 0, 0, 1)]) == Wanted((), ())
    hits = {"without": [Hit("LICENSE", 3, "with or without"), Hit("a.go", 3, "without()")]}
    assert [one.path for one in context.choose_files(hits, Wanted(("without",), ()), shown=())] == ["a.go"]


def test_a_place_is_chosen_once_and_a_name_without_hits_chooses_none():
    hits = {"one": [Hit("a.ts", 1, "const one = 1;"), Hit("a.ts", 1, "const one = 1;")]}
    chosen = context.choose_files(hits, Wanted(("nowhere",), ("one", "missing")), shown=())
    assert chosen == (Place("a.ts", 1, "defines one", Part.DEFINITIONS),)


def test_a_use_is_shown_with_what_stands_around_it():
    lines = [f"line {number}" for number in range(1, 101)]
    used = context.excerpt(Place("a.ts", 50, "uses x", Part.CALLERS), lines)
    assert used == Shown(
        Part.CALLERS, Excerpt("a.ts", 45, "\n".join(f"line {number}" for number in range(45, 56)), "uses x"), 50
    )
    assert context.excerpt(Place("a.ts", 100, "uses x", Part.CALLERS), lines).excerpt.lines == range(95, 101)


@pytest.mark.parametrize(
    ("definition", "last"),
    [
        (["export function f(a) {", "  one();", "", "  two();", "}", "after();"], "}"),
        (["func f(", "\ta int,", ") error {", "\treturn nil", "}", "var after = 1"], "}"),
        (["def f(", "    a,", ") -> int:", "    return a", "", "def after():"], ""),
        (["type F = { a: string }", "type After = 1"], "type F = { a: string }"),
        (["void f(int a)", "{", "  one();", "}", "void after() {}"], "}"),
        (["def f(a)", "  one", "end", "after"], "end"),
    ],
)
def test_a_definition_is_shown_as_far_as_it_goes(definition, last):
    shown = context.excerpt(Place("a", 2, "defines f", Part.DEFINITIONS), ["// above", *definition]).excerpt
    assert shown.start_line == 1
    assert shown.text.split("\n")[-1] == last


def test_a_long_definition_is_shown_as_far_as_it_is_worth():
    lines = ["class F:", *(f"    {number} = 1" for number in range(100))]
    shown = context.excerpt(Place("a.py", 1, "defines F", Part.DEFINITIONS), lines).excerpt
    assert len(shown.lines) == context.LINES_OF_A_DEFINITION + 1


def test_a_variable_inside_a_block_is_nobody_elses():
    assert wanted("+  const local = compute();").defined == ()
    assert wanted("+export const shared = compute();").defined == ("shared",)
    assert wanted("+    function inner() {").defined == ("inner",)


# --- tests of a file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "first", "count"),
    [
        ("pay.py", "test_pay.py", 4),
        ("app/pay.py", "app/test_pay.py", 4),
        ("pay/charge.go", "pay/charge_test.go", 1),
        ("charge.go", "charge_test.go", 1),
        ("src/pay/charge.ts", "src/pay/charge.test.ts", 8),
        ("charge.ts", "charge.test.ts", 8),
        ("src/charge.test.ts", "", 0),
        ("Makefile", "", 0),
        (".eslintrc", "", 0),
    ],
)
def test_the_tests_of_a_file_are_looked_for_where_its_language_puts_them(path, first, count):
    found = context.test_paths(path)
    assert len(found) == count
    assert found[:1] == ((first,) if first else ())


def test_every_habit_of_a_language_is_tried():
    assert context.test_paths("app/pay.py") == (
        "app/test_pay.py",
        "tests/test_pay.py",
        "app/tests/test_pay.py",
        "test/test_pay.py",
    )
    assert context.test_paths("src/pay/charge.tsx") == (
        "src/pay/charge.test.tsx",
        "src/pay/charge.spec.tsx",
        "src/pay/__tests__/charge.test.tsx",
        "src/pay/__tests__/charge.spec.tsx",
        "test/pay/charge.test.tsx",
        "test/pay/charge.spec.tsx",
        "tests/pay/charge.test.tsx",
        "tests/pay/charge.spec.tsx",
    )


# --- rules that a change touches --------------------------------------------------------------------------------------


def test_rules_that_detectors_saw_come_first_then_those_with_most_signals_then_by_priority_and_name():
    rules = [
        rule(id="none", look_for=("`axios.post`",)),
        rule(id="chance", look_for=("`fetch`",)),
        rule(id="three", look_for=("`fetch` with `retry` and `jitter`",)),
        rule(id="two-b", look_for=("`fetch`", "`retry`")),
        rule(id="two-first", look_for=("`fetch`", "`retry`"), category=Category.CORRECTNESS),
        rule(id="seen", look_for=()),
        rule(id="wish", look_for=("`fetch`", "`retry`"), kind=Kind.DESIGN, category=Category.OBSERVABILITY),
    ]
    touched = context.rules_touched(rules, text="await fetch(url); retry(jitter)", seen={"seen"})
    assert [one.id for one in touched] == ["seen", "three"]
    others = [one for one in rules if one.id not in ("seen", "three")]
    touched = context.rules_touched(others, text="await fetch(url); retry(jitter)", seen=())
    assert [one.id for one in touched] == ["two-first", "two-b"]


def test_a_signal_counts_only_when_all_of_its_words_stand_in_the_text_and_only_once():
    rules = [
        rule(id="pair", look_for=("a `Promise.race`, `Promise`",)),
        rule(id="half", look_for=("a `Promise.any`, `race`",)),
        rule(id="signs", look_for=("`=> 1 +`", "`{}`")),
        rule(id="twice", look_for=("`race`", "`race` again", "`race()`")),
        rule(id="everywhere", look_for=("`await` and `return`",)),
    ]
    touched = context.rules_touched(rules, text="return await Promise.race(x)", seen=())
    assert [one.id for one in touched] == ["pair"]


def test_no_more_rules_are_told_than_anyone_keeps_in_mind():
    rules = [rule(id=f"r{number}") for number in range(12)]
    assert [one.id for one in context.rules_touched(rules, text="", seen={one.id for one in rules})] == ["r0", "r1"]
    assert context.rules_touched(rules, text="x", seen=()) == ()


# --- what fits --------------------------------------------------------------------------------------------------------


def test_prose_uses_no_name():
    hits = {"mine": [Hit("CHANGELOG.md", 1, "Add mine()"), Hit("b.ts", 3, "mine();")]}
    assert [one.path for one in context.choose_files(hits, Wanted(("mine",), ()), shown=())] == ["b.ts"]
