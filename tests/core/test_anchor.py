"""Anchors are computed from the quote: every place found is real lines of the file, inside one hunk."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core import anchor, diff
from app.core.anchor import Missing, Outside, locate
from app.core.change import FileDiff
from app.core.finding import Anchor, Side

HEAD = diff.lines(b"""\
import axios from "axios";

export async function charge(order: Order) {
  const url = gateway(order);
  const reply = await axios.post(url, order);
  log.info("charged", order.id);
  return reply.data;
}

function helper() {
  return null;
}

export function refund(order: Order) {
  if (!order.paid) {
    return null;
  }
  return axios.delete(order.url);
}

function unchanged() {
  const limit = compute(order.items.length);
  return null;
}
""")

DIFF = b"""\
diff --git a/src/charge.ts b/src/charge.ts
index 1111111..2222222 100644
--- a/src/charge.ts
+++ b/src/charge.ts
@@ -2,8 +2,7 @@ import axios from "axios";

 export async function charge(order: Order) {
   const url = gateway(order);
-  const reply = await retry(() => axios.post(url, order, { timeout: 5_000 }));
-  audit(order);
+  const reply = await axios.post(url, order);
   log.info("charged", order.id);
   return reply.data;
 }
@@ -13,5 +12,8 @@ function helper() {
 }

 export function refund(order: Order) {
+  if (!order.paid) {
+    return null;
+  }
   return axios.delete(order.url);
 }
