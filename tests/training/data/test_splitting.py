"""Parts that share no text."""

import json
from collections import Counter

import pytest

from training.commands.main import main
from training.data.examples import Example
from training.data.splitting import deal, hold_out


def examples(negative, positive):
    labels = ["negative"] * negative + ["positive"] * positive
    return [Example(f"text {number}", label, number) for number, label in enumerate(labels)]


def test_ten_folds_of_a_thousand_are_a_hundred_each_with_labels_in_proportion():
    folds = deal(examples(700, 300), [1] * 10, seed=0)
    assert [Counter(example.label for example in fold) for fold in folds] == [{"negative": 70, "positive": 30}] * 10


def test_every_text_is_dealt_once():
    dealt = [example for fold in deal(examples(31, 12), [1, 1, 1], seed=5) for example in fold]
    assert sorted(dealt, key=lambda example: example.line) == examples(31, 12)


def test_shares_are_kept():
    parts = deal(examples(600, 400), [0.8, 0.1, 0.1], seed=0)
    assert [len(part) for part in parts] == [800, 100, 100]
    assert Counter(example.label for example in parts[2]) == {"negative": 60, "positive": 40}


def test_the_seed_decides_and_nothing_else():
    assert deal(examples(50, 50), [1, 1], seed=1) == deal(examples(50, 50), [1, 1], seed=1)
    assert deal(examples(50, 50), [1, 1], seed=1) != deal(examples(50, 50), [1, 1], seed=2)


def test_texts_that_repeat_one_another_stay_together():
    texts = ["Good  film.", "good film", "GOOD FILM!"]
    repeated = [Example(text, "positive", line) for line, text in enumerate(texts)]
    for seed in range(20):
        folds = deal([*examples(10, 10), *repeated], [1, 1, 1], seed=seed)
        assert sum(any(example in fold for example in repeated) for fold in folds) == 1


def test_split_writes_parts_that_share_nothing_with_the_test_file(tmp_path, capsys):
    (tmp_path / "all.csv").write_text(
        "text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(100)), encoding="utf-8"
    )
    (tmp_path / "test.csv").write_text('text,label\n"TEXT, 7",1\nanother,0\n', encoding="utf-8")
    main([
        "split", str(tmp_path / "all.csv"), "--to", str(tmp_path / "parts"), "--test", "0",
        "--not_in", str(tmp_path / "test.csv"), "--label_map", '{"0": bad, "1": good}',
    ])  # fmt: skip
    parts = {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (tmp_path / "parts").iterdir()
    }
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 89, "validation": 10}
    assert not any(row["text"] == "text 7" for rows in parts.values() for row in rows)
    assert {row["label"] for row in parts["train"]} == {"bad", "good"}
    assert "too: 1" in capsys.readouterr().err


def test_split_refuses_shares_that_leave_nothing_to_train_on(tmp_path, capsys):
    (tmp_path / "all.csv").write_text("text,label\na,0\nb,1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        main(["split", str(tmp_path / "all.csv"), "--to", str(tmp_path), "--validation", "0.6", "--test", "0.6"])
    assert "leave nothing to train on" in capsys.readouterr().err


def held_out(rows, share=0.2, seed=0):
    texts = [Example(text, label, number) for number, (text, label) in enumerate(rows)]
    return hold_out(texts, share, seed=seed)


WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho".split()  # noqa: SIM905


def numbered(label, count):
    """Texts of which none resembles another."""
    return [
        (f"{WORDS[index % len(WORDS)]} {WORDS[index // len(WORDS)]} {WORDS[(index * 7) % len(WORDS)]}", label)
        for index in range(count)
    ]


def test_every_label_has_its_share_held_out_and_at_least_one():
    rows = [*numbered("common", 100), *((f"rare {word} thing", "rare") for word in WORDS[:3])]
    stay, held = held_out(rows, share=0.15)
    counts = Counter(example.label for example in held)
    assert counts["rare"] == 1
    assert 13 <= counts["common"] <= 17
    assert sorted([*stay, *held], key=lambda example: example.line) == [
        Example(text, label, number) for number, (text, label) in enumerate(rows)
    ]


def test_near_duplicates_stay_on_one_side():
    rows = [(f"the {word} crew lost bag {number} of the {word} team", "late") for word in WORDS for number in range(4)]
    rows += numbered("other", 40)
    for seed in range(5):
        stay, held = held_out(rows, seed=seed)
        sides = [{example.text.split()[1] for example in side if example.label == "late"} for side in (stay, held)]
        assert not sides[0] & sides[1]


def test_a_label_with_one_text_cannot_be_held_out():
    with pytest.raises(ValueError, match=r"^lonely$"):
        held_out([*numbered("common", 10), ("a single one", "lonely"), ("A single one!", "lonely")])
