"""The pages in a real browser, also 360 pixels wide: their parts, no console error, no request to other sites.

The marketplace is a real server; its content is made by tools/showcase.py, which runs real checks.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chimes.processes import run
from market_factories import Server, serve
from playwright.sync_api import Browser, BrowserContext, HttpCredentials, Page, sync_playwright

SHOWCASE = Path(__file__).resolve().parents[3] / "tools" / "showcase.py"
FILL_S = 600
PARTS = {
    "front": ["hero", "search", "counts", "newest", "road", "install", "publish"],
    "list": ["search", "tabs", "found", "items"],
    "plugin": ["name", "report-link", "install", "components", "readme", "files", "facts", "versions"],
    "passed": ["name", "verdict", "next", "findings", "matrix", "timeline", "runs", "repeat"],
    "report": ["name", "verdict", "next", "findings", "matrix", "timeline", "runs", "repeat"],
    "refused": ["refusal"],
}
EVERYWHERE = ["header", "main", "footer", "language"]


@dataclass(frozen=True)
class Site:
    """The server, and the addresses of its pages."""

    server: Server
    paths: dict[str, str]

    def address(self, page: str) -> str:
        """The address of a page by its name in PARTS."""
        return f"{self.server.url}/{self.paths.get(page, 'plugins/nothing/')}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    filled = run([sys.executable, str(SHOWCASE), str(folder / "data")], timeout_s=FILL_S)
    assert filled.returncode == 0, filled.text
    with serve(folder) as server:
        yield Site(server, json.loads(filled.stdout))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable is not None, "the Debian package chromium is missing: tools/provision installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Watched:
    """A page, its console errors and its requests."""

    page: Page
    errors: list[str]
    requests: list[str]


def open_page(context: BrowserContext, address: str) -> Watched:
    page = context.new_page()
    watched = Watched(page, [], [])
    page.on("console", lambda message: watched.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("request", lambda request: watched.requests.append(request.url))
    page.goto(address, wait_until="networkidle")
    return watched


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("page", list(PARTS))
def test_a_page_has_its_parts_fits_and_loads_nothing_from_other_sites(
    site: Site, browser: Browser, page: str, language: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=language)
    watched = open_page(context, site.address(page))
    for summary in watched.page.locator("details > summary").all():
        summary.click()
    missing = [name for name in EVERYWHERE + PARTS[page] if watched.page.locator(f"#{name}").count() != 1]
    assert missing == []
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.page.evaluate("document.documentElement.lang") == language
    expected = ["404"] if page == "refused" else []
    assert [text for text in watched.errors if not any(status in text for status in expected)] == []
    host = urlsplit(site.server.url).netloc
    assert {urlsplit(url).netloc for url in watched.requests} == {host}
    context.close()


def test_a_reader_searches_opens_a_plugin_and_reads_its_report(site: Site, browser: Browser) -> None:
    context = browser.new_context(locale="en")
    page = open_page(context, site.address("front")).page
    page.get_by_role("searchbox").fill("processes on this machine")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="chimes-local").click()
    assert "chimes-local==0.1.0" in page.locator("#install").inner_text()
    page.get_by_role("link", name="Validation report").click()
    assert page.locator("#verdict").inner_text().startswith("✓")
    assert page.locator("#matrix .cell.pass").count() > 10
    page.get_by_role("link", name="中文").click()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    context.close()


def test_the_member_can_read_the_report_of_a_rejected_release_with_a_token(site: Site, browser: Browser) -> None:
    credentials = HttpCredentials(username="__token__", password=site.paths["token"])
    context = browser.new_context(locale="en", http_credentials=credentials)
    page = open_page(context, f"{site.server.url}/{site.paths['private']}").page
    codes = page.locator("#findings .code").all_inner_texts()
    assert {"A04", "A07", "A09", "A11"} <= set(codes)
    assert page.locator("#findings .fix").count() == page.locator("#findings .finding").count()
    context.close()


def test_dark_colours_are_used_where_the_reader_wants_them(site: Site, browser: Browser) -> None:
    shades = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = open_page(context, site.address("front")).page
        shades.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert shades == ["rgb(247, 246, 242)", "rgb(18, 23, 22)"]


def test_the_keyboard_reaches_the_content(site: Site, browser: Browser) -> None:
    context = browser.new_context(locale="en")
    page = open_page(context, site.address("front")).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    context.close()
