"""Makes the pictures of the front page from a real demo: `python docs/picture.py` (needs the dev requirements and Chromium)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+/pull/\d+")


def main() -> None:
    """Runs the demo on a terminal of its own, so that it stays, and photographs its page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is needed to take the pictures")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    command = ["script", "--quiet", "--command", f"{sys.executable} -m app demo", "/dev/null"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environ, cwd=ROOT)
    try:
        lines = demo.stdout or []
        address = next(found.group(0) for line in lines if (found := ADDRESS.search(line)))
        photograph(address, chromium)
    finally:
        demo.terminate()
        demo.wait(60)


def photograph(address: str, chromium: str) -> None:
    """docs/images/review.png: the review's body; suggestion.png: the comment with a one-click patch."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 1400}, device_scale_factor=1.5)
        page.goto(address)
        pictures = {
            "review": page.locator("article.card[id^=review-]"),
            "suggestion": page.locator("article.thread").filter(has_text="without a limit of its own"),
        }
        for name, box in pictures.items():
            box.first.screenshot(path=str(IMAGES / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main()
