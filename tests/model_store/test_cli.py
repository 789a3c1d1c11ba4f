"""``python -m model_store`` for people and for machines."""

import io
import json

import pytest

from model_store import bundle as bundles
from model_store.cli import main


def test_predict_prints_a_row_a_text(tiny_bundle, capsys):
    assert main(["predict", str(tiny_bundle), "--explain", "It was [bold]awful"]) == 0
    printed = capsys.readouterr().out
    assert "[bold]awful" in printed
    assert "What each token adds to each logit" in printed


def test_predict_reads_lines_and_prints_json(tiny_bundle, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("first one\nsecond\n"))
    assert main(["predict", str(tiny_bundle), "--json", "--explain"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["first one", "second"]
    assert [token["text"] for token in rows[0]["tokens"]] == ["first", "one"]
    assert set(rows[0]["tokens"][0]["contributions"]) == {"negative", "neutral", "positive"}


def test_predict_says_of_which_answer_it_is_not_sure(sure_bundle, tiny_bundle, capsys):
    assert main(["predict", str(sure_bundle), "cold soup", "fine"]) == 0
    assert capsys.readouterr().out.count("not sure") == 1
    assert main(["predict", str(sure_bundle), "--json", "cold soup", "fine"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row["confident"] for row in rows) == [False, True]
    assert main(["predict", str(tiny_bundle), "--json", "fine"]) == 0
    assert json.loads(capsys.readouterr().out)["confident"] is None


def test_show_has_the_most_important_and_the_whole_card_on_request(capsys):
    assert main(["show", "default"]) == 0
    printed = capsys.readouterr().out
    figures = {metric.metric: metric.value for metric in bundles.read(bundles.DEFAULT).manifest.metrics}
    assert f"{figures['polar_accuracy']:.2%}" in printed
    assert "MB" in printed
    assert "SHA-256" not in printed
    assert main(["show", "default", "--card"]) == 0
    assert "SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "verify"])
def test_show_and_verify_speak_to_both(tiny_bundle, capsys, command):
    assert main([command, str(tiny_bundle)]) == 0
    assert "tiny" in capsys.readouterr().out
    assert main([command, str(tiny_bundle), "--json"]) == 0
    assert "model.onnx" in json.loads(capsys.readouterr().out)["files"]


def test_what_is_wrong_goes_to_standard_error_with_exit_code_1(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_a_wrong_command_line_exits_with_2(capsys):
    assert main(["predict"]) == 2
    assert "Missing argument" in capsys.readouterr().err
