"""What people write comes out as HTML that can do no harm, and reads as it does on GitHub."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox import markdown
from app.sandbox.markdown import Suggested

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src="https://evil.example/x.png" onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](data:text/html,alert)",
    '<p onclick="alert(1)" style="position:fixed">x</p>',
    "<iframe src='https://evil.example'></iframe>",
    "</div></main></body><h1>",
    "<style>body{display:none}</style>",
    "<svg onload=alert(1)>",
    "<details><summary>x",
    '<pre data-slot="0-0"></pre>',
    "<form action='https://evil.example'><input name=x><button>go</button></form>",
    "```html\n<script>alert(1)</script>\n```",
    "```suggestion\n<script>alert(1)</script>\n```",
    "<math><mi//xlink:href='data:x'>",
    "<!--><script>alert(1)</script>-->",
]


class Audit(HTMLParser):
    """Reads HTML strictly and notes what should not be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {"class", "href", "rel", "open", "start"}
        self.wrong += [f"{tag} {name}" for name, _ in attrs if name not in known]
        self.wrong += [value or "" for name, value in attrs if name == "href" and "script" in (value or "").lower()]
        if tag not in markdown.PLAIN | {"div", "header", "span"}:
            self.wrong.append(tag)
        if tag not in markdown.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}-->")


def audited(text: str) -> Audit:
    audit = Audit()
    audit.feed(str(markdown.render(text, suggested=Suggested("a.ts", 1, ("old",)))))
    audit.close()
    return audit


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str) -> None:
    audit = audited(text)
    assert (audit.wrong, audit.open) == ([], [])


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "a", "\n", "\n\n", "`", "```", "<", ">", "- ", "| a |\n|---|\n", "&amp;", "@dev"])
    ).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_any_mixture_is_harmless_and_balanced(text: str) -> None:
    audit = audited(text)
    assert (audit.wrong, audit.open) == ([], [])


def test_what_github_allows_is_kept_and_comments_stay_hidden() -> None:
    shown = str(
        markdown.render(
            "<!-- marker -->\n\n<details open><summary>More</summary>\n\nText for @maya, H<sub>2</sub>O\n\n</details>\n\n"
            "| a | b |\n|:--|--:|\n| 1 | 2 |\n\n3. three\n\n![a chart](https://x.example/y.png) `@code`"
        )
    )
    assert "marker" not in shown
    assert "<details open><summary>More</summary>" in shown
    assert '<span class="mention">@maya</span>' in shown
    assert "H<sub>2</sub>O" in shown
    assert '<td class="right">2</td>' in shown
    assert '<ol start="3">' in shown
    assert "x.example" not in shown
    assert "picture: a chart" in shown
    assert "<code>@code</code>" in shown


def test_a_line_end_in_a_comment_is_a_line_end_on_the_page() -> None:
    assert "one<br>" in str(markdown.render("one\ntwo"))


def test_a_suggestion_is_drawn_as_a_change_of_the_lines_it_replaces() -> None:
    shown = str(markdown.render("```suggestion\nnew\n```", suggested=Suggested("a.txt", 4, ("old", "older"))))
    assert shown.count('class="del"') == 2
    assert shown.count('class="add"') == 1
    emptied = str(markdown.render("```suggestion\n```", suggested=Suggested("a.txt", 4, ("old",))))
    assert (emptied.count('class="del"'), emptied.count('class="add"')) == (1, 0)


def test_a_diff_has_its_colours() -> None:
    shown = str(markdown.render("```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n c\n```"))
    assert [shown.count(f'<span class="{kind}">') for kind in ("meta", "hunk", "del", "add", "same")] == [2, 1, 1, 1, 1]
