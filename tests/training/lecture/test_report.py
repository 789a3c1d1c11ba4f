"""Every section renders, and the page stands alone."""

import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from training.lecture import report
from training.lecture.experiments import EXPERIMENTS
from training.lecture.formatting import percent, short, spread
from training.lecture.plots import standalone

LOADING = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}


class Loads(HTMLParser):
    """Collects what a page asks a browser to fetch, and the ids it defines."""

    def __init__(self):
        super().__init__()
        self.asked, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.asked += [value for name, value in attributes if name in LOADING]


@pytest.fixture(scope="module")
def whole(findings, settings):
    return report.DiagnosisReport(
        list(findings.values()), settings, command="python -m training diagnose <&>", wall_seconds=3.0
    )


@pytest.fixture(scope="module")
def page(whole):
    return report.as_html(whole)


def test_every_experiment_is_tried_here(findings):
    assert list(findings) == list(EXPERIMENTS)


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_every_section_has_claim_setting_plot_numbers_checks_and_meaning(findings, page, name):
    finding = findings[name]
    assert finding.claim.name == name
    assert finding.claim.source
    assert finding.setting
    assert finding.plots
    assert finding.tables
    assert finding.numbers
    assert finding.checks
    assert finding.meaning.endswith(".")
    section = page.split(f'<section id="{name}">')[1].split("</section>")[0]
    assert section.count("<svg") == len(finding.plots)
    assert f">{finding.verdict}</span>" in section
    assert f'href="#{name}"' in page
    assert all(len(row) == len(table.header) for table in finding.tables for row in table.rows)


def test_the_page_loads_nothing(page):
    loads = Loads()
    loads.feed(page)
    assert loads.asked
    assert [value for value in loads.asked if not value.startswith(("#", "data:image/png;base64,"))] == []
    assert not {"script", "link", "iframe", "object", "embed", "img"} & set(loads.tags)
    assert re.findall(r"url\((?!#)[^)]*\)|@import", page) == []


def test_ids_in_the_page_are_each_defined_once_or_alike(page):
    # Plots share markers and clip paths by id only where the content, of which the id is a hash, is the same.
    referred = set(re.findall(r'(?:href="#|url\(#)([\w-]+)', page))
    defined = set(re.findall(r'id="([\w-]+)"', page))
    assert referred <= defined


def test_the_command_is_shown_as_typed(page):
    assert "diagnose &lt;&amp;&gt;" in page


def test_plots_follow_the_pages_colors(page):
    assert "#0072b2" not in page.split("</style>", 1)[1]
    assert "prefers-color-scheme: dark" in page


def test_numbers_are_plain_json(whole):
    numbers = json.loads(json.dumps(report.as_json(whole), allow_nan=False))
    assert [claim["name"] for claim in numbers["claims"]] == list(EXPERIMENTS)
    assert numbers["settings"]["seeds"] == [0, 1]
    assert all(claim["numbers"] and claim["checks"] and claim["setting"] for claim in numbers["claims"])


def test_every_plot_is_a_file_of_its_own_too(whole, tmp_path):
    page = report.write(whole, tmp_path / "new" / "folder")
    names = [plot.name for finding in whole.findings for plot in finding.plots]
    assert len(names) == len(set(names))
    assert {path.stem for path in (page.parent / "plots").iterdir()} == set(names)
    assert {path.name for path in page.parent.iterdir()} == {"report.html", "report.json", "plots"}


def test_plots_are_well_formed_and_say_what_they_show(findings):
    for finding in findings.values():
        for plot in finding.plots:
            drawing = ET.fromstring(standalone(plot))  # noqa: S314 - our own drawing
            assert drawing.attrib["aria-label"] == plot.caption
            assert "var(--plot-ink)" in plot.svg
            assert len(plot.svg) < 150_000


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.123456, "0.123"),
        (45.678, "45.7"),
        (12, "12"),
        (0.0, "0"),
        (7.89e-12, "7.9·10⁻¹²"),
        (math.inf, "infinite"),
    ],
)
def test_numbers_are_written_with_the_digits_that_count(value, written):
    assert short(value) == written


@pytest.mark.parametrize(("value", "written"), [(0.5, "50.0%"), (0.00042, "0.042%"), (2e-9, "2·10⁻⁹"), (0.0, "0.0%")])
def test_shares_are_written_at_any_size(value, written):
    assert percent(value) == written


def test_a_spread_is_the_mean_and_the_range():
    assert spread([0.5, 0.7], share=True) == "60.0% (50.0% to 70.0%)"
    assert spread([2.0, 2.0]) == "2"
