"""Lines of label and text."""

import pytest


@pytest.mark.parametrize("name", ["stsa.binary.test", "rt-polarity.txt.gz", "noname"])
def test_the_first_word_is_the_label_and_the_rest_the_text(write, read, name):
    path = write(name, "0 no movement , no yuks\n\n1\t a  gob\tof drivel \r\n")
    assert read(path) == [(1, "0", "no movement , no yuks"), (3, "1", "a  gob\tof drivel")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [("1", "the text is empty."), ("1  ", "the text is empty."), ("\tno label", "the label is empty.")],
)
def test_a_bad_row_is_named_and_the_next_one_read(write, read_past, row, problem):
    good, (error,) = read_past(write("a.txt", f"0 before\n{row}\n0 after\n"))
    assert good == [(1, "0", "before"), (3, "0", "after")]
    assert str(error).startswith(f"a.txt, line 2: {problem}\n")


def test_a_byte_that_is_not_utf8_costs_its_line_alone(write, read_past):
    good, (error,) = read_past(write("a.txt", b"0 before\n1 caf\xe9 noir\n0 after\n"))
    assert good == [(1, "0", "before"), (3, "0", "after")]
    assert str(error).startswith("a.txt, line 2: byte 6 of the line (0xE9) is not UTF-8.\n")


def test_a_byte_order_mark_is_no_part_of_the_first_label(write, read):
    assert read(write("a.txt", b"\xef\xbb\xbf1 fine\n")) == [(1, "1", "fine")]


def test_only_a_line_feed_ends_a_line(write, read):
    # NEL, LINE SEPARATOR, FORM FEED: str.splitlines would end a line at each.
    assert read(write("a.txt", "1 a\x85b\u2028c\x0cd\n0 e\n")) == [(1, "1", "a\x85b\u2028c\x0cd"), (2, "0", "e")]
