"""A git process: bounded in time and output, its surroundings made from nothing, its complaints fit to be shown."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from app.errors import Code, Permanent, PrincipalError, Transient
from app.git.run import END_SECONDS, MOST_REASON_CHARACTERS, Failed, Git, Ran, environment, sanitised


def run(folder: Path, *arguments: str, **limits: float) -> Ran:
    return asyncio.run(Git(cwd=folder).run(*arguments, **limits))  # type: ignore[arg-type]


def failing(folder: Path, *arguments: str, **limits: float) -> PrincipalError:
    with pytest.raises(PrincipalError) as caught:
        run(folder, *arguments, **limits)
    return caught.value


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands where git would be found; a test writes what it does."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    program.touch(0o755)
    return program


def test_s28_more_output_than_allowed_is_an_error(tmp_path: Path) -> None:
    assert run(tmp_path, "version", most_bytes=1_000).out.startswith(b"git version")
    error = failing(tmp_path, "version", most_bytes=5)
    assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)


def test_a_process_that_will_not_end_is_killed(tmp_path: Path, script: Path) -> None:
    script.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid\nwhile :; do sleep 0.05; done\n")
    error = failing(tmp_path, "log", timeout_seconds=0.3)
    assert (type(error), error.code) == (Transient, Code.GIT_TIMEOUT)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_process_and_its_helpers_are_asked_to_end_first(tmp_path: Path, script: Path) -> None:
    script.write_text(
        "#!/bin/sh\n"
        f"(trap 'echo helper >> {tmp_path}/ended; exit' TERM; echo >> {tmp_path}/ready; while :; do sleep 0.05; done) &\n"
        f"trap 'echo git >> {tmp_path}/ended; wait; exit' TERM\n"
        f"echo >> {tmp_path}/ready; while :; do sleep 0.05; done\n"
    )

    async def story() -> None:
        task = asyncio.create_task(Git(cwd=tmp_path).run("log"))
        deadline = time.monotonic() + 90
        while not (tmp_path / "ready").exists() or len((tmp_path / "ready").read_text()) < 2:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert sorted((tmp_path / "ended").read_text().split()) == ["git", "helper"]
    assert END_SECONDS > 1


def test_a_process_that_reads_nothing_and_complains_much_is_heard(tmp_path: Path, script: Path) -> None:
    script.write_text(
        "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' 'x' >&2\necho >&2\necho fatal: late >&2\nexit 3\n"
    )
    with pytest.raises(Failed) as caught:
        asyncio.run(Git(cwd=tmp_path).run("log", stdin=b"y" * 1_000_000))
    assert caught.value.ran.code == 3
    assert len(caught.value.ran.error) == 64 * 1024
    assert len(caught.value.what) < MOST_REASON_CHARACTERS + 50


def test_a_full_disk_is_said_so(tmp_path: Path, script: Path) -> None:
    script.write_text("#!/bin/sh\necho fatal: write error: No space left on device >&2\nexit 128\n")
    for verb in ("fetch", "log"):
        error = failing(tmp_path, verb)
        assert (type(error), error.code, error.what) == (
            Permanent,
            Code.GIT_FAILED,
            "the disk of the data folder is full",
        )


def test_only_so_many_processes_run_at_once(tmp_path: Path, script: Path) -> None:
    """Each process counts those that are alive when it starts; none sees more than the bound."""
    script.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/alive-$$; ls -d {tmp_path}/alive-* | wc -l; sleep 0.1; rmdir {tmp_path}/alive-$$\n"
    )

    async def story() -> list[Ran]:
        git = Git(cwd=tmp_path)
        return list(await asyncio.gather(*(git.run("log") for _ in range(20))))

    assert 1 <= max(int(ran.out) for ran in asyncio.run(story())) <= 8


def test_certificates_and_proxies_are_passed_on_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*environment(()), *os.environ):
        if name != "PATH":
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("GIT_SSH", "/bin/false")
    bare = environment((("a.b", "c"),))
    assert "secret" not in bare.values()
    assert "GIT_SSH" not in bare
    assert "GIT_SSL_CAINFO" not in bare
    assert (bare["HOME"], bare["GIT_ALLOW_PROTOCOL"], bare["GIT_CONFIG_NOSYSTEM"]) == ("/nonexistent", "none", "1")
    assert (bare["GIT_CONFIG_COUNT"], bare["GIT_CONFIG_KEY_0"], bare["GIT_CONFIG_VALUE_0"]) == ("1", "a.b", "c")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/requests.pem")
    assert environment(())["GIT_SSL_CAINFO"] == "/requests.pem"
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/ca")
    assert environment(())["GIT_SSL_CAINFO"] == "/ca.pem"
    assert environment(())["GIT_SSL_CAPATH"] == "/ca"
    monkeypatch.setenv("GIT_SSL_CAINFO", "/own.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "localhost")
    made = environment(())
    assert (made["GIT_SSL_CAINFO"], made["HTTPS_PROXY"], made["no_proxy"]) == (
        "/own.pem",
        "http://proxy:1",
        "localhost",
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("could not open '/srv/data/7.git/shallow': denied", "could not open '…': denied"),
        ("unable to access 'https://u:p@host.example/a/b.git/': 500", "unable to access '…': 500"),
        ("Authorization: Basic eDp5OnRva2VuX3Rva2Vu seen", "Authorization … eDp5OnRva2VuX3Rva2Vu seen"),
        ("bad token ghs_0123456789abcdef here", "bad token … here"),
        ("patch failed: src/a/b.ts:12", "patch failed: src/a/b.ts:12"),
        ("one\ntwo\tthree", "one two three"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_complaint_is_fit_to_be_shown(text: str, shown: str) -> None:
    if "Basic" in text:
        assert "eDp5" not in sanitised(text)
    else:
        assert sanitised(text) == shown


def test_the_reason_is_gits_first_complaint() -> None:
    assert Ran(1, b"", "warning: w\nerror: patch failed: a.ts:1\nerror: a.ts: no\n").reason == "patch failed: a.ts:1"
    assert Ran(1, b"", "something else\nmore\n").reason == "something else"
    assert Ran(1, b"", "").reason == ""
