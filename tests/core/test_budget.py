from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.core import budget
from app.core.budget import Piece, cut
from tests.core.values import file, hunk

BODIES = st.lists(
    st.tuples(st.sampled_from(" +-"), st.text(alphabet="abc(){};", max_size=60)).map("".join), min_size=1, max_size=120
)


def pieces_of(batches):
    return [piece for batch in batches for piece in batch.pieces]


@given(
    st.lists(st.lists(BODIES, min_size=1, max_size=4), min_size=1, max_size=5),
    st.integers(50, 3000),
    st.integers(0, 20000),
)
def test_every_line_of_every_hunk_is_in_exactly_one_batch_or_named_as_left_over(files, batch_tokens, most_tokens):
    made = [file(f"src/f{n}.ts", *(hunk(*body) for body in bodies)) for n, bodies in enumerate(files)]
    batches, left_over = cut(made, batch_tokens=batch_tokens, most_tokens=most_tokens)
    covered: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for piece in [*pieces_of(batches), *left_over]:
        covered.setdefault(piece.key, []).append((piece.start, piece.end))
    for one in made:
        for number, whole in enumerate(one.hunks):
            spans = sorted(covered[one.path, number])
            assert spans[0][0] == 0
            assert spans[-1][1] == len(whole.body)
            assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert sum(batch.tokens for batch in batches) <= most_tokens


@given(BODIES, st.integers(1, 60))
def test_a_part_of_a_hunk_keeps_the_numbers_of_its_lines(body, position):
    whole = file("a.ts", hunk(*body, old=40, new=70))
    position = min(position, len(body))
    first, second = Piece(whole, 0, 0, position), Piece(whole, 0, position, len(body))
    assert [*first.cut().lines(), *second.cut().lines()] == list(whole.hunks[0].lines())


def test_a_hunk_longer_than_a_batch_is_cut_into_parts_of_at_least_a_few_lines():
    long = file("a.ts", hunk(*["+" + "x" * 100] * 100))
    batches, left_over = cut([long], batch_tokens=400, most_tokens=100_000)
    assert not left_over
    assert all(piece.end - piece.start >= budget.SHORTEST_PART_LINES for piece in pieces_of(batches)[:-1])
    assert len(batches) > 3


def test_code_is_read_before_configuration_tests_and_texts_so_that_a_budget_leaves_those_out():
    files = [file("README.md"), file("tests/test_a.py"), file("package.json"), file("src/a.py"), file("src/b.py")]
    batches, _ = cut(files, batch_tokens=10_000, most_tokens=10_000)
    assert batches[0].paths == ("src/a.py", "src/b.py", "package.json", "tests/test_a.py", "README.md")
    one_file = batches[0].tokens // 5
    batches, left_over = cut(files, batch_tokens=10_000, most_tokens=one_file * 3)
    assert batches[0].paths == ("src/a.py", "src/b.py", "package.json")
    assert [piece.file.path for piece in left_over] == ["tests/test_a.py", "README.md"]


def test_files_share_a_batch_until_it_is_full():
    files = [file(f"src/{n}.ts") for n in range(10)]
    each = cut(files[:1], batch_tokens=9999, most_tokens=9999)[0][0].tokens
    batches, _ = cut(files, batch_tokens=each * 4, most_tokens=each * 100)
    assert [len(batch.pieces) for batch in batches] == [4, 4, 2]
    assert [batch.tokens for batch in batches] == [each * 4, each * 4, each * 2]


def test_a_change_without_hunks_needs_no_batch():
    assert cut([], batch_tokens=10, most_tokens=10) == ([], [])


def test_tokens_are_estimated_on_the_safe_side():
    assert budget.estimate_tokens("") == 1
    assert budget.estimate_tokens("x" * 35) == 11


def test_a_test_is_known_by_its_folder_or_its_name():
    tests = [
        "tests/a.py",
        "src/__tests__/b.ts",
        "spec/c.rb",
        "src/a.test.ts",
        "a_test.go",
        "test_a.py",
        "x/a_spec.rb",
        "e2e/a.ts",
    ]
    assert all(budget.is_test(path) for path in tests)
    assert not any(
        budget.is_test(path) for path in ["src/latest.ts", "contest/a.py", "src/testing.py", "src/spectrum.ts"]
    )
