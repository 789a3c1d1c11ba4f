"""The API page shows the OpenAPI document, and every example can be sent from it."""

import re

from playwright.sync_api import expect


def test_every_example_is_answered_from_the_page(page, site):
    page.goto(f"{site.url}/docs")
    calls = page.locator(".call")
    calls.first.wait_for()
    document = page.request.get(f"{site.url}/openapi.json").json()
    assert calls.count() == sum(len(methods) for methods in document["paths"].values())
    for box in page.locator(".try").all():
        for example in box.locator(".examples button:not(.send)").all():
            example.click()
            with page.expect_response("**/v*/**"):
                box.get_by_role("button", name="Send").click()
            expect(box.locator("pre")).to_contain_text("200, ")


def test_every_call_can_be_tried_and_is_answered_as_elsewhere(page, site):
    page.goto(f"{site.url}/docs")
    calls = page.locator(".call")
    calls.first.wait_for()
    for call in calls.all():
        call.get_by_role("button", name="Send").click()
        expect(call.locator(".try pre")).to_contain_text("200, ")
    model = calls.filter(has=page.locator("h2 code", has_text=re.compile("^/v1/model$")))
    expect(model.locator(".try pre")).to_contain_text('"sha256"')
    expect(model.locator(".try pre")).not_to_contain_text('"known_failures"')


def test_a_parameter_of_the_address_can_be_chosen(page, site):
    page.goto(f"{site.url}/docs")
    bulk = page.locator(".call").filter(has=page.locator("h2 code", has_text=re.compile("^/v1/bulk$")))
    bulk.locator("select[name=explain]").select_option("true")
    with page.expect_response("**/v1/bulk?explain=true") as answer:
        bulk.get_by_role("button", name="Send").click()
    assert answer.value.status == 200
    expect(bulk.locator(".try pre")).to_contain_text('"contributions"')


def test_every_link_inside_the_page_leads_somewhere(page, site):
    page.goto(f"{site.url}/docs")
    page.locator(".call").first.wait_for()
    targets = page.locator("a[href^='#']").evaluate_all("all => all.map(one => one.getAttribute('href').slice(1))")
    missing = page.evaluate("ids => ids.filter(id => !document.getElementById(id))", targets)
    assert targets
    assert missing == []
