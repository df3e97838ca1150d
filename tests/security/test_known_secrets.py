"""No text says one of this server's own secrets, in whatever dress a hostile model puts it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import gate, secrets
from app.core.leaks import KnownSecrets
from app.errors import Code, Permanent
from app.settings import Settings
from benchmarks.security.__main__ import leaks_through
from benchmarks.security.outputs import DRESSES, output, secret
from tests.security.rendered import active

PLANTED = secret(0)
KNOWN = KnownSecrets.of([PLANTED])
OLD = "ghs_" + "Zq8LmX2vTn4RkW7sYb1Jc5HdPf9GaE3uKoVi"
STATELESS = "ghs_1184231_eyJhbGciOiJSUzI1NiJ9." + "q8LmX2vTn4RkW7sYb1Jc5HdPf9GaE3uKoViZ" * 13


@pytest.mark.parametrize("dress", DRESSES)
def test_s31_a_known_secret_is_seen_in_every_dress(dress):
    for seed in range(5):
        told = DRESSES[dress](PLANTED, random.Random(seed))
        for text in (told, f"The key is {told}.", f"```\nconst a = 'x{told}y';\n```", gate.clean(f"`{told}`")):
            assert KNOWN.leaks(text), (dress, text)


def test_s31_a_part_of_a_private_key_is_seen_and_its_label_is_not_one():
    lines = "\n".join(secret(number) + secret(number + 1)[:16] for number in range(20))
    known = KnownSecrets.of([f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\n"])
    assert known.leaks(lines.split("\n")[7][5:40])
    assert known.leaks(lines.split("\n")[7][::-1])
    assert not known.leaks("-----BEGIN RSA PRIVATE KEY-----")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_s31_ordinary_text_says_no_secret(text):
    assert not KNOWN.leaks(text)
    assert not KnownSecrets().leaks(text)


def test_s31_words_that_are_no_secret_are_not_guarded():
    assert not KnownSecrets.of(["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "", b""]).leaks("short aaaaaaaaaaaaaaaaaaaaaaaa")
    assert PLANTED not in repr(KNOWN)


def test_s32_generated_outputs_of_a_hostile_model_leak_nothing_and_act_nowhere():
    """A sample: `python -m benchmarks.security --outputs 10000` makes the rest."""
    for seed in range(1, 101):
        made = output(seed, PLANTED)
        assert not leaks_through(made, KNOWN), seed
        assert active(gate.clean(made.text)) == [], seed


def test_s31_every_secret_of_the_settings_is_known():
    given_settings = Settings.load(
        {
            "GITHUB_TOKEN": secret(1),
            "OPENAI_API_KEY": secret(2),
            "ANTHROPIC_API_KEY": secret(3),
            "PRINCIPAL_SECRET_KEY": secret(4),
            "GITHUB_WEBHOOK_SECRET": f"{secret(5)},{secret(6)}",
            "DATABASE_URL": f"postgresql://bot:{secret(7)}@db/principal",
            "PRINCIPAL_DASHBOARD_PASSWORD": secret(8),
            "GITHUB_CLIENT_SECRET": secret(9),
        }
    )
    assert set(given_settings.secret_values()) == {secret(number) for number in range(1, 10)}


@pytest.mark.parametrize("token", [OLD, STATELESS], ids=["old", "stateless"])
def test_s30_both_forms_of_an_installation_token_are_taken_out_whole(token):
    error = Permanent(Code.GITHUB_REFUSED, f"GET https://x-access-token:{token}@github.com/a/b.git")
    header = f"Authorization: token {token}"
    for text in (str(error), header, f"https://api.github.com/?t={token}", f"'{token}'"):
        for shown in (
            secrets.redact(text),
            gate.clean(text),
            gate.plain(text),
            gate.fence(text),
            gate.span(text),
            gate.release(text),
        ):
            assert not any(token[start : start + 8] in shown for start in range(4, len(token) - 8)), shown
