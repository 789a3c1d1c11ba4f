"""Where the service asks for an API key, so does the page."""

import re

import pytest
from playwright.sync_api import expect

KEY = "a-key-of-the-browser-tests"
OTHER = "schlüssel-für-die-andere-tür"  # of more than ASCII
STORED = "Object.entries(sessionStorage)"


@pytest.fixture(scope="module")
def locked(browser, start_server):  # noqa: ARG001 - skips without a browser
    with start_server(threads=1, api_keys=f"{KEY},{OTHER}") as server:
        yield server


@pytest.fixture
def page(browser, locked):
    """A fresh tab at the page. Unlike elsewhere the console may complain: it names every 401."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(locked.url)
    yield page
    context.close()


def enter(page, key):
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_the_page_asks_for_a_key_and_waits_with_the_cursor_in_the_field(page):
    expect(page.get_by_role("alert")).to_have_text("This service asks for an API key.")
    expect(page.get_by_role("status")).to_contain_text("Enter an API key above")
    expect(page.locator("#model")).to_be_hidden()
    assert page.get_by_label("API key").get_attribute("type") == "password"


def test_a_wrong_key_is_said_to_be_wrong_and_is_not_kept(page):
    enter(page, "not-the-key-at-all")
    expect(page.get_by_role("alert")).to_contain_text("does not know this key")
    expect(page.get_by_label("API key")).to_have_value("")
    assert page.evaluate(STORED) == []


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_the_right_key_opens_the_page_also_after_a_wrong_one(page, key):
    enter(page, "not-the-key-at-all")
    expect(page.get_by_role("alert")).to_contain_text("does not know this key")
    enter(page, f" {key} ")
    expect(page.locator(".label")).to_have_text("positive")
    expect(page.get_by_label("API key")).to_be_hidden()
    expect(page.locator("#model")).to_contain_text("SHA-256")
    page.get_by_role("button", name=re.compile("^movie: ")).click()
    expect(page.locator(".similar-list li").first).to_be_visible()


def test_the_key_is_kept_for_this_tab_only(page, locked):
    enter(page, KEY)
    expect(page.locator(".label")).to_be_visible()
    assert page.evaluate(STORED) == [["sentiment-api-key", KEY]]
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.reload()
    expect(page.locator(".label")).to_be_visible()
    another = page.context.new_page()
    another.goto(locked.url)
    expect(another.get_by_role("alert")).to_have_text("This service asks for an API key.")


def test_the_key_goes_into_a_header_and_nowhere_else(page):
    expect(page.get_by_role("status")).to_contain_text("Enter an API key above")  # all it asked without a key is over
    requests = []
    page.on("request", lambda request: requests.append((request.headers, request.url, request.post_data or "")))
    enter(page, KEY)
    expect(page.locator(".label")).to_be_visible()
    assert {headers.get("authorization") for headers, _, _ in requests} == {f"Bearer {KEY}"}
    assert not any(KEY in url or KEY in body for _, url, body in requests)
    assert KEY not in page.content()
    expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $API_KEY"')


def test_a_key_can_be_forgotten(page):
    enter(page, KEY)
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_role("alert")).to_contain_text("forgotten")
    assert page.evaluate(STORED) == []


def test_the_api_page_asks_too_and_sends_its_examples_with_the_key(page, locked):
    page.goto(f"{locked.url}/docs")
    expect(page.locator("main")).to_have_text("Enter an API key above, and the document appears here.")
    enter(page, KEY)
    box = page.locator(".try").first
    box.get_by_role("button", name="Send").click()
    expect(box.locator("pre")).to_contain_text("200, ")


def test_an_open_service_never_speaks_of_keys(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.url)
    expect(page.locator(".label")).to_be_visible()
    expect(page.get_by_label("API key")).to_be_hidden()
    expect(page.get_by_role("button", name="Forget the key")).to_be_hidden()
    assert "Authorization" not in page.locator("#curl").inner_text()
    context.close()
