"""Whether everybody can read the dashboard: axe-core on every page, in light and dark, wide and narrow; and screenshots of them.

    npm install --prefix TOOLS axe-core
    python -m benchmarks.dashboard --reviews 3000 --keep FOLDER
    python -m benchmarks.dashboard.look --keep FOLDER --axe TOOLS [--shots FOLDER]

Ends with 1 when axe-core finds anything serious, or when a page asks anybody else for anything. Chromium is the system's.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, sync_playwright
from rich.console import Console

from benchmarks.dashboard.__main__ import PASSWORD, environment, pages_of
from benchmarks.load.bot import Bot

SCHEMES = ("light", "dark")
WIDTHS = {"wide": 1240, "narrow": 390}
SERIOUS = ("serious", "critical")


def main() -> None:
    """Look at every page, print what is wrong with it."""
    wanted = argparse.ArgumentParser(prog="benchmarks.dashboard.look", description=__doc__)
    wanted.add_argument("--keep", type=Path, required=True)
    wanted.add_argument("--axe", type=Path, required=True)
    wanted.add_argument("--shots", type=Path)
    wanted.add_argument("--only", nargs="*", metavar="PAGE", help="these pages alone, by their names")
    asked = wanted.parse_args()
    source = next(asked.axe.glob("**/axe.min.js")).read_text()
    folder = asked.keep.absolute()
    address = f"sqlite:///{folder / 'principal.db'}"
    pages = pages_of(address) | {"login": "/login", "not found": "/reviews/none"}
    pages = {name: path for name, path in pages.items() if not asked.only or name in asked.only}
    found: list[str] = []
    with Bot(environment(folder, address), folder) as bot, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in SCHEMES:
            for name, width in WIDTHS.items():
                found += _looked(browser, bot.url, pages, source, scheme=scheme, width=(name, width), shots=asked.shots)
        browser.close()
    console = Console()
    for line in found:
        console.print(line, markup=False)
    console.print(f"{len(pages)} pages, {len(SCHEMES)} schemes, {len(WIDTHS)} widths: {len(found)} serious findings")
    sys.exit(bool(found))


def _looked(
    browser: Browser,
    url: str,
    pages: dict[str, str],
    source: str,
    *,
    scheme: Any,
    width: tuple[str, int],
    shots: Path | None,
) -> list[str]:
    found: list[str] = []
    name_of_width, pixels = width
    context = browser.new_context(color_scheme=scheme, viewport={"width": pixels, "height": 900})

    def heard(request: Request) -> None:
        if not request.url.startswith(url):
            found.append(f"{request.url} was asked for by {request.frame.url}")

    context.on("request", heard)
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    for name, path in pages.items():
        page.goto(url + path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found += [f"{name} ({scheme}, {name_of_width}): {one}" for one in _axe(page, source)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name} ({scheme}, {name_of_width}): it must be scrolled sideways")
        if shots is not None:
            page.goto(url + path)
            page.screenshot(
                path=shots / f"{re.sub(r'[^a-z0-9]+', '-', name)}-{scheme}-{name_of_width}.png", full_page=True
            )
    context.close()
    return found


def _axe(page: Page, source: str) -> list[str]:
    page.evaluate(source)
    told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']} ({', '.join(str(node['target'][0]) for node in one['nodes'][:3])})"
        for one in told["violations"]
        if one["impact"] in SERIOUS
    ]


if __name__ == "__main__":
    main()
