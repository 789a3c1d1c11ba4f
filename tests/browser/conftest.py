"""A real server over the shipped model, and a headless Chromium."""

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.server import Server, StartServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",  # needed as root in a container; only the project's own page is opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Module scope: while Playwright lives, its event loop counts as running, and no other test could start one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(browser: Browser, start_server: StartServer) -> Iterator[Server]:  # noqa: ARG001 - skips without a browser
    with start_server(threads=1) as server:
        yield server


@pytest.fixture
def page(browser: Browser, site: Server) -> Iterator[Page]:
    """The page, loaded and answered. Complaints in the console and requests to elsewhere fail the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    elsewhere: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(site.url) else elsewhere.append(request.url))
    page.goto(site.url)
    page.locator(".label").first.wait_for()
    yield page
    context.close()
    assert complaints == []
    assert elsewhere == []


@pytest.fixture(scope="module")
def ask(site: Server):
    """The API's own answer, which is what the page should show."""

    def post(path: str, **request: object) -> dict:
        response = httpx.post(f"{site.url}/v1/{path}", json=request)
        assert response.status_code == httpx.codes.OK
        return response.json()

    return post
