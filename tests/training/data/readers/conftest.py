"""Ways to write a file and read it back."""

import gzip

import pytest

from training.data.examples import DataError, SkippedRows
from training.data.readers import ReadingOptions, read_examples


@pytest.fixture
def write(tmp_path):
    """Write bytes or text under a name, compressed where the name ends in .gz."""

    def write(name, content):
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.fixture
def read():
    """(line, label, text) of every example; a bad row stops."""

    def read(path, *, allowed_labels=None, **options):
        examples = read_examples(path, ReadingOptions(**options), allowed_labels=allowed_labels)
        return [(example.line, example.label, example.text) for example in examples]

    return read


@pytest.fixture
def examples():
    """Every example whole; a bad row stops."""

    def examples(path, *, allowed_labels=None, **options):
        return list(read_examples(path, ReadingOptions(**options), allowed_labels=allowed_labels))

    return examples


@pytest.fixture
def read_past():
    """(line, label, text) of every good example, and every bad row's error. Stopping gives the first of them."""

    def read_past(path, *, allowed_labels=None, **options):
        bad_rows = SkippedRows("skip")
        examples = list(
            read_examples(path, ReadingOptions(**options), allowed_labels=allowed_labels, bad_rows=bad_rows)
        )
        with pytest.raises(DataError) as stopped:
            list(read_examples(path, ReadingOptions(**options), allowed_labels=allowed_labels))
        assert str(stopped.value) == str(bad_rows.first[0])
        assert len(bad_rows.first) == bad_rows.count
        assert all("--on_bad_row=skip" in str(error) for error in bad_rows.first)
        return [(example.line, example.label, example.text) for example in examples], bad_rows.first

    return read_past
