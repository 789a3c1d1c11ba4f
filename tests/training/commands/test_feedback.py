"""From feedback to a labeled file."""

import pytest

from model_store.feedback import Feedback, FeedbackStore
from training.commands.main import main
from training.data.readers import read_examples


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / "feedback.db", max_bytes=10**6)


def run(tmp_path, *options):
    main(["feedback", str(tmp_path / "feedback.db"), "--to", str(tmp_path / "out.jsonl"), *options])


def test_the_texts_with_their_last_labels_can_be_learned_from(store, tmp_path, capsys):
    texts = ["The soup was cold.", "Très 🎉\nbien", None]
    store.append([Feedback(f"r{n}", 0, "m:1", ("negative",), text) for n, text in enumerate(texts)])
    store.append([Feedback("r1", 0, "m:1", ("positive",), texts[1])])
    run(tmp_path)
    examples = list(read_examples(tmp_path / "out.jsonl"))
    assert [(example.text, example.label) for example in examples] == [
        (texts[0], "negative"),
        (texts[1], "positive"),
    ]
    said = " ".join(capsys.readouterr().out.split())
    assert "2 labeled texts" in said
    assert "1 entries have no text" in said


def test_what_cannot_be_done_is_one_message(store, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert "the service keeps texts if SENTIMENT_FEEDBACK_TEXTS is true" in capsys.readouterr().err
    store.append([Feedback("r1", 0, "m:1", ("negative",), "cold")])
    run(tmp_path)
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert "is there already" in capsys.readouterr().err
    run(tmp_path, "--overwrite")
