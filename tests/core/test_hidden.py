from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import hidden

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"

ORDINARY = {
    "plain text with tabs and line ends": "a\tb\r\nc\n ~",
    "accents and typographic signs": "Größe, naïve — “x” … 3 × 5 ≤ 16\u00a0% €",
    "a simple emoji": "\U0001f600",
    "emoji style behind a sign": "".join(f"{sign}\ufe0f" for sign in "❤☎©®™‼⁉ℹ↔↩⤴⤵◻◼▪▶⌚⏏☀✂⬅⭐〰〽㊗㊙Ⓜ"),
    "a skin tone": "\U0001f44d\U0001f3fd",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a profession with a skin tone": "\U0001f469\U0001f3fd\u200d\U0001f4bb",
    "a runner with a sign behind the joiner": "\U0001f3c3\u200d♀\ufe0f",
    "a heart on fire": "❤\ufe0f\u200d\U0001f525",
    "a rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "an eye in a bubble": "\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f",
    "keycaps": "1\ufe0f\u20e3 #\ufe0f\u20e3 *\ufe0f\u20e3",
    "flags of countries": "\U0001f1e9\U0001f1ea\U0001f1ef\U0001f1f5",
    "flags of subdivisions": ENGLAND + SCOTLAND + WALES,
    "an emoji younger than this Python": "\U0001fae9 \U0001fac8",
    "Arabic": "مرحبا بالعالم، كيف الحال؟",
    "the Arabic end of a verse": "\u06dd\u0661",
    "Persian with its non-joiner": "می\u200cخواهم کتاب\u200cها را بخوانم",
    "Hebrew with points": "שָׁלוֹם עוֹלָם",
    "Devanagari with joiners": "नमस्ते क्\u200dष क्\u200cष",
    "Bengali, Tamil, Malayalam, Sinhala": "র\u200d্যাম் தமிழ் ന്\u200d ක්\u200dෂ",
    "Thai, Greek, Cyrillic, Chinese, Japanese, Korean": "สวัสดี γειά привет 你好 こんにちは 안녕",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY.keys())
def test_s08_ordinary_writing_stays_as_it_is(text):
    assert hidden.reveal(text) == text
    assert hidden.count(text) == 0


