"""Stanford Sentiment Treebank trees."""

import pytest

IT_IS_NOT_GOOD = "(1 (2 It) (1 (1 (2 is) (2 n't)) (4 (4 good) (2 .))))\n"


@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
def test_a_sentence_has_its_roots_label(write, read, name):
    assert read(write(name, IT_IS_NOT_GOOD + "\n(4 Brilliant)\n")) == [
        (1, "1", "It isn't good."),
        (3, "4", "Brilliant"),
    ]


def test_every_node_is_a_phrase_and_comes_once_on_its_first_line(write, read):
    path = write("train.txt", IT_IS_NOT_GOOD + "(3 (2 It) (4 good))\n(3 (3 It) (4 good))\n")
    assert read(path, trees="phrases") == [
        (1, "1", "It isn't good."),
        (1, "2", "It"),
        (1, "1", "isn't good."),
        (1, "1", "isn't"),
        (1, "2", "is"),
        (1, "2", "n't"),
        (1, "4", "good."),
        (1, "4", "good"),
        (1, "2", "."),
        (2, "3", "It good"),
        (3, "3", "It"),  # the same word under another label is another example
    ]


def test_escapes_are_undone(write, read):
    tree = "(2 (2 -LRB-) (2 (2 writer\\/director) (2 (2 M) (2 (2 \\*) (2 (2 S) (2 -RRB-))))))"
    assert read(write("a.txt", tree)) == [(1, "2", "(writer/director M * S)")]


def test_a_space_inside_a_word_is_an_ordinary_one(write, read):
    assert read(write("a.txt", "(2 (2 9\u00a01\\/2) (2 Weeks))")) == [(1, "2", "9 1/2 Weeks")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("(1 (2 a) (2 b)", '1 "(" are never closed.'),
        ("(1 (2 a)) (2 b)", "the tree has ended, but something follows it at column 11."),
        ("(1 (2 a)))", "the tree has ended, but something follows it at column 10."),
        ("((2 a) (2 b))", "a node has no label before column 2."),
        ("(1 (2 a) (b))", "the node that ends at column 12 lacks a label or a word."),
        ("(1 ())", "the node that ends at column 5 lacks a label or a word."),
        ("1 a", 'a tree starts with "(", this line does not (at column 1).'),
        ("(1 " * 50_000, '50,000 "(" are never closed.'),
        ("(" * 50_000, "a node has no label before column 2."),
        (")" * 50_000, 'a tree starts with "(", this line does not (at column 1).'),
    ],
)
@pytest.mark.parametrize("trees", ["root", "phrases"])
def test_a_malformed_tree_is_named_and_the_next_one_read(write, read_past, trees, row, problem):
    good, (error,) = read_past(write("a.txt", f"(3 before)\n{row}\n(3 after)\n"), trees=trees)
    assert good == [(1, "3", "before"), (3, "3", "after")]
    assert str(error).startswith(f"a.txt, line 2: {problem}\n")


def test_no_tree_is_too_deep(write, read):
    path = write("a.txt", "(1 " * 50_000 + "deep" + ")" * 50_000)
    assert read(path) == read(path, trees="phrases") == [(1, "1", "deep")]
