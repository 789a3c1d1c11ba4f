"""HTML in texts, read as what it stands for."""

import pytest

from training.data.readers.html import read_html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good film.<br /><br />See it!", "Good film.\nSee it!"),
        ("a <BR> b<br>", "a\nb"),
        (
            "fish &amp; chips, &pound;5 &#8212; &quot;fine&quot; &#x2019;s",
            'fish & chips, \u00a35 \u2014 "fine" \u2019s',
        ),
        ("R&B at AT&T; a < b > c &c", "R&B at AT&T; a < b > c &c"),
        ("&lt;br&gt; is a tag", "<br> is a tag"),
        ("&nosuchentity; stays", "&nosuchentity; stays"),
    ],
)
def test_breaks_and_entities_are_characters(text, expected):
    assert read_html(text) == expected


def test_it_is_read_only_if_asked(write, read):
    path = write("a.jsonl", '{"text": "fish &amp; chips<br />", "label": 1}\n')
    assert read(path) == [(1, "1", "fish &amp; chips<br />")]
    assert read(path, html=True) == [(1, "1", "fish & chips")]


def test_a_text_of_nothing_but_breaks_is_empty(write, read_past):
    good, (error,) = read_past(write("a.csv", "text,label\n<br />,1\nfine,1\n"), html=True)
    assert good == [(3, "1", "fine")]
    assert str(error).startswith("a.csv, line 2: the text is empty but for HTML.")
