"""Files in other encodings than UTF-8: recognized, named by an option, or refused with a guess."""

import codecs
import json

import pytest

from training.data.examples import DataError
from training.data.readers.encodings import guess_encoding

CONTENT = "label,text\n1,café € très joli\n0,plain\n"
ROWS = [(2, "1", "café € très joli"), (3, "0", "plain")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["reviews.csv", "reviews.csv.gz"])
def test_unicode_is_recognized(write, read, name, encoding):
    assert read(write(name, CONTENT.encode(encoding))) == ROWS


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "UTF-16LE", "utf8", "utf-8-sig"])
def test_a_named_encoding_is_read(write, read, encoding):
    assert read(write("reviews.csv", CONTENT.encode(encoding)), encoding=encoding) == ROWS


def test_utf_16_may_hold_line_breaks_in_quotes_and_mac_line_ends(write, read):
    assert read(write("a.csv", 'label,text\r\n1,"a\r\nb"\r\n'.encode("utf-16"))) == [(2, "1", "a\r\nb")]
    assert read(write("b.csv", "label,text\r1,a\r".encode("utf-16"))) == [(2, "1", "a")]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", '{"text": "café", "label": "1"}\n', 1),
        ("a.txt", "1 café\n", 1),
        ("a.trees", "(1 (2 café) (2 noir))\n", 1),
        ("a.json", '[{"text": "café", "label": "1"}]', 1),
    ],
)
def test_every_format_of_text_is_read_in_a_named_encoding(write, read, name, content, line):
    ((found_line, label, text),) = read(write(name, content.encode("cp1252")), encoding="cp1252")
    assert (found_line, label, text[:4]) == (line, "1", "café")


def test_what_is_not_utf8_names_byte_and_likely_encoding(write, read):
    path = write("reviews.csv", "label,text\n1,The staff\u2019s rude\n0,caf\u00e9\n".encode("cp1252"))
    # Byte 12 of line 2 is the apostrophe, 0x92 in Windows-1252.
    with pytest.raises(DataError, match=r"line 2: byte 12 of the line \(0x92\) is not UTF-8\.") as raised:
        read(path)
    assert "The file looks like cp1252: pass --encoding=cp1252, or save it as UTF-8." in str(raised.value)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Das Essen war schön, große Portionen"),
        ("cp1250", "Żółć gęślą jaźń, świetny film"),
        ("cp1251", "Отличный фильм, очень понравился"),
        ("koi8_r", "Отличный фильм, очень понравился"),
    ],
)
def test_an_encoding_is_guessed_from_a_sentence(encoding, text):
    assert guess_encoding(text.encode(encoding)) == encoding


def test_a_byte_that_the_named_encoding_lacks_costs_its_row_alone(write, read_past):
    # Windows-1252 has no character for 0x81, the 7th of the line.
    good, (error,) = read_past(write("a.csv", b"label,text\n1,caf\xe9 \x81\n0,fine\n"), encoding="cp1252")
    assert good == [(3, "0", "fine")]
    assert str(error).startswith("a.csv, line 2: character 8 of the line (0x81) is not cp1252.\n")


def test_utf_16_that_is_cut_short_names_the_line(write, read):
    path = write("a.csv", CONTENT.encode("utf-16") + "0,x".encode("utf-16-le") + b"\x00")
    with pytest.raises(DataError, match=r"a\.csv, line 4: from here on the file is not UTF-16\."):
        read(path)


def test_an_array_that_is_not_utf8_names_the_likely_encoding(write, read):
    content = json.dumps([{"text": "Das Essen war schön, große Portionen", "label": 1}], ensure_ascii=False)
    with pytest.raises(DataError, match=r"it is not UTF-8 throughout\.\nThe file looks like cp1252"):
        read(write("a.json", content.encode("cp1252")))


@pytest.mark.parametrize("encoding", ["cp12522", "zip", "hex"])
def test_an_encoding_that_does_not_exist_is_named(write, read, encoding):
    with pytest.raises(DataError, match=f'there is no encoding "{encoding}"'):
        read(write("a.csv", CONTENT), encoding=encoding)


def test_a_byte_order_mark_is_not_a_part_of_the_first_column(write, read):
    assert read(write("a.csv", codecs.BOM_UTF8 + b"text,label\nfine,1\n")) == [(2, "1", "fine")]
