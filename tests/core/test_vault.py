"""What the jobs keep can be read by whoever has the key, and by nobody else."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Permanent
from app.jobs.vault import Vault

OURS, OTHERS = Vault(b"one key"), Vault(b"another key")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)


@given(TEXT)
def test_s35_a_text_comes_back_and_its_seal_shows_nothing_of_it(text):
    sealed, wrapped = OURS.seal(text), OURS.wrap(text)
    assert OURS.open(sealed) == OURS.unwrap(wrapped) == text
    assert len(text) < 8 or text.encode() not in sealed
    assert OURS.seal(text) != sealed


@given(TEXT, st.integers(min_value=1, max_value=200), st.integers(min_value=1, max_value=255))
def test_s35_another_key_or_a_changed_byte_opens_nothing(text, place, change):
    sealed = bytearray(OURS.seal(text))
    with pytest.raises(Permanent, match="PRINCIPAL_SECRET_KEY"):
        OTHERS.open(bytes(sealed))
    sealed[1 + place % (len(sealed) - 1)] ^= change
    with pytest.raises(Permanent):
        OURS.open(bytes(sealed))


def test_s35_the_name_of_a_text_tells_only_us_that_it_is_the_same():
    name = OURS.name("x", repository_id=1)
    assert name == OURS.name("x", repository_id=1)
    others = {OTHERS.name("x", repository_id=1), OURS.name("y", repository_id=1), OURS.name("x", repository_id=2)}
    assert len({name, *others}) == 4


def test_what_an_older_version_kept_is_read():
    assert OURS.open(zlib.compress(b"older")) == "older"
    assert OURS.unwrap('{"older": true}') == '{"older": true}'


@pytest.mark.parametrize("damaged", ["sealed:", "sealed:???", "sealed:AQ=="])
def test_what_is_damaged_is_called_so(damaged):
    with pytest.raises(Permanent):
        OURS.unwrap(damaged)


def test_s48_what_unpacks_to_more_than_is_ever_kept_is_refused():
    small = Vault(b"one key", opened_at_most_bytes=100)
    assert small.open(OURS.seal("x" * 99)) == "x" * 99
    with pytest.raises(Permanent, match="larger"):
        small.open(OURS.seal("x" * 101))
