"""The real Stanford Sentiment Treebank, read whole."""

import pytest

from training.data.readers import ReadingOptions, read_examples


@pytest.fixture(scope="module")
def treebank(real_data):
    return real_data / "sst"


# Socher et al. 2013, section 5: 8,544 training, 1,101 development and 2,210 test sentences.
@pytest.mark.parametrize(("part", "sentences"), [("train", 8544), ("dev", 1101), ("test", 2210)])
def test_every_sentence_is_read(treebank, part, sentences):
    examples = read_examples(treebank / f"{part}.txt.gz")
    assert sum(1 for _ in examples) == sentences


def test_the_binary_task_has_its_1821_test_sentences(treebank):
    binary = {"0": "negative", "1": "negative", "2": None, "3": "positive", "4": "positive"}
    examples = read_examples(treebank / "test.txt.gz", ReadingOptions(label_map=binary))
    assert sum(1 for _ in examples) == 1821


def test_every_distinct_phrase_is_read_once(treebank):
    # 159,274 as tokens. Joined, 8 of them repeat another: "``" and "''" are both a quote, "`" and "'" too, and five
    # differ only in a full stop written twice after an abbreviation ("etc." and "etc. .").
    phrases = list(read_examples(treebank / "train.txt.gz", ReadingOptions(trees="phrases")))
    assert len(phrases) == len({(phrase.text, phrase.label) for phrase in phrases}) == 159_274 - 8


def test_trees_and_lower_cased_lines_of_the_same_sentences_give_the_same_texts(treebank):
    trees = read_examples(treebank / "test.txt.gz")
    lines = read_examples(treebank / "stsa.fine.test", ReadingOptions(ptb_tokens=True))
    assert sorted((example.label, example.text.lower()) for example in trees) == sorted(
        (example.label, example.text.lower()) for example in lines
    )
