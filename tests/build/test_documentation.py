"""README, ARCHITECTURE and docs/ name files, commands and links that exist."""

import re
from pathlib import Path

import pytest

from service.errors import ERRORS
from tests.support.paths import ROOT
from training.commands.main import COMMANDS
from training.data.readers import FORMATS

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")])
ROOMS = "training|model_store|service|tests|benchmarks|deploy|docs"
PATH = re.compile(rf"`((?:{ROOMS})/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_that_a_page_names_exists(page):
    paths = PATH.findall(page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_that_the_code_names_exists():
    sources = [path for folder in ROOMS.split("|")[:-1] for path in (ROOT / folder).rglob("*.py")]
    named = {page for path in sources for page in re.findall(r"docs/[\w/-]+\.md", path.read_text())}
    assert named
    assert sorted(page for page in named if not (ROOT / page).is_file()) == []


def test_the_table_of_files_to_touch_names_files():
    page = (ROOT / "ARCHITECTURE.md").read_text()
    table = page.partition("\n| to add | touch | files | tried |\n")[2].partition("\n\n")[0]
    rows = [row.split("|")[1:4] for row in table.splitlines()[1:]]
    assert len(rows) >= 7
    for task, files, count in rows:
        paths = PATH.findall(files)
        assert len(paths) + files.count("new file") == int(count), task
        assert [path for path in paths if not (ROOT / path).is_file()] == [], task


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file(page):
    links = [link.partition("#")[0] for link in LINK.findall(without_code(page.read_text()))]
    relative = [link for link in links if link and "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_of_prose_is_longer_than_120_characters(page):
    lines = without_code(page.read_text()).splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "!["))] == []


def test_every_command_that_a_page_names_exists():
    text = "".join(page.read_text() for page in PAGES)
    assert set(re.findall(r"python -m training ([a-z][a-z_]+)", text)) == set(COMMANDS)
    benchmarks = set(re.findall(r"python -m benchmarks\.([a-z_]+)", text))
    assert benchmarks
    assert [name for name in benchmarks if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
    configs = set(re.findall(r"training/configs/[\w.-]+\.yaml", text))
    assert configs
    assert [config for config in configs if not (ROOT / config).is_file()] == []


def test_the_reference_lists_every_command():
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    table = page.partition("## python -m training")[2].partition("##")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == set(COMMANDS)


def test_the_reference_lists_every_error_with_its_status():
    page = (ROOT / "docs" / "reference" / "http-api.md").read_text()
    table = page.partition("| status | codes |")[2].partition("\n\n")[0]
    listed = {code: row for row in table.splitlines() for code in re.findall(r"`([a-z_]+)`", row)}
    assert set(listed) == set(ERRORS)
    assert [code for code, row in listed.items() if str(ERRORS[code].status) not in row] == []


def test_the_reference_lists_every_file_format_with_its_extensions():
    page = (ROOT / "docs" / "reference" / "data.md").read_text()
    rows = [row.split("|") for row in page.partition("## Formats")[2].partition("\n\n`auto`")[0].splitlines()]
    listed = {name: row for row in rows if len(row) > 3 for name in re.findall(r"`([a-z]+)`", row[1])}
    assert set(listed) == set(FORMATS)
    for name, file_format in FORMATS.items():
        assert all(f"`{extension}`" in listed[name][3] for extension in file_format.extensions), name
