"""The writer: what waits is committed together, everyone gets an answer, and one bad item refuses nobody else."""

from __future__ import annotations

import asyncio
import threading

import pytest
import sqlalchemy as sa

from app.errors import Code, Transient, UserError
from app.jobs.writer import ITEMS_PER_TRANSACTION, Writer

WAIT_SECONDS = 90


class Book:
    """Takes batches while its gate is open. Items below zero cannot be written."""

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()

    def commit(self, items):
        assert self.gate.wait(WAIT_SECONDS)
        if any(item == "full" for item in items):
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
        for item in items:
            if item == "bad":
                raise ValueError(item)
            if item == "wrong":
                raise UserError("The item is wrong")
        self.batches.append(list(items))
        return [item * 2 for item in items]


def write(book, items, *, timeout_seconds=WAIT_SECONDS, prepare=lambda: None):
    """What each item gets, when all are given while the book is shut."""

    async def writing():
        writer = Writer(book.commit)
        try:
            tasks = [asyncio.create_task(writer.write(item, timeout_seconds=timeout_seconds)) for item in items]
            await asyncio.sleep(0)
            prepare()
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            book.gate.set()
            await asyncio.to_thread(writer.close)

    return asyncio.run(writing())


def test_what_waits_is_committed_together_in_order():
    book = Book()
    book.gate.clear()
    items = list(range(ITEMS_PER_TRANSACTION * 2 + 50))
    assert write(book, items, prepare=book.gate.set) == [item * 2 for item in items]
    assert [item for batch in book.batches for item in batch] == items
    assert len(book.batches) <= 4
    assert max(map(len, book.batches)) <= ITEMS_PER_TRANSACTION


def test_one_bad_item_refuses_nobody_else():
    book = Book()
    book.gate.clear()
    first, bad, wrong, last = write(book, [1, "bad", "wrong", 4], prepare=book.gate.set)
    assert (first, last) == (2, 8)
    assert isinstance(bad, Transient)
    assert bad.code is Code.DATABASE_BUSY
    assert isinstance(wrong, UserError)


def test_a_full_disk_is_told_to_everyone():
    answers = write(Book(), ["full", "full"])
    assert [type(answer) for answer in answers] == [Transient, Transient]
    assert {answer.code for answer in answers} == {Code.DATABASE_BUSY}


def test_who_gave_up_waiting_is_not_written_behind_their_back():
    book = Book()
    book.gate.clear()
    answers = write(book, ["first", "second"], timeout_seconds=0.05)
    assert [type(answer) for answer in answers] == [Transient, Transient]
    assert ["second"] not in book.batches


def test_closing_writes_what_waits():
    book = Book()

    async def closing():
        writer = Writer(book.commit)
        task = asyncio.create_task(writer.write("x", timeout_seconds=WAIT_SECONDS))
        await asyncio.sleep(0)
        await asyncio.to_thread(writer.close)
        return await task

    assert asyncio.run(closing()) == "xx"


@pytest.mark.parametrize("count", [1, 7])
def test_the_writer_answers_on_the_loop_that_asked(count):
    book = Book()
    for _ in range(count):
        assert write(book, ["x"]) == ["xx"]
