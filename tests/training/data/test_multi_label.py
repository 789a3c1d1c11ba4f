"""Files whose texts have any number of labels: read, split, and as numbers."""

import json
import random
from collections import Counter

import pytest
import torch

from training.data.examples import DataError, Example
from training.data.module import SentimentData
from training.data.readers import ReadingOptions, read_examples
from training.data.splitting import deal, hold_out, write_json_lines
from training.data.stratification import stratify

SEVERAL = ReadingOptions(multi_label=True)


@pytest.fixture
def read(tmp_path):
    def read(name, content, **options):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return [example.labels for example in read_examples(path, ReadingOptions(multi_label=True, **options))]

    return read


def test_labels_stand_in_one_field_with_a_separator_between_them(read):
    content = "text,label\na,billing|urgent\nb, urgent | billing |urgent\nc,\nd,billing\n"
    both = ("billing", "urgent")
    assert read("a.csv", content) == [both, both, (), ("billing",)]
    assert read("b.csv", content.replace("|", ";"), label_separator=";") == [both, both, (), ("billing",)]


def test_labels_are_a_list_in_json_and_none_is_empty_or_missing(read):
    labels = [["urgent", "billing"], [], None, "billing", [1, 2.0], ["billing", ""]]
    lines = "".join(json.dumps({"text": "a", "label": label}) + "\n" for label in labels)
    assert read("a.jsonl", lines) == [("billing", "urgent"), (), (), ("billing",), ("1", "2"), ("billing",)]


def test_a_map_renames_labels_and_leaves_single_ones_out(read):
    content = "text,label\na,1|2\nb,2\n"
    assert read("a.csv", content, label_map={"1": "billing", "2": None}) == [("billing",), ()]


def test_an_unknown_label_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,billing|urgnet\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'line 2: the label "urgnet" was not in the training data'):
        list(read_examples(path, SEVERAL, allowed_labels=["billing", "urgent"]))


def test_a_list_without_the_option_says_which_option(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": ["billing"]}\n', encoding="utf-8")
    with pytest.raises(DataError, match="pass --multi_label"):
        list(read_examples(path))


def test_what_is_written_is_read_as_it_was(tmp_path):
    examples = [Example("a", "x|y", 1, labels=("x", "y")), Example("b", "", 2, labels=())]
    write_json_lines(tmp_path / "a.jsonl", examples)
    assert list(read_examples(tmp_path / "a.jsonl", SEVERAL)) == examples


def test_every_label_has_its_share_in_every_part():
    sets = [
        ["common"] * (row % 2) + ["rare"] * (row % 20 == 0) + ["never alone"] * (row % 10 == 1) for row in range(400)
    ]
    parts = stratify(sets, [0.75, 0.25], seed=3)
    assert Counter(parts) == {0: 300, 1: 100}
    held_out = Counter(label for labels, part in zip(sets, parts, strict=True) if part == 1 for label in labels)
    assert held_out == {"common": 50, "rare": 5, "never alone": 10}
    assert parts == stratify(sets, [0.75, 0.25], seed=3) != stratify(sets, [0.75, 0.25], seed=4)


def labeled(rows):
    return [Example(text, "|".join(labels), line, labels=labels) for line, (text, labels) in enumerate(rows, start=1)]


def test_a_held_out_part_has_all_labels_and_no_text_twice():
    letters = random.Random(0)  # noqa: S311 - no secret
    words = ["".join(letters.choices("abcdefgh", k=6)) for _ in range(500)]
    rows = [(" ".join(letters.choices(words, k=8)), (label,)) for _ in range(40) for label in ("a", "b")]
    examples = labeled([*rows, ("the same text twice here", ("a", "b")), ("the same text twice here", ())])
    train, held_out = hold_out(examples, 0.25, seed=1)
    assert sorted(example.line for example in [*train, *held_out]) == list(range(1, len(examples) + 1))
    assert {label for example in held_out for label in example.label_names} == {"a", "b"}
    assert not {example.text for example in train} & {example.text for example in held_out}
    parts = deal(examples, [1, 1, 1], seed=1)
    assert [len(part) for part in parts] == pytest.approx([27, 27, 27], abs=1)
    assert not {example.text for example in parts[0]} & {example.text for example in parts[1]}


def test_a_label_of_one_text_cannot_be_held_out():
    examples = labeled(
        [("one of a kind of text", ("lonely",)), ("another text with words", ("a",)), ("a third one", ("a",))]
    )
    with pytest.raises(ValueError, match="lonely"):
        hold_out(examples, 0.5, seed=0)


def test_batches_have_sets_of_labels_in_the_order_of_the_logits(tmp_path):
    for name in ("train", "validation"):
        (tmp_path / f"{name}.csv").write_text("text,label\ngood day,b|a\nbad day,\nlong day,b\n", encoding="utf-8")
    data = SentimentData(
        str(tmp_path / "train.csv"),
        str(tmp_path / "validation.csv"),
        multi_label=True,
        cache_folder=str(tmp_path / "c"),
    )
    assert data.labels == ["a", "b"]
    for _ in ("made", "from the cache"):
        data.setup("fit")
        expected = torch.tensor([[True, True], [False, False], [False, True]])
        assert torch.equal(data.training_texts.labels, expected)
        assert torch.equal(data.training_texts[[2, 0]].labels, expected[[2, 0]])
        data = SentimentData(
            str(tmp_path / "train.csv"),
            str(tmp_path / "validation.csv"),
            multi_label=True,
            cache_folder=str(tmp_path / "c"),
        )
