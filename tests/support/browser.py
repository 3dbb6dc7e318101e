"""Open a page in a real Chromium and collect all that is wrong with it."""

import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
WIDTHS = (360, 768, 1440)
THEMES = ("light", "dark")
_AXE = "axe.run({resultTypes: ['violations']})"


class Found(msgspec.Struct):
    """What a browser found on a page, in all window widths, in light and dark mode."""

    status: int = 0
    text: str = ""
    console: list[str] = []
    elsewhere: list[str] = []
    """Requests to any other server."""
    faults: list[str] = []
    """Accessibility faults that axe reports."""
    overflow: list[str] = []
    """Windows that the page is too wide for."""


def chromium() -> str | None:
    """Return the path of this machine's Chromium, None if it has none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def look(browser: Browser, url: str, name: str, widths: Sequence[int] = WIDTHS) -> Found:
    """Open a page and return what is wrong with it. If SHOTS names a folder, save screenshots there."""
    found = Found()
    origin = "/".join(url.split("/")[:3])

    def console(message: ConsoleMessage) -> None:
        found.console.append(f"{message.type}: {message.text}")

    def request(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:")):
            found.elsewhere.append(request.url)

    page = browser.new_page()
    page.on("console", console)
    page.on("pageerror", lambda error: found.console.append(str(error)))
    page.on("request", request)
    answer = page.goto(url)
    found.status = answer.status if answer else 0
    found.text = page.inner_text("body")
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    for theme, width in itertools.product(THEMES, widths):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        where = f"{name}, {theme}, {width} px"
        found.faults += [f"{where}: {_fault(each)}" for each in page.evaluate(_AXE)["violations"]]
        if (pixels := page.evaluate("document.documentElement.scrollWidth - window.innerWidth")) > 0:
            found.overflow.append(f"{where}: {pixels} px")
        _keep(page, f"{name}-{theme}-{width}.png")
    page.close()
    return found


def _keep(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder, name.replace(" ", "-")), full_page=True)


def _fault(violation: dict[str, Any]) -> str:
    nodes = "; ".join(str(node["html"])[:200] for node in violation["nodes"][:3])
    return f"{violation['id']}: {violation['help']}: {nodes}"
