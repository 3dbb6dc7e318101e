"""Every view in a real Chromium: phone, tablet and screen, light and dark, and after a refresh.

A view takes seconds because axe looks at the whole page six times: in three widths, each light and dark.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from browser import ARGUMENTS, THEMES, chromium, look
from pages import HOSTILE, Page, days_until_now, lake, serving, this_slot
from playwright.sync_api import Browser, sync_playwright
from samples import HOME, OFFICE, keep
from views import failed, folders, good

pytestmark = pytest.mark.browser

VIEWS = {
    "24 hours": "/?range=24h",
    "7 days": "/?range=7d",
    "30 days": "/",
    "a year": "/?range=1y",
    "all": "/?range=all",
    "days": f"/?from={this_slot().date() - timedelta(days=2)}&to={this_slot().date()}",
    "office": f"/?location={OFFICE}",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("this machine has no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    rows = [*days_until_now(3), *days_until_now(1, OFFICE, 1)]
    with serving(lake(tmp_path_factory.mktemp("page"), rows), PLAN_DOWNLOAD_MBPS="500", PLAN_UPLOAD_MBPS="200") as page:
        yield page


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_no_fault_on_a_telephone_a_tablet_a_screen_light_or_dark(
    browser: Browser, page: Page, view: str
) -> None:
    found = look(browser, page.address + VIEWS[view], view)
    assert (found.elsewhere, found.faults, found.overflow) == ([], [], [])
    assert (found.status, found.console) == (200, [])
    assert "Throughput over time" in found.text


def test_a_mistake_is_told_without_a_fault(browser: Browser, page: Page) -> None:
    found = look(browser, f"{page.address}/?range=never", "mistake")
    assert (found.elsewhere, found.faults, found.overflow) == ([], [], [])
    assert "range=never must be one of" in found.text


@pytest.mark.parametrize("theme", THEMES)
def test_the_theme_that_is_chosen_wins_over_that_of_the_system(browser: Browser, page: Page, theme: str) -> None:
    tab = browser.new_page(color_scheme="dark" if theme == "light" else "light")
    colours: list[str] = []
    for chosen in (theme, "auto"):
        tab.goto(f"{page.address}/?range=24h&theme={chosen}")
        colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    tab.close()
    assert colours[0] != colours[1]
    found = look(browser, f"{page.address}/?range=24h&theme={theme}", f"chosen {theme}", [768])
    assert (found.faults, found.console) == ([], [])


def test_hostile_rows_are_shown_and_do_nothing(browser: Browser, tmp_path: Path) -> None:
    row = good(this_slot())
    row.engine = HOSTILE
    row.raw |= {"server_name": HOSTILE + "x" * 10_000, "server_id": "=cmd()"}
    rows = [row, failed(this_slot() - timedelta(minutes=10), words=HOSTILE)]
    with serving(folders(tmp_path, rows)) as page:
        found = look(browser, f"{page.address}/", "hostile")
    assert (found.elsewhere, found.faults, found.overflow, found.console) == ([], [], [], [])
    assert '<script>alert("1")</script>' in found.text


def test_a_line_that_is_down_and_one_without_rows_have_no_fault(browser: Browser, tmp_path: Path) -> None:
    where = folders(tmp_path, [])
    with serving(where) as page:
        nothing = look(browser, f"{page.address}/", "nothing", [360])
        keep([failed(this_slot())], where.result_dir)
        down = look(browser, f"{page.address}/", "down", [360])
    for found in (nothing, down):
        assert (found.elsewhere, found.faults, found.overflow, found.console) == ([], [], [], [])
    assert "Down" in down.text


def test_who_reads_further_down_stays_there_when_the_page_comes_again(browser: Browser, page: Page) -> None:
    tab = browser.new_page(viewport={"width": 768, "height": 900})
    tab.goto(f"{page.address}/?range=7d")
    tab.evaluate("window.scrollTo(0, 1500)")
    tab.reload()
    assert tab.evaluate("window.scrollY") == 1500
    tab.close()


def test_the_form_leads_to_what_was_chosen_by_keyboard_alone(browser: Browser, page: Page) -> None:
    tab = browser.new_page(viewport={"width": 768, "height": 900})
    tab.goto(f"{page.address}/")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the current state"
    tab.focus("summary")
    tab.keyboard.press("Enter")
    tab.select_option("#location", OFFICE)
    tab.select_option("#theme", "dark")
    tab.focus("button")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**location=office**")
    assert tab.inner_text("h1") == OFFICE
    assert tab.get_attribute("html", "data-theme") == "dark"
    assert tab.get_by_role("navigation").get_by_role("link", name="7 days").get_attribute("href") == (
        "?range=7d&location=office&theme=dark"
    )
    tab.close()


def test_the_median_on_the_page_is_that_of_the_api(browser: Browser, page: Page) -> None:
    median = page.get(f"/api/summary?since=7d&location={HOME}").json()["engines"][0]["download"]["median"]
    tab = browser.new_page()
    tab.goto(f"{page.address}/?range=7d")
    assert f"{median:,.0f} Mbit/s down" in tab.inner_text("main")
    tab.close()
