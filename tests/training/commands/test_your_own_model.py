"""The tutorial "Your own model", run on a small cut of it: the repository's sentences as a messy CSV file."""

import csv
import json
import re
import shlex

import pytest

from model_store import SentimentModel
from tests.support.paths import ROOT, SAMPLE
from training.commands.main import main

PAGE = (ROOT / "docs" / "tutorials" / "your-own-model.md").read_text(encoding="utf-8")
COMMANDS = [
    command.replace("\\\n", " ").strip()
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for command in re.split(r"(?<!\\)\n", block)
    if command.strip()
]


def test_it_has_six_commands_at_most():
    assert 4 <= len(COMMANDS) <= 6


@pytest.mark.slow
def test_its_commands_make_a_model_and_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (SAMPLE / "train.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[:180]
    with open("tweets.csv", "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123 - beside the commands' paths
        writer = csv.writer(stream)
        writer.writerow(["tweet_id", "label", "confidence", "text"])
        for number, row in enumerate([*rows, *rows[:5]]):
            writer.writerow([number, row["label"], "", f"@airline &amp; crew:\n{row['text']}"])
    training = [shlex.split(command) for command in COMMANDS if "-m training" in command]
    assert [words[3] for words in training] == ["inspect", "split", "adapt"]
    for words in training:
        assert words[:3] == [".venv/bin/python", "-m", "training"]
        main(words[3:])
    model = SentimentModel.load("airline")
    assert model.manifest.label_names == ("negative", "neutral", "positive")
    report = json.loads((tmp_path / "runs" / "airline" / "report.json").read_text())
    assert report["measured_on"] == "test"
    majority, _, before, after = (system["figures"]["macro_f1"]["value"] for system in report["systems"])
    assert min(before, after) > majority
    assert "runs/airline/report.html" in PAGE
    assert (tmp_path / "runs" / "airline" / "report.html").is_file()
