"""Development on a machine that GitHub cannot reach: a webhook goes into a channel and comes out at the server."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE

import pytest

from app.cli.channel import Ended, delivery, follow, messages, new
from app.core.registration import EVENTS
from app.errors import UserError
from app.sandbox import Sandbox
from tests.sandbox.listener import Listener
from tests.stories.bot import ROOT, SECRET, Bot, completed, environment, wait_for
from tests.stories.serving import a_repository


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox(events=EVENTS) as sandbox:
        yield sandbox


class Follower:
    """`principal channel` on a thread, until the channel ends; `lines` is what it told."""

    def __init__(self, url: str, to: str) -> None:
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._passed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(url, to), daemon=True)
        self._thread.start()
        assert self._ready.wait(90), "it does not listen"

    def wait_for(self, lines: int) -> list[str]:
        with self._passed:
            assert self._passed.wait_for(lambda: len(self.lines) >= lines, 30), self.lines
        return self.lines

    def join(self) -> None:
        self._thread.join(90)
        assert not self._thread.is_alive()

    def _run(self, url: str, to: str) -> None:
        try:
            for line in follow(url, to=to, tell=lambda _: self._ready.set()):
                with self._passed:
                    self.lines.append(line)
                    self._passed.notify_all()
        except Ended:
            pass
        finally:
            self._ready.set()


def test_a_review_comes_by_way_of_a_channel(tmp_path: Path) -> None:
    """The bytes fit their signature still, also with letters beyond ASCII; a server that is down is said; the stream ends."""
    with Sandbox(events=EVENTS) as github:
        repository, change = a_repository(github)
        github.install("acme", announce=False)
        url = f"{github.url}/channels/abc"
        github.webhook(url, secret=SECRET)
        with Bot(environment(github, tmp_path)) as bot:
            follower = Follower(url, f"{bot.url}/webhooks/github")
            pull = repository.open_pull(files=change, title="Überweisung – 支払い \u2028 <b>")
            assert pull.delivery is not None
            assert pull.delivery.status == "OK"
            completed(pull)
            assert "✓ pull_request opened: 202" in follower.wait_for(1)
            assert len(pull.reviews) == 1
        before = len(follower.lines)
        repository.open_pull(files={"b.txt": "x\n"}, title="While the server is down")
        assert "did not answer" in follower.wait_for(before + 1)[-1]
    follower.join()


def test_what_was_changed_on_the_way_does_not_get_in(github: Sandbox, tmp_path: Path) -> None:
    github.create_repository("acme/shop")
    with Listener() as bot:
        github.webhook(bot.url, secret=SECRET)
        github.repository("acme/shop").open_pull(files={"a.txt": "x\n"})
        sent = bot.requests[0]
    told = {**sent.headers, "body": json.loads(sent.body), "query": {}, "timestamp": 1}
    read = delivery(told)
    assert read is not None
    body, headers = read
    assert body == sent.body
    assert headers["x-hub-signature-256"] == sent.headers["x-hub-signature-256"]
    assert "host" not in headers
    told["body"]["number"] = 2
    changed = delivery(told)
    assert changed is not None
    assert changed[0] != sent.body
    assert changed[1] == headers, "it is not signed anew"


def a_channel_that_breaks_off() -> ThreadingHTTPServer:
    """Each time somebody listens: one delivery, numbered, and the stream ends."""
    times = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {"x-github-event": "ping", "body": {"zen": f"delivery {next(times)}"}}
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(f"data: {json.dumps(told)}\n\n".encode())

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def test_a_channel_that_breaks_off_is_listened_to_again_until_somebody_has_enough() -> None:
    with a_channel_that_breaks_off() as channel, Listener() as bot:
        threading.Thread(target=channel.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{channel.server_port}/abc"
        names = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        # Whoever runs the tests in the background has Ctrl-C ignored, and so would this process.
        command = [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-P",
            "-m",
            "app",
            "channel",
            address,
            "--to",
            bot.url,
        ]
        with subprocess.Popen(command, env=names, cwd="/", stdout=PIPE, stderr=PIPE, text=True) as listening:
            wait_for(lambda: len(bot.requests) >= 2, why="it did not listen again")
            listening.send_signal(signal.SIGINT)
            told, complained = listening.communicate(timeout=60)
        channel.shutdown()
    assert [json.loads(one.body)["zen"] for one in bot.requests[:2]] == ["delivery 1", "delivery 2"]
    assert "✓ ping: 200" in told
    assert "The channel closed the stream; trying again in 1 s" in complained
    assert "Traceback" not in complained


def test_only_deliveries_are_taken_from_the_stream() -> None:
    stream = [
        *("event: ready", "data: {}", ""),
        *(": a comment", "id: 1", "data: {", 'data: "body": {}}', ""),
        *("event: ping", 'data: {"body": {}}', ""),
        *("data: no JSON", "", "data: []", "", 'data: {"body": 7}'),
    ]
    assert list(messages(stream)) == [{"body": {}}]
    for told in ({"body": {}}, {"body": 7, "x-github-event": "ping"}, {"body": {}, "x-github-event": 7}):
        assert delivery(told) is None


def test_an_address_that_is_no_channel_is_said(github: Sandbox) -> None:
    with pytest.raises(Ended, match="answered 404"):
        list(follow(f"{github.url}/nowhere/at/all/x", to="http://127.0.0.1:9", tell=print))
    with pytest.raises(Ended, match="does not answer"):
        list(follow("http://127.0.0.1:9/x", to="http://127.0.0.1:9", tell=print))
    with pytest.raises(UserError, match="not the address"):
        list(follow("smee.io/abc", to="http://127.0.0.1:9", tell=print))
    assert new(github.url).startswith(f"{github.url}/channels/")
    with pytest.raises(UserError, match="makes no channels"):
        new(f"{github.url}/acme")
