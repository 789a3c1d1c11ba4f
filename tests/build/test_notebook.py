"""The tutorial that is a notebook runs, and says what it said when it was written."""

import pytest

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "docs" / "tutorials" / "column-of-texts.ipynb"


def printed(cell):
    return "".join(output["data"]["text/plain"] for output in cell.get("outputs", []))


@pytest.mark.slow
def test_the_notebook_runs_and_its_answers_are_those_on_the_page(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    labels, contributions, logits, clusters, _, own = map(printed, code)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    again = [printed(cell) for cell in code]
    assert words(again[0]) == words(labels)
    assert words(again[1]) == words(contributions)
    assert len(again[2].splitlines()) == len(logits.splitlines()) == 4
    assert words(again[3]) == words(clusters)
    assert words(again[5]) == words(own)


def words(table):
    """The table without its numbers, whose last digit depends on the processor."""
    return [word for word in table.split() if not word.strip("+-.").replace(".", "", 1).isdigit()]
