"""A model that gives a text any number of labels, from its manifest to tables and files."""

import csv
import json
import math
import shutil

import pytest

from model_store import BundleError, ModelError, SentimentModel, manifest_file, table
from model_store import bundle as bundles
from model_store.cli import main

TEXTS = ["The soup was wonderful.", "cold", "Not bad at all, but the waiter was rude and we left."]


@pytest.fixture(scope="module")
def model(multi_label_bundle):
    return SentimentModel.load(multi_label_bundle)


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def copy(multi_label_bundle, tmp_path):
    folder = shutil.copytree(multi_label_bundle, tmp_path / "copy")
    for name in ("evaluation.json", "README.md"):  # they belong to the manifest as it was
        (folder / name).unlink()
    return folder


def test_a_score_is_a_sigmoid_by_itself_and_labels_are_those_that_reach_their_thresholds(model):
    choices = model.manifest.multi_label
    for answer in model.predict(TEXTS):
        for label, logit in zip(model.manifest.label_names, answer.logits.tolist(), strict=True):
            expected = 1 / (1 + math.exp(-(logit / 1.5 + choices[label].shift)))
            assert answer.scores[label] == pytest.approx(expected, abs=1e-6)
        given = [label for label, score in answer.scores.items() if score >= choices[label].threshold]
        assert list(answer.labels) == given
    assert {len(answer.labels) for answer in model.predict(TEXTS)} != {1}


def test_contributions_and_bias_are_the_logits(model):
    for answer in model.predict(TEXTS, explain=True):
        for index, label in enumerate(model.manifest.labels):
            total = answer.contributions[:, index].sum() + label.bias
            assert total == pytest.approx(answer.logits[index], abs=1e-4)


def test_one_label_and_its_score_are_refused_with_what_to_read_instead(model):
    (answer,) = model.predict(["cold"])
    assert answer.multi_label
    for name in ("label", "score"):
        with pytest.raises(ModelError, match="read labels and scores instead"):
            getattr(answer, name)
    assert (answer.confident, answer.reasons, answer.polarity) == (None, (), None)


def test_a_model_of_one_label_has_it_as_its_only_one(tiny_bundle):
    (answer,) = SentimentModel.load(tiny_bundle).predict(["cold"])
    assert answer.labels == (answer.label,)
    assert answer.score == max(answer.scores.values())


def test_only_the_manifest_of_several_labels_names_their_choices(multi_label_bundle, tiny_bundle):
    written, plain = (
        json.loads((folder / "manifest.json").read_text()) for folder in (multi_label_bundle, tiny_bundle)
    )
    assert written["multi_label"]["negative"] == {"threshold": 0.45, "shift": -0.1}
    assert "multi_label" not in plain


def test_the_manifest_is_of_a_format_that_an_older_reader_refuses(multi_label_bundle, monkeypatch):
    monkeypatch.setattr(manifest_file, "FORMAT_VERSION", 3)
    with pytest.raises(BundleError, match=r"is of format 5 .* reads up to 3: upgrade the project"):
        SentimentModel.load(multi_label_bundle)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format_version": 3}, "a multi-label bundle is of format 4 at least, found 3"),
        ({"multi_label": {"negative": {"threshold": 0.5}}}, "multi_label must name each of the labels"),
        ({"multi_label": {"negative": {"threshold": 1.5}}}, "multi_label.negative.threshold"),
    ],
)
def test_a_manifest_with_wrong_choices_is_refused(copy, changes, reason):
    edit(copy, **changes)
    with pytest.raises(BundleError, match=reason):
        SentimentModel.load(copy)


def test_rewriting_keeps_the_identity(copy):
    before = bundles.read(copy)
    bundles.rewrite(before)
    assert bundles.read(copy).sha256 == before.sha256


def test_a_table_has_the_labels_in_one_cell_and_no_score_of_one_label(model):
    answers = model.predict([*TEXTS, ""], errors="keep")
    rows = table.rows(answers)
    assert list(rows[0]) == [
        *("labels", "score_negative", "score_neutral", "score_positive"),
        *("token_count", "unknown_count", "truncated", "error"),
    ]
    assert [row["labels"] for row in rows[:3]] == ["|".join(answer.labels) for answer in answers[:3]]
    assert rows[3]["labels"] is None
    assert list(table.columns([], model.manifest)) == list(rows[0])


def test_a_file_is_scored_with_a_column_of_labels(model, multi_label_bundle, tmp_path):
    source, to = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "\n".join(f'"{text}"' for text in TEXTS) + "\n")
    assert main(["score", str(source), "--to", str(to), "--model", str(multi_label_bundle), "--workers", "1"]) == 0
    rows = list(csv.DictReader(to.read_text().splitlines()))
    assert [row["predicted_labels"] for row in rows] == ["|".join(answer.labels) for answer in model.predict(TEXTS)]
    assert "predicted_score" not in rows[0]


def test_the_command_line_shows_labels_and_scores(model, multi_label_bundle, capsys):
    (answer,) = model.predict(["cold"])
    assert main(["predict", str(multi_label_bundle), "--explain", "cold"]) == 0
    assert (", ".join(answer.labels) or "none") in capsys.readouterr().out
    assert main(["predict", str(multi_label_bundle), "--json", "--explain", "cold"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["labels"] == list(answer.labels)
    assert line["scores"] == pytest.approx(answer.scores)
    assert "label" not in line
    assert list(line["tokens"][0]["contributions"]) == ["negative", "neutral", "positive"]


def test_the_card_has_a_threshold_for_each_label(multi_label_bundle, capsys):
    card = (multi_label_bundle / "README.md").read_text()
    assert "| negative | 0.4500 | -0.1000 |" in card
    assert "every label whose score reaches the label's threshold" in card
    assert main(["show", str(multi_label_bundle)]) == 0
    assert "perhaps none" in capsys.readouterr().out