HIDDEN = {
    "zero-width space": ("a\u200bb", r"a\u{200b}b"),
    "non-joiner between Latin letters": ("ad\u200cmin", r"ad\u{200c}min"),
    "joiner between Latin letters": ("ad\u200dmin", r"ad\u{200d}min"),
    "joiner between digits": ("1\u200d0", r"1\u{200d}0"),
    "joiner between backticks": ("`\u200d`", r"`\u{200d}`"),
    "joiner at the start": ("\u200d\U0001f600", "\\u{200d}\U0001f600"),
    "joiner at the end": ("\U0001f600\u200d", "\U0001f600\\u{200d}"),
    "joiner behind a letter, before an emoji": ("a\u200d\U0001f600", "a\\u{200d}\U0001f600"),
    "joiner behind a letter in emoji style": ("a\ufe0f\u200d\U0001f600", "a\\u{fe0f}\\u{200d}\U0001f600"),
    "non-joiner between emoji": ("\U0001f468\u200c\U0001f469", "\U0001f468\\u{200c}\U0001f469"),
    "two non-joiners in a row": ("می\u200c\u200cخ", "می\u200c\\u{200c}خ"),
    "joiner behind an Arabic digit": ("\u0661\u200d", "\u0661\\u{200d}"),
    "joiner behind the Arabic letter mark": ("\u061c\u200d", r"\u{61c}\u{200d}"),
    "joiner behind a Mongolian selector": ("\u180b\u200d", r"\u{180b}\u{200d}"),
    "word joiner and invisible times": ("\u2060\u2062", r"\u{2060}\u{2062}"),
    "byte order mark": ("\ufeffx", r"\u{feff}x"),
    "soft hyphen": ("co\u00adop", r"co\u{ad}op"),
    "bidi embedding and override": ("\u202a\u202e\u202c", r"\u{202a}\u{202e}\u{202c}"),
    "bidi isolates": ("\u2066\u2067\u2068\u2069", r"\u{2066}\u{2067}\u{2068}\u{2069}"),
    "bidi marks": ("\u200e\u200f", r"\u{200e}\u{200f}"),
    "tag letters": ("\U000e0068\U000e0069", r"\u{e0068}\u{e0069}"),
    "tags behind another flag": (
        "\U0001f3f3" + ENGLAND[1:],
        "\U0001f3f3" + "".join(f"\\u{{{ord(c):x}}}" for c in ENGLAND[1:]),
    ),
    "a subdivision that is not drawn": (
        "\U0001f3f4\U000e0075\U000e0073\U000e0068\U000e0069\U000e007f",
        "\U0001f3f4" + r"\u{e0075}\u{e0073}\u{e0068}\u{e0069}\u{e007f}",
    ),
    "a flag that is not closed": (ENGLAND[:-1], "\U0001f3f4" + "".join(f"\\u{{{ord(c):x}}}" for c in ENGLAND[1:-1])),
    "a tag behind a whole flag": (ENGLAND + "\U000e0061", ENGLAND + r"\u{e0061}"),
    "a flag's tags behind a letter": ("x" + ENGLAND[1:2], r"x\u{e0067}"),
    "fillers": ("\u115f\u1160\u3164\uffa0\u2800", r"\u{115f}\u{1160}\u{3164}\u{ffa0}\u{2800}"),
    "grapheme joiner": ("\u034f", r"\u{34f}"),
    "line and paragraph separators": ("a\u2028b\u2029c", r"a\u{2028}b\u{2029}c"),
    "variation selector behind a letter": ("a\ufe0f", r"a\u{fe0f}"),
    "variation selector at the start": ("\ufe0f", r"\u{fe0f}"),
    "variation selector behind a bare digit": ("1\ufe0f2", r"1\u{fe0f}2"),
    "another selector behind an emoji": ("\U0001f600\ufe00\ufe0e", "\U0001f600" + r"\u{fe00}\u{fe0e}"),
    "supplementary selectors": ("\U0001f600\U000e0100\U000e01ef", "\U0001f600" + r"\u{e0100}\u{e01ef}"),
    "Mongolian selectors": ("\u180b\u180c\u180d\u180e\u180f", r"\u{180b}\u{180c}\u{180d}\u{180e}\u{180f}"),
    "controls": ("a\0\x07\x1b[31m\x7f\x85", r"a\u{0}\u{7}\u{1b}[31m\u{7f}\u{85}"),
    "private use": ("\ue000\U000f0000\U0010fffd", r"\u{e000}\u{f0000}\u{10fffd}"),
    "lone surrogates": ("\udcff\ud800", r"\u{dcff}\u{d800}"),
    "unassigned": ("\u0378\U000e0fff\uffff", r"\u{378}\u{e0fff}\u{ffff}"),
    "interlinear annotation": ("\ufff9\ufffb", r"\u{fff9}\u{fffb}"),
}


@pytest.mark.parametrize(("text", "shown"), HIDDEN.values(), ids=HIDDEN.keys())
def test_s08_a_hidden_character_is_written_out(text, shown):
    assert hidden.reveal(text) == shown
    assert hidden.count(text) == shown.count("\\u{")


TRICKY = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from(
            "\u200c\u200d\ufe0f\ufe0e\u20e3#1aa\u0645\u0661\u061c\u0915\u094d\u180b❤\U0001f468\U0001f3fd\U0001f3f4"
        ),
        st.sampled_from(ENGLAND),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(TRICKY)
def test_what_was_revealed_stays_as_it_is_and_hides_nothing(text):
    once = hidden.reveal(text)
    assert hidden.reveal(once) == once
    assert hidden.count(once) == 0


@settings(deadline=None)
@given(TRICKY)
def test_nothing_but_hidden_characters_changes_and_none_is_lost(text):
    shown = hidden.reveal(text.replace("\\", ""))
    assert re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1], 16)), shown) == text.replace("\\", "")
    assert shown.count("\\u{") == hidden.count(text.replace("\\", ""))


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["Cf", "Cc", "Co", "Cs"], exclude_characters="\t\n\r"), min_size=1))
def test_no_format_or_control_character_is_left_standing_alone(text):
    left = [
        character for character in hidden.reveal(text) if unicodedata.category(character) in {"Cf", "Cc", "Co", "Cs"}
    ]
    assert set(left) <= hidden._DRAWN


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x7E, min_codepoint=0x20), max_size=200))
def test_ascii_stays_as_it_is(text):
    assert hidden.reveal(text) == text
