"""Take the pictures of the README from the demo: `uv run --group development python docs/screenshots.py [CHROMIUM]`.

It makes the demo in a folder of its own, serves its page on a free port, and looks at it with the Chromium that is
installed (`apt-get install chromium`) or named.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1000, 1900
LOCATION = "demo-home"


def main() -> None:
    """Make the demo, and take its picture in both themes."""
    chromium = sys.argv[1] if len(sys.argv) > 1 else shutil.which("chromium")
    if not chromium:
        sys.exit("Chromium was not found: install it, or name its path")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-u", "-m", "speedtest.handlers.demo", "--folder", f"{folder}/demo"]
        with subprocess.Popen(command, env={"PAGE_PORT": "0"}, stderr=subprocess.PIPE, text=True) as page:
            try:
                take(address(page), chromium)
            finally:
                page.terminate()


def address(page: subprocess.Popen[str]) -> str:
    """Return where the page says that it is served."""
    for line in page.stderr or ():
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    sys.exit("the page did not say where it is served")


def take(where: str, chromium: str) -> None:
    """Save a picture of each theme."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            view.goto(f"{where}/?range=1y&theme={theme}&location={LOCATION}")
            view.screenshot(path=PICTURES / f"page-{theme}.png")
        browser.close()


if __name__ == "__main__":
    main()
