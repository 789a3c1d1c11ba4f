"""The page shows what the API answers, to eyes, keys and screen readers."""

import base64
import json
import re
import shlex

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

MINUS = "\N{MINUS SIGN}"
FIRST = "The movie was terribly exciting!"
SECOND = "The movie was terribly boring!"
THREE = "🎉 A warm, funny evening. The start was slow, though. I'd go again!"


def write(page, text, box="Your text"):
    """Types a text and waits until its answer is shown."""
    with page.expect_response(lambda response: "/v1/predict" in response.url and response.ok):
        page.get_by_role("textbox", name=box).fill(text)
    expect(page.locator("#answers")).not_to_have_class(re.compile("waiting"))


def compare(page):
    with page.expect_response("**/v1/predict"):
        page.get_by_role("button", name="Compare two wordings").click()
    expect(page.locator("#comparison")).to_be_visible()


def word(page, text, panel=0):
    return page.locator(".panel").nth(panel).get_by_role("button", name=re.compile(f"^{text}: "))


def towards_positive(contributions):
    return contributions["positive"] - contributions["negative"]


def shown(number):
    """As the page writes it: three decimals, a sign, and a true minus."""
    return f"{number:+.3f}".replace("-", MINUS)


def test_the_label_and_every_score_are_the_apis(page, ask):
    (result,) = ask("predict", texts=[FIRST])["results"]
    expect(page.locator(".label")).to_have_text(result["label"])
    for label, score in result["scores"].items():
        expect(page.locator(f".scores [data-label={label}] .number")).to_have_text(f"{score:.1%}")
    assert f"polarity {result['polarity']:+.2f}".replace("-", MINUS) in page.locator(".verdict-detail").inner_text()


SURE_AND_NOT = ("A masterpiece from start to end, I loved it.", "Is it any good?")


def test_an_answer_below_the_models_threshold_is_marked_as_not_sure(page, ask):
    for text in SURE_AND_NOT:
        (result,) = ask("predict", texts=[text])["results"]
        write(page, text)
        expect(page.locator(".verdict-detail")).to_contain_text(f"{result['score']:.1%} sure")
        if result["confident"]:
            expect(page.locator(".unsure")).to_be_hidden()
        else:
            expect(page.locator(".unsure")).to_have_text("not sure")
            expect(page.locator(".unsure")).to_be_visible()
            expect(page.locator(".verdict-detail")).to_contain_text(re.compile(r"^only [\d.]+% sure"))
    assert [result["confident"] for result in ask("predict", texts=list(SURE_AND_NOT))["results"]] == [True, False]


def test_typing_asks_once_it_pauses_and_shows_the_last_text(page, ask):
    asked = []
    page.on("request", lambda request: asked.append(request.post_data_json) if "predict" in request.url else None)
    page.get_by_role("textbox", name="Your text").fill("")
    with page.expect_response("**/v1/predict"):
        page.get_by_role("textbox", name="Your text").press_sequentially("The soup was cold.", delay=15)
    page.wait_for_timeout(500)
    assert asked[-1]["texts"] == ["The soup was cold."]
    assert len(asked) <= 3
    expect(page.locator(".label")).to_have_text(ask("predict", texts=["The soup was cold."])["results"][0]["label"])


def test_an_answer_that_comes_too_late_is_not_shown(page):
    held = []

    def hold_the_first(route):
        if "slow" in route.request.post_data:
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/predict", hold_the_first)
    page.get_by_role("textbox", name="Your text").fill("slow")
    page.wait_for_timeout(400)
    write(page, "quick")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    assert len(held) == 1
    expect(page.locator(".words")).to_have_text("quick")


def test_every_word_says_what_it_adds_and_the_table_adds_up(page, ask):
    (result,) = ask("predict", texts=[FIRST], explain=True)["results"]
    for token in result["tokens"]:
        label = f"{token['text']}: {shown(towards_positive(token['contributions']))}"
        expect(page.locator(".word", has_text=token["text"]).first).to_have_attribute("aria-label", label)
    page.get_by_text("The numbers as a table").click()
    bias = {label["name"]: label["bias"] for label in httpx.get(f"{page.url}v1/model").json()["labels"]}
    logits = [sum(token["contributions"][name] for token in result["tokens"]) + bias[name] for name in bias]
    expect(page.locator("tfoot tr").last).to_have_text("Logit" + "".join(map(shown, logits)))


