"""``python -m model_store`` for people and for machines."""

import io
import json
import shlex
import shutil
import subprocess
import sys

import pytest

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.cli import main
from tests.model_store.older_bundles import older_bundle


def standard_input(content):
    return io.TextIOWrapper(io.BytesIO(content))


def test_predict_prints_a_row_a_text(tiny_bundle, capsys):
    assert main(["predict", str(tiny_bundle), "--explain", "It was [bold]awful"]) == 0
    printed = capsys.readouterr().out
    assert "[bold]awful" in printed
    assert "What each token adds to each logit" in printed


@pytest.mark.parametrize("name", ["final [v2]", "[/v2]", ":x: v2"])
def test_show_names_the_folder_as_a_shell_takes_it(tiny_bundle, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv("COLUMNS", "500")
    folder = tmp_path / name
    shutil.copytree(tiny_bundle, folder)
    assert main(["show", str(folder)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Everything else"))
    assert shlex.split(line)[-2:] == [str(folder), "--card"]


def test_predict_reads_lines_and_prints_json(tiny_bundle, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", standard_input(b"first one\nsecond\n"))
    assert main(["predict", str(tiny_bundle), "--json", "--explain"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["first one", "second"]
    assert [token["text"] for token in rows[0]["tokens"]] == ["first", "one"]
    assert set(rows[0]["tokens"][0]["contributions"]) == {"negative", "neutral", "positive"}


def test_a_line_that_cannot_be_answered_is_an_error_in_its_place(tiny_bundle, capsys, monkeypatch):
    lines = b"\xef\xbb\xbffine\r\n\nbad \xff byte\ncold soup"
    monkeypatch.setattr("sys.stdin", standard_input(lines))
    assert main(["predict", str(tiny_bundle), "--json"]) == 0
    first, blank, unreadable, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["text"], last["text"]) == ("fine", "cold soup")
    assert (blank["line"], blank["text"], blank["error"]["code"]) == (2, "", "empty_text")
    assert (unreadable["line"], unreadable["text"], unreadable["error"]["code"]) == (3, None, "invalid_text")
    assert unreadable["error"]["message"] == "the line is not valid UTF-8 at byte 5"
    monkeypatch.setattr("sys.stdin", standard_input(lines))
    assert main(["predict", str(tiny_bundle), "--explain"]) == 0
    printed = capsys.readouterr().out
    assert "line 2: the text has no tokens" in printed
    assert printed.count("What each token adds to each logit") == 2


def test_each_line_is_answered_before_the_next_is_sent(tiny_bundle):
    command = [sys.executable, "-m", "model_store", "predict", str(tiny_bundle), "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:  # noqa: S603 - this Python
        for text in ("fine", "cold soup"):
            program.stdin.write(f"{text}\n".encode())
            program.stdin.flush()
            assert json.loads(program.stdout.readline())["text"] == text
        program.stdin.close()
        assert program.wait(timeout=60) == 0


def test_predict_says_of_which_answer_it_is_not_sure(sure_bundle, tiny_bundle, capsys):
    assert main(["predict", str(sure_bundle), "cold soup", "fine"]) == 0
    assert capsys.readouterr().out.count("not sure") == 1
    assert main(["predict", str(sure_bundle), "--json", "cold soup", "fine"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((row["confident"], row["reasons"]) for row in rows) == [(False, ["low_score"]), (True, [])]
    assert main(["predict", str(tiny_bundle), "--json", "fine"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["confident"], answer["reasons"]) == (None, [])


def test_show_has_the_most_important_and_the_whole_card_on_request(capsys):
    assert main(["show", "default"]) == 0
    printed = capsys.readouterr().out
    figures = {metric.metric: metric.value for metric in bundles.read(bundles.DEFAULT).evaluation.metrics}
    assert f"{figures['polar_accuracy']:.2%}" in printed
    assert "MB" in printed
    assert "SHA-256" not in printed
    assert main(["show", "default", "--card"]) == 0
    assert "SHA-256" in capsys.readouterr().out


def test_show_prints_identity_and_evaluation_as_json(capsys):
    assert main(["show", "default", "--json"]) == 0
    printed, shipped = json.loads(capsys.readouterr().out), bundles.read(bundles.DEFAULT)
    evaluation = printed.pop("evaluation")
    assert printed == json.loads((bundles.DEFAULT / "manifest.json").read_text())
    assert len(evaluation["metrics"]) == len(shipped.evaluation.metrics) > 0


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


def test_upgrade_rewrites_an_older_bundle_and_leaves_the_model_alone(tmp_path, capsys):
    folder = older_bundle(tmp_path)
    before = bundles.read(folder)
    answers = SentimentModel(before).predict(["not bad at all"])
    assert main(["upgrade", str(folder), "--max_unknown_share", "0.25"]) == 0
    after = bundles.read(folder)
    assert after.sha256 in capsys.readouterr().out
    assert (after.graph, after.tokenizer) == (before.graph, before.tokenizer)
    assert after.evaluation == before.evaluation
    assert after.manifest.calibration.max_unknown_share == 0.25
    assert after.manifest.format_version == 3
    assert set(after.manifest.files) == {"model.onnx", "tokenizer.json"}
    assert SentimentModel(after).predict(["not bad at all"])[0].scores == answers[0].scores
    assert main(["upgrade", str(folder)]) == 0
    assert bundles.read(folder).sha256 == after.sha256  # a bundle of the current format keeps its hash


def test_upgrade_refuses_a_share_above_1(tiny_bundle, capsys):
    assert main(["upgrade", str(tiny_bundle), "--max_unknown_share", "30"]) == 2
    assert "0<=x<=1" in capsys.readouterr().err


def test_a_file_is_scored_and_what_was_written_is_named(tiny_bundle, tmp_path, capsys):
    source, to = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('body\nfine\n""\n')
    arguments = ["score", str(source), "--to", str(to), "--text_column", "body", "--model", str(tiny_bundle)]
    assert main([*arguments, "--workers", "1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Wrote {to}: 1 row in ")
    assert second == f"Without an answer: 1 row; lines and reasons are in {to}.bad.jsonl."


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--model", "nowhere"], 1, "nowhere"),
        (["--layer", "9"], 1, "layer 9 does not exist"),
        (["--text_column", "text"], 1, 'it has no column "text"'),
        (["--encoding", "klingon"], 2, "'klingon' is not an encoding"),
    ],
)
def test_what_is_wrong_with_a_scoring_job_is_told_before_it_starts(options, code, message, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("body\nfine\n")
    to = tmp_path / "out.csv"
    assert main(["score", str(tmp_path / "in.csv"), "--to", str(to), "--text_column", "body", *options]) == code
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_several_files_are_scored_to_an_output_each(tiny_bundle, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("text\nfine\n")
    (tmp_path / "b.txt").write_text("cold\n\nsoup\n")
    inputs = [str(tmp_path / "a.csv"), str(tmp_path / "b.txt")]
    to = f"{tmp_path}/scored/{{name}}.jsonl"
    assert main(["score", *inputs, "--to", to, "--model", str(tiny_bundle), "--workers", "1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Wrote 2 files: 3 rows in ")
    assert second.endswith(f"1 row; lines and reasons are in {tmp_path}/scored/b.jsonl.bad.jsonl.")
    texts = [json.loads(line)["text"] for line in (tmp_path / "scored" / "b.jsonl").read_text().splitlines()]
    assert texts == ["cold", "soup"]
    assert (tmp_path / "scored" / "a.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("to", ["out.csv", "{name}.csv"])
def test_two_files_are_never_written_to_one_output(to, tmp_path, capsys):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "in.csv").write_text("text\nfine\n")
    inputs = [str(tmp_path / folder / "in.csv") for folder in ("x", "y")]
    assert main(["score", *inputs, "--to", str(tmp_path / to)]) == 1
    assert f"{inputs[0]} and {inputs[1]} would both be written to" in capsys.readouterr().err


def test_a_ray_cluster_without_ray_is_answered_with_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "model_store.scoring.ray_cluster", raising=False)
    (tmp_path / "in.csv").write_text("text\nfine\n")
    assert main(["score", str(tmp_path / "in.csv"), "--to", str(tmp_path / "out.csv"), "--ray"]) == 1
    assert "--ray needs Ray: pip install 'sentiment-encoder[ray]'" in capsys.readouterr().err
