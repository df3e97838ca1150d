"""Hunks that need no reader, and those that only look so."""

from __future__ import annotations

import pytest

from app.core.plain_change import plain
from tests.core.values import change, file, hunk


@pytest.mark.parametrize(
    ("path", "lines", "is_plain"),
    [
        ("a.ts", ("-  pay( );", "+      pay( );", " x"), True),
        ("a.ts", ("-// old words", "+// new words"), True),
        ("a.ts", ("+", "+// a thought"), True),
        ("a.ts", ("-pay(a);", "+pay(b);"), False),
        ("a.ts", ("+// eslint-disable-next-line",), False),
        ("a.ts", ("-// @ts-expect-error: soon", "+// soon"), False),
        ("a.ts", ("-run();", "+// run();"), False),
        ("a.go", ("+//go:build linux",), False),
        ("a.py", ("-    pay()", "+        pay()"), False),
        ("a.py", ("-pay()   ", "+pay()"), True),
        ("a.py", ("-# one", "+# two"), True),
        ("a.py", ("+x = 1  # noqa",), False),
        ("run.sh", ("-#!/bin/sh", "+#!/bin/bash"), False),
        ("Makefile", ("-\tpay", "+    pay"), False),
        ("a.yml", ("-  key: 1", "+key: 1"), False),
        ("a.css", ("+// not a comment here",), False),
        ("a.ts", (" only", " context"), False),
    ],
)
def test_only_white_space_and_comments_that_no_tool_reads_are_plain(path, lines, is_plain):
    assert (plain(change(file(path, hunk(*lines)))) == {(path, 0)}) is is_plain


def test_each_hunk_is_looked_at_alone():
    both = file("a.ts", hunk("-// a", "+// b"), hunk("-a();", "+b();", old=9, new=9))
    assert plain(change(both)) == {("a.ts", 0)}