def test_the_strongest_word_has_the_strongest_colour_on_the_right_side(page):
    write(page, SECOND)
    strengths = page.locator(".word").evaluate_all(
        "all => all.map(one => [one.textContent, Number(one.style.getPropertyValue('--strength')), one.className])"
    )
    text, strength, classes = max(strengths, key=lambda one: one[1])
    assert (text, strength) == ("boring", 0.85)
    assert "against" in classes


def test_sentences_are_listed_as_the_api_splits_them(page, ask):
    expect(page.locator(".by-sentence")).to_be_hidden()  # of one sentence
    write(page, THREE)
    (result,) = ask("predict", texts=[THREE], sentences=True)["results"]
    rows = page.locator(".sentence")
    expect(rows).to_have_count(3)
    for number, sentence in enumerate(result["sentences"]):
        row = rows.nth(number)
        expect(row.locator(".sentence-text")).to_have_text(THREE[sentence["start"] : sentence["end"]])
        sure = f"{'' if sentence['confident'] else 'only '}{sentence['score']:.1%} sure"
        expect(row).to_contain_text(f"{sentence['label'].capitalize()}, {sure}")


def vectors(ask, texts):
    for result in ask("represent", texts=texts, encoding="base64")["results"]:
        (representation,) = result["representations"]
        rows = np.frombuffer(base64.b64decode(representation["data"]), "<f4").reshape(representation["shape"])
        words = [token["text"] for token in result["tokens"]]
        yield from zip(words, rows / np.linalg.norm(rows, axis=1, keepdims=True), strict=True)


def two_digits(number):
    """As the page writes it: with a minus sign, and none before a zero."""
    shown = f"{number:.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", MINUS)


def test_clicking_a_word_lists_the_most_similar_ones_of_both_texts(page, ask):
    compare(page)
    word(page, "terribly").click()
    expect(page.get_by_role("heading", name="Most like “terribly” in context")).to_be_visible()
    known = list(vectors(ask, [FIRST, SECOND]))
    chosen = known[3][1]
    others = sorted(
        ((float(row @ chosen), text) for text, row in known[:3] + known[4:] if text.isalnum()), reverse=True
    )
    rows = page.locator(".similar-list li")
    expect(rows).to_have_count(8)
    for number, (cosine, text) in enumerate(others[:8]):
        expect(rows.nth(number).locator("strong")).to_have_text(text)
        expect(rows.nth(number).locator(".number")).to_have_text(two_digits(cosine))
    word(page, "terribly").click()
    expect(page.locator("#similar")).to_be_hidden()


def test_the_list_of_similar_words_leaves_with_its_text(page):
    word(page, "movie").click()
    expect(page.locator("#similar")).to_be_visible()
    write(page, "Something else.")
    expect(page.locator("#similar")).to_be_hidden()


def test_similar_words_that_come_after_the_text_changed_are_not_shown(page):
    held = []

    def hold(route):
        held.append(route)

    page.route("**/v1/represent", hold)
    word(page, "movie").click()
    write(page, "Something quite different.")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(page.locator("#similar")).to_be_hidden()
    page.unroute("**/v1/represent")
    word(page, "quite").click()
    expect(page.locator(".similar-list li")).to_have_count(2)


def test_a_single_word_has_nothing_to_be_similar_to(page):
    write(page, "fine")
    word(page, "fine").click()
    expect(page.locator("#similar")).to_contain_text("There is no other word on the page.")


