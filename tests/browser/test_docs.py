"""The API page shows the OpenAPI document, and every example can be sent from it."""

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


def test_every_link_inside_the_page_leads_somewhere(page, site):
    page.goto(f"{site.url}/docs")
    page.locator(".call").first.wait_for()
    targets = page.locator("a[href^='#']").evaluate_all("all => all.map(one => one.getAttribute('href').slice(1))")
    missing = page.evaluate("ids => ids.filter(id => !document.getElementById(id))", targets)
    assert targets
    assert missing == []
