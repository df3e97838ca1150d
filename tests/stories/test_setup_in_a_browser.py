"""The whole story in a real browser: `principal serve` with nothing configured, to the first review on the page of its pull."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.sandbox import Sandbox
from tests.fakes.browser import Browser
from tests.stories.bot import ROOT, START_SECONDS, completed, wait_for
from tests.stories.serving import a_repository, unconfigured

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = os.environ.get("PRINCIPAL_PICTURES")
"""A folder for a picture of every page, to be looked at."""
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
    pytest.mark.timeout(300),
]


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """`principal serve` as a person starts it; the address that it prints."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-P", "-m", "app", "serve"]
    process = subprocess.Popen(
        command, env={**environ, **unconfigured(folder)}, cwd="/", stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    finally:
        process.terminate()
        process.stdout.close()
        assert process.wait(START_SECONDS) == 0


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1000, "height": 900}, color_scheme="light")
        context.set_default_timeout(START_SECONDS * 1000)
        yield context.new_page()
        browser.close()


def test_a_person_sets_it_up_in_a_browser_and_sees_the_first_review(tmp_path: Path) -> None:
    with Sandbox() as github, serve(tmp_path / "data") as link, chromium() as page:
        repository, change = a_repository(github)
        asked: list[str] = []
        troubles: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: troubles.append(message.text) if "Security Policy" in message.text else None)
        server = link.partition("/setup")[0]

        def picture(name: str) -> None:
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/setup-{name}.png", full_page=True)

        page.goto(link)
        picture("1-token")
        page.get_by_role("button", name="Begin").click()
        page.get_by_label("Organisation").fill("acme")
        page.get_by_label("Name of the App").fill("x" * 35)
        page.get_by_label("GitHub", exact=False).last.fill(github.url)
        picture("2-form")
        page.get_by_role("button", name="Continue").click()
        assert page.get_by_text("GitHub allows 34 characters").is_visible()
        picture("3-wrong")
        page.get_by_label("Name of the App").fill("acme reviewer")
        page.get_by_role("button", name="Continue").click()
        picture("4-confirm")
        page.get_by_role("button", name=re.compile("Create it at")).click()
        picture("5-github")
        page.get_by_role("button", name=re.compile("Create GitHub App")).click()
        assert page.url.startswith(f"{server}/setup/created")
        picture("6-done")
        page.emulate_media(color_scheme="dark")
        picture("6-done-dark")
        page.emulate_media(color_scheme="light")
        page.get_by_role("link", name="Install acme-reviewer").click()
        page.get_by_role("button", name="Install on acme").click()
        assert page.url.startswith(f"{server}/setup?installation_id=")
        assert page.get_by_role("heading", name="Principal is set up").is_visible()
        picture("7-closed")

        assert page.context.cookies(f"{server}/setup")[0]["httpOnly"]
        assert {url for url in asked if not url.startswith((server, github.url))} == set(), "nothing from elsewhere"
        assert troubles == [], "the policy forbids nothing that the pages need"
        wait_for(lambda: Browser().open(f"{server}/ready").status == 200, why="it is not ready")
        pull = repository.open_pull(files=change, title="Charge an order")
        completed(pull)
        page.goto(pull.url)
        assert page.get_by_text("acme-reviewer").first.is_visible()
        assert page.get_by_text("without a limit").first.is_visible()
        picture("8-review")