"""
(FILE,) = diff.parse(DIFF)
REMOVED = "  const reply = await retry(() => axios.post(url, order, { timeout: 5_000 }));"


def right(start: int, end: int, hunk: int) -> Anchor:
    return Anchor(path="src/charge.ts", side=Side.RIGHT, start_line=start, line=end, hunk=hunk)


def left(start: int, end: int, hunk: int = 0) -> Anchor:
    return Anchor(path="src/charge.ts", side=Side.LEFT, start_line=start, line=end, hunk=hunk)


def find(quote: str, hint: int | None = None, *, head: list[str] | None = HEAD) -> Anchor | Outside | Missing:
    return locate(quote, file=FILE, head_lines=head, hint=hint)


def file_of(body: str, *, old: int = 1, new: int = 1, path: str = "src/charge.ts") -> FileDiff:
    """A file with one hunk."""
    rows = body.split("\n")
    counts = sum(row[0] in " -" for row in rows), sum(row[0] in " +" for row in rows)
    (file,) = diff.parse(f"--- a/{path}\n+++ b/{path}\n@@ -{old},{counts[0]} +{new},{counts[1]} @@\n{body}\n".encode())
    return file


# --- in the head ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [HEAD, None], ids=["with the file", "from the hunks"])
@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("  const reply = await axios.post(url, order);", right(5, 5, 0)),
        ("const reply = await axios.post(url, order);", right(5, 5, 0)),
        ("  const url = gateway(order);\n  const reply = await axios.post(url, order);", right(4, 5, 0)),
        ("\n\n  if (!order.paid) {\n    return null;\n  }\n\n", right(15, 17, 1)),
        ("if(!order.paid)  {\nreturn null ;\n}", right(15, 17, 1)),
        ("\tif (!order.paid) {\r\n\t\treturn null;\r\n", right(15, 16, 1)),
        ('  log.info("charged", order.id);', right(6, 6, 0)),
        ("}\n\nexport function refund(order: Order) {", right(12, 14, 1)),
    ],
)
def test_a_quote_of_whole_lines_is_found_whatever_its_spaces(quote: str, place: Anchor, head: list[str] | None) -> None:
    assert find(quote, head=head) == place


@pytest.mark.parametrize("head", [HEAD, None], ids=["with the file", "from the hunks"])
@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("await axios.post(url", right(5, 5, 0)),
        ("axios.post(url, order);\n  log.info(", right(5, 6, 0)),
        ("{\n  const url = gateway(order);\n  const reply =", right(3, 5, 0)),
        ("!order.", right(15, 15, 1)),
    ],
)
def test_a_quote_may_begin_and_end_inside_a_line(quote: str, place: Anchor, head: list[str] | None) -> None:
    assert find(quote, head=head) == place


def test_the_end_of_a_line_is_no_character_of_a_part() -> None:
    file = file_of("+xab;\n+cdx")
    assert isinstance(locate("ab;\ncd", file=file, head_lines=None, hint=None), Missing)
    assert locate("xab;\ncd", file=file, head_lines=None, hint=None) == right(1, 2, 0)


def test_a_part_of_a_line_needs_enough_characters() -> None:
    assert anchor.PART_CHARACTERS == 6
    assert find("rder.pa") == right(15, 15, 1)
    assert find("e r . p a i") == right(15, 15, 1)
    assert find("r.pai") == Missing("the quote does not stand in the file")


@pytest.mark.parametrize(
    "quote",
    [
        "```ts\n  const reply = await axios.post(url, order);\n```",
        "`const reply = await axios.post(url, order);`",
        "+  const reply = await axios.post(url, order);",
        "+ const reply = await axios.post(url, order);",
        "    5 const reply = await axios.post(url, order);",
        "5: const reply = await axios.post(url, order);",
        "5 | const reply = await axios.post(url, order);",
        "5→ const reply = await axios.post(url, order);",
        "          5 +   const reply = await axios.post(url, order);",
        "-  audit(order);\n+  const reply = await axios.post(url, order);",
        "    6       -   audit(order);\n          5 +   const reply = await axios.post(url, order);",
        "  const reply = await axios.post(url, [cut]",
        "  const reply = await axios.post(url, ...",
        "  const reply = await axios.post(url, …  ",
    ],
)
def test_what_was_copied_along_from_the_prompt_is_taken_off(quote: str) -> None:
    assert find(quote) == right(5, 5, 0)
    assert find(quote, head=None) == right(5, 5, 0)


@pytest.mark.parametrize(
    ("quote", "end"),
    [
        ("```\ngo();\n```", 1),
        ("  ```ts\n  go();\n  ```", 1),
        ("`go();`", 1),
        ("  12 go();\n\n  14 no();", 3),
        ("+go();\n\n no();", 3),
        ("+go();", 1),
    ],
)
def test_even_the_shortest_code_is_found_without_what_was_copied_along(quote: str, end: int) -> None:
    """Too short to be found by a part or by one telling line."""
    file = file_of("+go();\n+\n no();\n+Xx();")
    assert locate(quote, file=file, head_lines=None, hint=None) == right(1, end, 0)
    assert locate("`Xx();`", file=file, head_lines=None, hint=None) == right(4, 4, 0)


def test_a_line_that_was_only_added_is_not_looked_for_in_the_base() -> None:
    file = file_of(" a();\n-gone();")
    assert locate("-gone();\n+never();", file=file, head_lines=None, hint=None) == left(2, 2)


def test_numbers_and_marks_over_several_lines_are_taken_off() -> None:
    quote = "   13    14   export function refund(order: Order) {\n         15 +   if (!order.paid) {\n\n"
    assert find(quote) == right(14, 15, 1)
    assert find(" export function refund(order: Order) {\n+  if (!order.paid) {") == right(14, 15, 1)
    assert find("14 export function refund(order: Order) {\n\n  if (!order.paid) {") == right(14, 14, 1)


def test_code_that_itself_begins_with_numbers_or_marks_is_found_as_it_is() -> None:
    file = file_of("+- name: one\n+12 13 fourteen\n+`tick`")
    for line, quote in enumerate(("- name: one", "12 13 fourteen", "`tick`"), 1):
        assert locate(quote, file=file, head_lines=None, hint=None) == right(line, line, 0)


def test_a_redacted_secret_stands_for_whatever_was_there() -> None:
    file = file_of('+const a = "one", b = "two";\n+const key = "sk-1234567890";\n+use(key);\n+const key = "x"; more();')
    for quote, start, end in [
        ('const key = "<SECRET:API key#1>";', 2, 2),
        ('const key = "<SECRET:API key#1>";\nuse(key);', 2, 3),
        ('const a = "<SECRET:password#1>", b = "<SECRET:password#2>";', 1, 1),
        ("<SECRET:x#1>\nuse(key);", 2, 3),
        ('const key = "<SECRET:API key#1>', 2, 2),
        ('<SECRET:API key#1>"; more();', 4, 4),
        ('<SECRET:x#1><SECRET:y#2>"; more();', 4, 4),
    ]:
        assert locate(quote, file=file, head_lines=None, hint=None) == right(start, end, 0)


def test_a_redacted_secret_stays_on_its_line() -> None:
    file = file_of("+first(a\n+b);\n+other();")
    assert isinstance(locate("first(<SECRET:x#1>b);", file=file, head_lines=None, hint=None), Missing)
    earlier = file_of("+zb);\n+first(a\n+c);")
    assert isinstance(locate("first(<SECRET:x#1>b);", file=earlier, head_lines=None, hint=None), Missing)
    assert isinstance(locate("<SECRET:API key#1>", file=file, head_lines=None, hint=None), Missing)


def test_two_redacted_secrets_need_two_places() -> None:
    file = file_of("+call1--2;")
    assert isinstance(locate("call<SECRET:x#1>--<SECRET:y#2>--", file=file, head_lines=None, hint=None), Missing)
    assert locate("call<SECRET:x#1>--<SECRET:y#2>", file=file, head_lines=None, hint=None) == right(1, 1, 0)


def test_a_redacted_secret_at_the_front_is_found_far_down() -> None:
    filler = "\n".join(f"+{'y' * 100}" for _ in range(anchor.MOST_PLACES // 50))
    file = file_of(f'{filler}\n+"hidden"; more();')
    last = anchor.MOST_PLACES // 50 + 1
    assert locate('<SECRET:x#1>"; more();', file=file, head_lines=None, hint=None) == right(last, last, 0)
    assert locate('<SECRET:x#1>"; more', file=file, head_lines=None, hint=None) == right(last, last, 0)


def test_a_character_that_was_made_visible_is_read_back() -> None:
    file = file_of("+if (user\u200b === admin) {\n+go\U0010fffd(1);\n+\\u{200b}x;")
    assert locate("if (user\\u{200b} === admin) {", file=file, head_lines=None, hint=None) == right(1, 1, 0)
    assert locate("go\\u{10fffd}(1);", file=file, head_lines=None, hint=None) == right(2, 2, 0)
    assert locate("\\u{200b}x;", file=file, head_lines=None, hint=None) == right(3, 3, 0)
    assert isinstance(locate("gone\\u{110000}(1);", file=file, head_lines=None, hint=None), Missing)


# --- which of several places ------------------------------------------------------------------------------------------


def test_without_a_hint_a_changed_line_comes_before_context_and_the_first_before_the_rest() -> None:
    file = file_of(" go();\n+x();\n+go();\n y();\n+go();")
    assert locate("go();", file=file, head_lines=None, hint=None) == right(3, 3, 0)
    file = file_of(" go();\n+x();\n go();")
    assert locate("go();", file=file, head_lines=None, hint=None) == right(1, 1, 0)


def test_the_hint_chooses_the_nearest_place() -> None:
    file = file_of("+go();\n+x();\n+y();\n+z();\n+go();\n+w();")
    assert [locate("go();", file=file, head_lines=None, hint=hint) for hint in (1, 2, 4, 5, 99)] == [
        right(1, 1, 0),
        right(1, 1, 0),
        right(5, 5, 0),
        right(5, 5, 0),
        right(5, 5, 0),
    ]
    assert locate("go();", file=file, head_lines=None, hint=3) == right(1, 1, 0)


def test_at_the_same_distance_the_changed_place_is_chosen() -> None:
    file = file_of(" go();\n+x();\n+go();")
    assert locate("go();", file=file, head_lines=None, hint=2) == right(3, 3, 0)


def test_a_hint_inside_a_long_quote_is_at_it() -> None:
    file = file_of("+a();\n+b();\n+c();\n+x();\n+a();\n+b();\n+c();")
    assert locate("a();\nb();\nc();", file=file, head_lines=None, hint=7) == right(5, 7, 0)
    assert locate("a();\nb();\nc();", file=file, head_lines=None, hint=4) == right(1, 3, 0)


def test_the_very_same_spaces_are_preferred() -> None:
    file = file_of("+  go();\n+go();")
    assert locate("go();", file=file, head_lines=None, hint=None) == right(2, 2, 0)
    assert locate("go();  ", file=file, head_lines=None, hint=9) == right(2, 2, 0)
    assert locate("go();", file=file, head_lines=None, hint=1) == right(1, 1, 0)


def test_the_very_same_spaces_are_preferred_at_the_front_too() -> None:
    file = file_of("+go();\n+  go();")
    assert locate("  go();", file=file, head_lines=None, hint=None) == right(2, 2, 0)


def test_the_distance_counts_from_the_nearer_end() -> None:
    file = file_of("+a();\n+b();\n+c();\n+x();\n+x();\n+x();\n+x();\n+a();\n+b();\n+c();")
    assert locate("a();\nb();\nc();", file=file, head_lines=None, hint=5) == right(1, 3, 0)
    assert locate("a();\nb();\nc();", file=file, head_lines=None, hint=6) == right(8, 10, 0)
    assert locate("a();\nb();\nc();", file=file, head_lines=None, hint=-50) == right(1, 3, 0)


def test_a_place_inside_a_hunk_comes_before_one_outside_unless_the_hint_is_there() -> None:
    assert find("return null;") == right(16, 16, 1)
    assert find("return null;", 16) == right(16, 16, 1)
    assert find("return null;", 10) == right(16, 16, 1)
    assert find("return null;", 11) == Outside(11)
    assert find("return null;", 23) == Outside(23)
    assert find("  return null;") == right(16, 16, 1)


def test_brackets_alone_say_nothing_except_at_the_hint() -> None:
    assert find("}") == Missing("the quote does not stand in the file")
    assert find("}", 8) == right(8, 8, 0)
    assert find("}", 17) == right(17, 17, 1)
    assert find("  }", 18) == Missing("the quote does not stand in the file")
    assert find("}\n}\n}\n}\n}\n}", 18) == Missing("the quote does not stand in the file")


# --- outside, and across the edge of a hunk ---------------------------------------------------------------------------


def test_brackets_over_several_lines_are_found_with_the_hint_anywhere_in_them() -> None:
    file = file_of("+a();\n+}\n+}\n+}\n+b();")
    for hint in (2, 3, 4):
        assert locate("}\n}\n}", file=file, head_lines=None, hint=hint) == right(2, 4, 0)
    assert isinstance(locate("}\n}\n}", file=file, head_lines=None, hint=5), Missing)


def test_a_quote_of_unchanged_lines_outside_every_hunk_is_outside() -> None:
    assert find("const limit = compute(order.items.length);") == Outside(22)
    assert find("const limit = compute(order.items.length);", 4) == Outside(22)
    assert find("function helper() {\n  return null;") == Outside(10)
    assert find("compute(order.items") == Outside(22)
    assert find("const limit = compute(order.items.length);", head=None) == Missing(
        "the quote does not stand in the file"
    )


def test_a_quote_across_the_edge_of_a_hunk_is_cut_at_the_edge() -> None:
    assert find("  return null;\n}\n\nexport function refund(order: Order) {") == right(12, 14, 1)
    assert find("  return axios.delete(order.url);\n}\n\nfunction unchanged() {") == right(18, 19, 1)
    assert find("  return reply.data;\n}\n\nfunction helper() {\n  return null;\n}") == right(7, 8, 0)


def test_a_quote_over_two_hunks_goes_to_the_one_that_changed_more_of_it() -> None:
    assert find("\n".join(HEAD[5:16])) == right(12, 16, 1)
    assert find("\n".join(HEAD[2:15])) == right(3, 8, 0)
    assert find("\n".join(HEAD[3:17])) == right(12, 17, 1)


def test_hunks_in_any_order_are_found() -> None:
    first, second = FILE.hunks
    turned = FileDiff(path=FILE.path, status=FILE.status, hunks=(second, first))
    assert locate("if (!order.paid) {", file=turned, head_lines=HEAD, hint=None) == right(15, 15, 0)
    assert locate("  const url = gateway(order);", file=turned, head_lines=HEAD, hint=None) == right(4, 4, 1)


# --- removed lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [HEAD, None], ids=["with the file", "from the hunks"])
@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("  audit(order);", left(6, 6)),
        ("-  audit(order);", left(6, 6)),
        ("    6       -   audit(order);", left(6, 6)),
        ("retry(() => axios.post(url, order, {", left(5, 5)),
        (f"  const url = gateway(order);\n{REMOVED}", left(5, 5)),
        (f'{REMOVED}\n  audit(order);\n  log.info("charged", order.id);', left(5, 6)),
    ],
)
def test_a_quote_that_stands_only_in_removed_lines_is_on_the_left(
    quote: str, place: Anchor, head: list[str] | None
) -> None:
    assert find(quote, head=head) == place


def test_a_line_that_was_removed_here_and_stands_elsewhere_is_in_the_head() -> None:
    file = file_of("-go();\n+x();")
    assert locate("go();", file=file, head_lines=["x();", "y();", "go();"], hint=None) == Outside(3)
    assert locate("go();", file=file, head_lines=["x();", "y();"], hint=None) == left(1, 1)
    assert locate("go();", file=file_of("-go();\n+  go();"), head_lines=None, hint=None) == right(1, 1, 0)


def test_context_that_only_the_base_shows_together_is_no_place() -> None:
    file = file_of(" one();\n+x();\n two();\n-gone();")
    assert locate("one();\ntwo();", file=file, head_lines=None, hint=None) == Missing(
        "the quote does not stand in the file"
    )


def test_removed_lines_around_context_are_one_range() -> None:
    file = file_of(" a();\n-b();\n c();\n-d();\n e();", old=11)
    assert locate("a();\nb();\nc();\nd();\ne();", file=file, head_lines=None, hint=None) == left(12, 14)


def test_removed_lines_are_numbered_without_the_added_ones() -> None:
    file = file_of(" a();\n+x();\n-gone();")
    assert locate("gone();", file=file, head_lines=None, hint=None) == left(2, 2)
    assert locate("-  gone();", file=file, head_lines=None, hint=None) == left(2, 2)
    assert locate("-  go();", file=file_of("-go();\n+x();"), head_lines=None, hint=None) == left(1, 1)


def test_a_deleted_file_is_found_on_the_left() -> None:
    (file,) = diff.parse(
        b"diff --git a/src/charge.ts b/src/charge.ts\ndeleted file mode 100644\nindex 1..0\n"
        b"--- a/src/charge.ts\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one();\n-two();\n"
    )
    assert locate("two();", file=file, head_lines=None, hint=None) == left(2, 2)
    assert locate("two();", file=file, head_lines=[], hint=None) == left(2, 2)


def test_among_removed_lines_the_hint_chooses_too() -> None:
    file = file_of("-go();\n x();\n y();\n-go();")
    assert locate("go();", file=file, head_lines=None, hint=None) == left(1, 1)
    assert locate("go();", file=file, head_lines=None, hint=4) == left(4, 4)


# --- one telling line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [HEAD, None], ids=["with the file", "from the hunks"])
@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("function invented() {\n  const reply = await axios.post(url, order);\n  forget(reply);", right(5, 5, 0)),
        ("  const url = gateway(order);\n  const reply = await axios.post(url, order);\n  nothing();", right(4, 5, 0)),
        (
            '  nothing();\n  const reply = await axios.post(url, order);\n  log.info("charged", order.id);',
            right(5, 6, 0),
        ),
        ("const reply = await axios.post(url, order); // no timeout!", right(5, 5, 0)),
        ("invented();\n  const reply = await retry(() => axios.post(url, order, { timeout: 5_000 }));", left(5, 5)),
    ],
)
def test_one_telling_line_stands_for_a_quote_with_errors(quote: str, place: Anchor, head: list[str] | None) -> None:
    assert find(quote, head=head) == place


def test_the_neighbours_that_the_quote_has_right_belong_to_it() -> None:
    file = file_of("+a();\n+b();\n+const telling = line(1);\n+c();\n+d();\n+e();")
    quote = "invented();\na();\nb();\nconst telling = line(1);\nc();\nd();\ninvented();"
    assert locate(quote, file=file, head_lines=None, hint=None) == right(1, 5, 0)


def test_a_real_line_of_exactly_the_least_share_is_near() -> None:
    file = file_of("+abcdefghijkl")
    assert locate("no\nabcdefghijklmnopqrst", file=file, head_lines=None, hint=None) == right(1, 1, 0)
    assert isinstance(locate("no\nabcdefghijklmnopqrstu", file=file, head_lines=None, hint=None), Missing)


def test_a_telling_line_that_stands_twice_tells_nothing() -> None:
    file = file_of("+const a = compute(1);\n+x();\n+const a = compute(1);")
    assert isinstance(locate("no();\nconst a = compute(1);", file=file, head_lines=None, hint=1), Missing)


def test_a_telling_line_needs_enough_characters() -> None:
    file = file_of("+abcdef(ghij)\n+abcdef(ghijk)")
    assert anchor.TELLING_CHARACTERS == 12
    assert isinstance(locate("no\nabcdef(ghij", file=file, head_lines=None, hint=None), Missing)
    assert locate("no\nabcdef(ghijk", file=file, head_lines=None, hint=None) == right(2, 2, 0)
    assert isinstance(locate("no\nabcdef(ghij", file=file_of("+abcdef(ghijk"), head_lines=None, hint=None), Missing)


@pytest.mark.parametrize(("added", "found"), [("12345678901234", True), ("1234567890123", False), ("", True)])
def test_a_real_line_must_be_most_of_the_quoted_one(added: str, found: bool) -> None:
    """24 quoted characters need at least 14.4 real ones."""
    file = file_of(f"+{'abcdefghijklmnopqrstuvwx'[: len(added) + 1] if added else 'abcdefghijklmnopqrstuvwx'}")
    place = locate("no\nabcdefghijklmnopqrstuvwx", file=file, head_lines=None, hint=None)
    assert place == (right(1, 1, 0) if found else Missing("the quote does not stand in the file"))


def test_a_real_line_of_just_enough_characters_is_near() -> None:
    file = file_of("+abcdef(ghijk\n+other();")
    assert locate("no\nabcdef(ghijk, more)", file=file, head_lines=None, hint=None) == right(1, 1, 0)
    short = file_of("+abcdef(ghij\n+other();")
    assert isinstance(locate("no\nabcdef(ghij, more)", file=short, head_lines=None, hint=None), Missing)


def test_every_neighbour_of_a_telling_line_that_the_quote_has_right_belongs_to_it() -> None:
    file = file_of("+x();\n+one();\n+two();\n+telling(line, of, all);\n+three();\n+four();\n+y();")
    quote = "no();\none();\ntwo();\ntelling(line, of, all); // wrong\nthree();\nfour();\nno();"
    assert locate(quote, file=file, head_lines=None, hint=None) == right(2, 6, 0)


def test_the_first_of_two_equally_long_lines_is_the_telling_one() -> None:
    file = file_of("+const one = 1111;\n+x();\n+const two = 2222;")
    assert locate("const one = 1111;\nconst two = 2222;", file=file, head_lines=None, hint=3) == right(1, 1, 0)


# --- nothing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["", " \n\t\n", "```\n```", "``", "`\u2028`", "\\u{2028}"])
def test_an_empty_quote_is_nowhere(quote: str) -> None:
    place = find(quote)
    assert isinstance(place, Missing)
    if not quote.strip():
        assert place == Missing("the quote is empty")


def test_code_that_does_not_stand_in_the_file_is_nowhere() -> None:
    assert find("await fetch(url, { signal })", 5) == Missing("the quote does not stand in the file")


def test_a_file_without_hunks_has_no_anchor() -> None:
    file = FileDiff(path="src/charge.ts", status=FILE.status)
    assert locate("return reply.data;", file=file, head_lines=HEAD, hint=7) == Outside(7)
    assert isinstance(locate("return reply.data;", file=file, head_lines=None, hint=7), Missing)


def test_only_the_first_lines_of_an_endless_quote_are_looked_for() -> None:
    rows = [f"step({number});" for number in range(300)]
    file = file_of("\n".join(f"+{row}" for row in rows))
    assert anchor.LONGEST_QUOTE_LINES == 200
    assert locate("\n".join(rows), file=file, head_lines=None, hint=None) == right(1, 200, 0)


def test_a_quote_that_stands_everywhere_is_looked_for_a_bounded_number_of_times() -> None:
    many = anchor.MOST_PLACES + 5
    file = file_of("\n".join(["+go();"] * many))
    assert locate("go();", file=file, head_lines=None, hint=many) == right(anchor.MOST_PLACES, anchor.MOST_PLACES, 0)


# --- properties -------------------------------------------------------------------------------------------------------

ROWS = st.sampled_from(
    ["a();", "  a();", "b();", "return total(a, b);", "", "}", "const c = 1;\r", "log(c);", "+ d", "- e"]
)


@st.composite
def files(draw: st.DrawFn) -> tuple[FileDiff, list[str]]:
    """A changed file and its head lines."""
    old = draw(st.lists(ROWS, max_size=30))
    new = list(old)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(new)))
        new[at : at + draw(st.integers(0, 2))] = draw(st.lists(ROWS, max_size=3))
    rows = [line.removesuffix("\n") for line in difflib.unified_diff(old, new, "a/f", "b/f", lineterm="", n=1)]
    assume(rows)
    (file,) = diff.parse("\n".join(rows).encode())
    return file, new


def same(one: list[str], other: list[str]) -> bool:
    return ["".join(line.split()) for line in one] == ["".join(line.split()) for line in other]


def test_of_equal_places_the_one_that_a_hunk_shows_whole_is_chosen():
    head = ["a();"] * 4
    (file,) = diff.parse(b"--- a/f\n+++ b/f\n@@ -2 +2,3 @@\n a();\n+a();\n+a();")
    place = locate("a();\na();", file=file, head_lines=head, hint=2)
    assert isinstance(place, Anchor)
    assert (place.start_line, place.line) == (2, 3)


@settings(max_examples=300, deadline=None)
@given(changed=files(), data=st.data())
def test_every_run_of_lines_that_a_hunk_shows_is_found_with_its_text(
    changed: tuple[FileDiff, list[str]], data: st.DataObject
) -> None:
    file, head = changed
    shown = [hunk for hunk in file.hunks if hunk.new_count]
    assume(shown)
    hunk = data.draw(st.sampled_from(shown))
    start = data.draw(st.integers(hunk.new_start, hunk.new_end))
    end = data.draw(st.integers(start, hunk.new_end))
    quoted = head[start - 1 : end]
    assume(quoted[0].strip() and quoted[-1].strip())
    place = locate("\n".join(quoted), file=file, head_lines=data.draw(st.sampled_from([head, None])), hint=start)
    assert isinstance(place, Anchor)
    assert place.side is Side.RIGHT
    assert same(head[place.start_line - 1 : place.line], quoted)


@settings(max_examples=300, deadline=None)
@given(
    changed=files(),
    quote=st.lists(ROWS | st.sampled_from(["+a();", "-b();", " 12 a();", "x", "<SECRET:k#1>", "```"]), max_size=4).map(
        "\n".join
    ),
    hint=st.none() | st.integers(-2, 40),
    readable=st.booleans(),
)
def test_whatever_is_quoted_an_anchor_is_real_lines_of_one_hunk(
    changed: tuple[FileDiff, list[str]], quote: str, hint: int | None, readable: bool
) -> None:
    file, head = changed
    match locate(quote, file=file, head_lines=head if readable else None, hint=hint):
        case Anchor() as place:
            hunk = file.hunks[place.hunk]
            first, count = (
                (hunk.new_start, hunk.new_count) if place.side is Side.RIGHT else (hunk.old_start, hunk.old_count)
            )
            assert first <= place.start_line <= place.line < first + count
            assert place.line - place.start_line < quote.count("\n") + 1
            if place.side is Side.LEFT:
                removed = {line.old for line in hunk.lines() if line.mark == "-"}
                assert {place.start_line, place.line} <= removed
        case Outside(line=line):
            assert readable
            assert 1 <= line <= len(head)
            assert not any(hunk.new_start <= line <= hunk.new_end for hunk in file.hunks)


def test_only_the_mark_is_taken_off_a_copied_line() -> None:
    """One character more, and a line too short to be known by a part of it would be lost."""
    short = diff.parse(b"--- a/a.ts\n+++ b/a.ts\n@@ -1,2 +1,3 @@\n let y;\n+x = 1;\n let z;\n")[0]
    found = locate("+x = 1;", file=short, head_lines=["let y;", "x = 1;", "let z;"], hint=None)
    assert found == Anchor("a.ts", Side.RIGHT, 2, 2, 0)
