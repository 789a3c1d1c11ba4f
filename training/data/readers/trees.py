"""Sentences or phrases of the Stanford Sentiment Treebank: Penn Treebank trees with a label on every node.

Socher et al. 2013, "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank". One tree a line::

    (3 (2 It) (4 (2 's) (4 good)))
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.data.examples import DataError, SkippedRows
from training.data.readers.encodings import AUTO
from training.data.readers.files import read_text_lines
from training.data.readers.penn_treebank import join_tokens
from training.data.readers.rows import Row, row_error

_PARTS = re.compile(r"[()]|[^()\s]+")
_TREE_BEGINS = re.compile(r"\s*\(\s*[^()\s]+\s+(?:\(|[^()\s]+\s*\)\s*$)")  # a labeled node over a node, or one leaf


@dataclass(slots=True)
class _Node:
    """A label over ``words[start:end]`` of its tree."""

    start: int
    label: str = ""
    end: int = 0


@dataclass(slots=True)
class _Seen:
    """The phrases of a file so far, each with its label: as tokens and as a person writes them.

    One set would not do: "of '" is the text of "of `", and also the tokens of another phrase, whose text is "of'".
    """

    tokens: set[tuple[str, str]] = field(default_factory=set)
    texts: set[tuple[str, str]] = field(default_factory=set)


class _MalformedTreeError(ValueError):
    """A line that is not a tree; the message names the position."""


def looks_like_a_tree(line: str) -> bool:
    """Whether a line begins as a labeled tree does."""
    return _TREE_BEGINS.match(line) is not None


def read_trees(
    path: Path, *, trees: Literal["root", "phrases"], bad_rows: SkippedRows, encoding: str = AUTO
) -> Iterator[Row]:
    """Each sentence with its root's label, or every node's phrase, each distinct one on the first line that has it.

    The treebank's labels were given to distinct phrases, so a repeated phrase adds no information. What is distinct
    is remembered, so memory grows with the file's phrases.
    """
    seen = _Seen()
    for line, text in read_text_lines(path, bad_rows, encoding):
        try:
            words, nodes = _parse(text)
        except _MalformedTreeError as error:
            bad_rows.record(_malformed(path, line, problem=str(error)))
            continue
        if trees == "root":
            yield Row(line=line, text=join_tokens(words), label=nodes[0].label)
        else:
            yield from _new_phrases(words, nodes, line=line, seen=seen)


def _new_phrases(words: list[str], nodes: list[_Node], *, line: int, seen: _Seen) -> Iterator[Row]:
    for node in nodes:
        tokens = words[node.start : node.end]
        as_tokens = (" ".join(tokens), node.label)
        if as_tokens in seen.tokens:  # half of all nodes: joining them again would double the time
            continue
        seen.tokens.add(as_tokens)
        as_written = (join_tokens(tokens), node.label)
        if as_written in seen.texts:  # few: "etc." and "etc. ." are joined to the same text
            continue
        seen.texts.add(as_written)
        yield Row(line=line, text=as_written[0], label=node.label)


def _parse(line: str) -> tuple[list[str], list[_Node]]:
    """A tree's words and its nodes, the root first. The stack is a list, so no depth is too deep."""
    words: list[str] = []
    nodes: list[_Node] = []
    open_nodes: list[_Node] = []
    for part in _PARTS.finditer(line):
        position = f"column {part.start() + 1:,}"
        if nodes and not open_nodes:
            raise _MalformedTreeError(f"the tree has ended, but something follows it at {position}.")
        if part[0] == "(":
            if open_nodes and not open_nodes[-1].label:
                raise _MalformedTreeError(f"a node has no label before {position}.")
            open_nodes.append(_Node(start=len(words)))
            nodes.append(open_nodes[-1])
        elif not open_nodes:
            raise _MalformedTreeError(f'a tree starts with "(", this line does not (at {position}).')
        elif part[0] == ")":
            _close(open_nodes.pop(), end=len(words), position=position)
        elif not open_nodes[-1].label:
            open_nodes[-1].label = part[0]
        else:
            words.append(part[0])
    if open_nodes:
        raise _MalformedTreeError(f'{len(open_nodes):,} "(" are never closed.')
    return words, nodes


def _close(node: _Node, *, end: int, position: str) -> None:
    if end == node.start:
        raise _MalformedTreeError(f"the node that ends at {position} lacks a label or a word.")
    node.end = end


def _malformed(path: Path, line: int, *, problem: str) -> DataError:
    return row_error(path, line, problem=problem, fix="Every line needs one whole tree such as (3 (2 So) (4 good)).")