def test_two_wordings_stand_side_by_side_with_what_the_same_word_adds(page, ask):
    compare(page)
    here, there = ask("predict", texts=[FIRST, SECOND], explain=True)["results"]
    panels = page.locator(".panel")
    expect(panels).to_have_count(2)
    for panel, result in zip(panels.all(), (here, there), strict=True):
        expect(panel.locator(".label")).to_have_text(result["label"])
    boxes = [panel.bounding_box() for panel in panels.all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    values = [towards_positive(result["tokens"][3]["contributions"]) for result in (here, there)]
    row = page.locator("#comparison-rows tr", has_text="terribly")
    cells = [*values, values[1] - values[0]]
    expect(row).to_have_text("terribly" + "".join(map(shown, cells)))
    expect(page.locator("#comparison-rows tr.alone th")).to_have_text(["exciting", "boring"])
    page.get_by_role("button", name="Leave the comparison").click()
    expect(panels).to_have_count(1)
    expect(page.locator("#comparison")).to_be_hidden()


def test_one_empty_text_of_two_leaves_the_other_its_answer(page):
    compare(page)
    write(page, "", box="Another wording")
    expect(page.locator(".panel").nth(1)).to_contain_text("The text has no tokens")
    expect(page.locator(".panel").nth(0).locator(".label")).to_be_visible()
    expect(page.locator("#comparison")).to_be_hidden()


def test_everything_works_from_the_keyboard(page):
    page.get_by_role("textbox", name="Your text").focus()
    for _ in range(4):  # over the examples
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Compare two wordings")).to_be_focused()
    page.keyboard.press("Tab")
    expect(word(page, "The")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(word(page, "was")).to_be_focused()
    expect(page.get_by_role("tooltip")).to_contain_text("towards positive")
    page.keyboard.press("Enter")
    expect(word(page, "was")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#similar")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#similar")).to_be_hidden()
    page.keyboard.press("End")
    expect(word(page, "!")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_text("The numbers as a table")).to_be_focused()


def test_a_screen_reader_finds_names_for_all_it_can_operate(page):
    compare(page)
    word(page, "movie").click()
    unnamed = page.locator("button, textarea, a, [tabindex]").evaluate_all(
        """all => all.filter(one => one.checkVisibility() && !one.textContent.trim() && !one.labels?.length
                                 && !one.ariaLabel && !one.getAttribute('aria-labelledby')).map(one => one.outerHTML)"""
    )
    assert unnamed == []
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => one.tagName)")
    assert levels.count("H1") == 1
    assert "H3" not in levels
    assert page.locator("[aria-live]").count() >= 2
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_the_curl_asks_for_what_is_on_screen(page):
    write(page, 'It\'s $5 "cheap"\\.')
    command, url, *options = shlex.split(page.locator("#curl").inner_text().replace("\\\n", ""))
    assert command == "curl"
    assert options[:3] == ["-H", "Content-Type: application/json", "-d"]
    response = httpx.post(url, headers={"content-type": "application/json"}, content=options[3])
    assert json.loads(options[3])["texts"] == ['It\'s $5 "cheap"\\.']
    expect(page.locator(".label")).to_have_text(response.json()["results"][0]["label"])


def test_the_model_card_is_on_the_page(page):
    card = httpx.get(f"{page.url}v1/model?evaluation=true").json()
    page.get_by_role("link", name="Model card").click()
    section = page.locator("#model")
    expect(section).to_be_in_viewport()
    for part in (card["name"], card["version"], card["description"], card["sha256"]):
        expect(section).to_contain_text(part)
    page.get_by_text("How good it is").click()
    expect(section.locator("tbody tr")).to_have_count(len(card["metrics"]))


def test_an_empty_box_and_half_an_emoji_are_no_accident(page):
    page.get_by_role("textbox", name="Your text").fill("   ")
    expect(page.get_by_role("status")).to_contain_text("Type a sentence")
    page.evaluate("document.getElementById('text').value = '\\ud83c fine'")
    page.get_by_role("textbox", name="Your text").press("End")
    page.keyboard.type("!")
    expect(page.locator(".words")).to_contain_text("fine!")


def test_the_marks_are_where_the_words_are_among_wide_characters(page):
    write(page, "👩‍👩‍👧 e\u0301té 🎉 fine")
    expect(page.locator(".words")).to_have_text("👩‍👩‍👧 e\u0301té 🎉 fine")
    expect(word(page, "fine")).to_have_text("fine")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background_in_both_schemes(page, scheme):
    page.emulate_media(color_scheme=scheme)
    write(page, SECOND)
    colours = page.evaluate(
        """() => [...document.querySelectorAll('body, .label, .quiet, .word, .sentence, th, button')].map(one => {
            const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
            const backs = [];
            for (let at = one; at; at = at.parentElement) backs.unshift(getComputedStyle(at).backgroundColor);
            const over = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); };
            backs.forEach(over);
            const back = [...canvas.getImageData(0, 0, 1, 1).data];
            over(getComputedStyle(one).color);
            return [one.className || one.tagName, [...canvas.getImageData(0, 0, 1, 1).data], back];
        })"""
    )

    def luminance(colour):  # WCAG 2.2, relative luminance
        parts = [value / 255 for value in colour[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for name, ink, paper in colours:
        low, high = sorted((luminance(ink), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ink, paper)


@pytest.mark.parametrize("width", [320, 375])
def test_a_phone_needs_no_sideways_scrolling(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    compare(page)
    write(page, THREE)
    word(page, "funny").click()
    expect(page.locator("#similar")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_service_that_is_gone_is_said_to_be(page):
    page.route("**/v1/predict", lambda route: route.fulfill(body="no JSON"))
    page.get_by_role("textbox", name="Your text").fill("Anything.")
    expect(page.get_by_role("status")).to_contain_text("The service does not answer.")
    page.unroute("**/v1/predict")
    write(page, "Anything else.")
    expect(page.locator(".label")).to_be_visible()
