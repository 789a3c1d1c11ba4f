"""Runs a bundle: text in; sentiment, contributions and contextual representations out. No torch, no HTTP."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from model_store import bundle as bundles
from model_store.decision import decision_of
from model_store.errors import TextError
from model_store.evaluation import Evaluation
from model_store.frames import Frame, add_columns
from model_store.graph_runner import Device, GraphRunner, Outputs, go_on, require_device
from model_store.manifest import Manifest
from model_store.results import Match, Prediction, Representations, require_layer
from model_store.scoring.groups import answer_group, token_groups
from model_store.sentences import answer_sentences
from model_store.stop_signals import stop_signals_end_at_once
from model_store.table import ERROR, column_types, columns
from model_store.tokenization import TokenizedText, Truncation, as_text
from model_store.working_memory import WorkingMemory

OnTextError = Literal["raise", "keep"]
"""Whether a text that cannot be answered ends the call, or its error stands in its place."""


class SentimentModel:
    """A loaded bundle. Safe to call from several threads at once.

    ``SentimentModel.load("default").predict(["The movie was terribly exciting!"])[0].label``

    Attributes:
        manifest: what the model is.
        evaluation: how good it is, as far as that was measured.
        sha256: names the model.
        runner: its tokenizer and graph.
    """

    def __init__(
        self,
        bundle: bundles.Bundle,
        *,
        threads: int = 1,
        device: Device = "cpu",
        working_memory: WorkingMemory | None = None,
    ) -> None:
        self.manifest: Manifest = bundle.manifest
        self.evaluation: Evaluation = bundle.evaluation
        self.sha256: str = bundle.sha256
        self.runner = GraphRunner(
            tokenizer=bundle.tokenizer,
            graph=bundle.graph,
            unknown_token=bundle.manifest.tokenizer.unknown_token,
            max_tokens=bundle.manifest.limits.max_tokens,
            arithmetic=bundle.manifest.arithmetic,
            one_by_one=bundle.manifest.one_by_one,
            folder=bundle.path,
            threads=threads,
            device=device,
            working_memory=working_memory,
        )
        self.runner.check_outputs(_output_sizes(bundle.manifest))
        self._decision = decision_of(bundle.manifest)

    @classmethod
    def load(
        cls,
        folder: str | Path = "default",
        *,
        threads: int = 1,
        device: Device = "cpu",
        working_memory: WorkingMemory | None = None,
    ) -> "SentimentModel":
        """Load and verify a bundle; ``default`` is the one that ships with the project.

        Meanwhile, in the main thread, SIGINT and SIGTERM end the process at once.

        Args:
            folder: a bundle's folder.
            threads: processor threads one call may use.
            device: ``cuda`` runs on a GPU, which needs the package onnxruntime-gpu.
            working_memory: bounds that of all runs at the same time, also of several models; further ones wait. None
                for no limit.

        Raises:
            BundleError: the bundle is missing, damaged or of a newer format; the message names the file.
            DeviceError: the device cannot be used, or not with the bundle's arithmetic.
        """
        require_device(device)
        with stop_signals_end_at_once():
            bundle = bundles.read(bundles.resolve(folder))
            return cls(bundle, threads=threads, device=device, working_memory=working_memory)

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Split a text into tokens; raises ``TextError`` if it cannot be answered."""
        return self.runner.tokenize(text, truncate=truncate)

    @overload
    def predict(
        self,
        texts: Iterable[object],
        *,
        explain: bool = False,
        truncate: Truncation = "end",
        sentences: bool = False,
        errors: Literal["raise"] = "raise",
    ) -> list[Prediction]: ...

    @overload
    def predict(
        self,
        texts: Iterable[object],
        *,
        explain: bool = False,
        truncate: Truncation = "end",
        sentences: bool = False,
        errors: Literal["keep"],
    ) -> list[Prediction | TextError]: ...

    def predict(
        self,
        texts: Iterable[object],
        *,
        explain: bool = False,
        truncate: Truncation = "end",
        sentences: bool = False,
        errors: OnTextError = "raise",
    ) -> Sequence[Prediction | TextError]:
        """The sentiment of each text, in order; with ``explain``, what every token contributes to every label.

        For more texts than fit into memory there is ``stream``.

        Args:
            texts: a list, a column of a data frame, a generator: anything that gives texts one by one.
            explain: give contributions.
            truncate: what to do with a text that is too long.
            sentences: also answer each sentence of the text by itself.
            errors: what an empty, missing (None, NaN) or otherwise unanswerable text does. ``raise`` ends the call
                before anything is run; with ``keep`` its ``TextError`` stands in its place in the list.

        Raises:
            TextError: with ``errors="raise"``, the first bad text; its ``index`` says which.
        """
        tokenized: Sequence[TokenizedText | TextError]
        tokenized = self._tokenize_all(texts, truncate) if errors == "raise" else list(self._tokenized(texts, truncate))
        return answer_group(
            tokenized, lambda group: self.predict_tokenized(group, explain=explain, sentences=sentences)
        )

    def represent(
        self, texts: Iterable[object], *, layers: Sequence[int] = (-1,), truncate: Truncation = "end"
    ) -> list[Prediction]:
        """The sentiment of each text, with every token's contextual representation.

        ``model.represent(texts)[0].representations[-1]`` is an array of (tokens, directions * hidden).

        Args:
            texts: what to read.
            layers: 1 is the lowest layer; negative numbers count from the top, so -1 is the last layer.
            truncate: what to do with a text that is too long.

        Raises:
            ModelError: a layer the model does not have.
            TextError: as ``predict``.
        """
        return self.predict_tokenized(self._tokenize_all(texts, truncate), layers=layers)

    def stream(
        self,
        texts: Iterable[object],
        *,
        explain: bool = False,
        layers: Sequence[int] = (),
        truncate: Truncation = "end",
        sentences: bool = False,
    ) -> Iterator[Prediction | TextError]:
        """The answer to each text, in order, while texts are still being read; memory is bounded.

        Texts are read and answered in groups of some thousand tokens. The ``TextError`` of a bad text is given in its
        place.

        Args:
            texts: any number of texts.
            explain: give contributions.
            layers: give these layers' representations, as ``represent``.
            truncate: what to do with a text that is too long.
            sentences: also answer each sentence of the text by itself.

        Raises:
            ModelError: a layer the model does not have.
        """
        self.layer_numbers(layers)  # before the first text is read
        return self._stream(texts, explain=explain, layers=layers, truncate=truncate, sentences=sentences)

    def embed(
        self,
        texts: Iterable[object],
        *,
        layer: int = -1,
        truncate: Truncation = "end",
        errors: OnTextError = "raise",
    ) -> NDArray[np.float32]:
        """One vector a text: the maximum and the mean of one layer's representations over the text's tokens.

        Not the vector the classifier reads: a bundle's graph keeps that to itself, and its attention weights too.

        Args:
            texts: any number of texts.
            layer: whose representations; -1 is the top layer.
            truncate: what to do with a text that is too long.
            errors: with ``keep``, the vector of a bad text is NaN.

        Returns:
            (texts, 2 * directions * hidden), [maximum; mean].

        Raises:
            ModelError: a layer the model does not have.
            TextError: with ``errors="raise"``, a bad text; its ``index`` says which.
        """
        size = 2 * self.manifest.architecture.representation_size
        vectors = []
        for answer in self.stream(texts, layers=(layer,), truncate=truncate):
            if isinstance(answer, Prediction):
                vectors.append(pooled(answer.representations[layer]))
            elif errors == "raise":
                raise answer
            else:
                vectors.append(np.full(size, np.nan, dtype=np.float32))
        return np.stack(vectors) if vectors else np.empty((0, size), dtype=np.float32)

    def similar(self, text: str, texts: Iterable[object], *, top: int = 10, layer: int = -1) -> list[Match]:
        """Those of ``texts`` whose vectors (``embed``) have the largest cosine with that of ``text``, largest first.

        Near is what the model learned to tell apart: sentiment more than topic. Of ``texts``, bad ones are left out.

        Args:
            text: what to compare with.
            texts: what to search.
            top: maximum number of matches.
            layer: as ``embed``.

        Raises:
            ModelError: a layer the model does not have.
            TextError: ``text`` cannot be answered.
        """
        searched = list(_not_one_string(texts))
        (query,) = self.embed([text], layer=layer)
        cosines = _cosines(query, self.embed(searched, layer=layer, errors="keep"))
        found = [index for index in np.argsort(-cosines, kind="stable").tolist() if not np.isnan(cosines[index])]
        return [Match(index, str(searched[index]), float(cosines[index])) for index in found[:top]]

    def predict_frame(self, frame: Frame, column: str, *, prefix: str = "") -> Frame:
        """A data frame of pandas or polars, or an Arrow table, with a column for each part of the answer.

        The columns are those of ``model_store.table``, with ``error`` for rows whose text is empty or missing.

        Args:
            frame: is not changed; its columns and its index are kept.
            column: the column of texts.
            prefix: put before the name of every new column.

        Raises:
            ValueError: the frame lacks the column, or has one of the new ones already.
            TypeError: not such a frame.
        """
        return add_columns(
            frame,
            lambda texts: columns(self.stream(texts), self.manifest, prefix=prefix),
            column=column,
            types={**column_types(self.manifest, prefix=prefix), prefix + ERROR: str},
        )

    def predict_tokenized(
        self,
        texts: Sequence[TokenizedText],
        *,
        explain: bool = False,
        layers: Sequence[int] = (),
        sentences: bool = False,
        before_each_run: Callable[[], None] = go_on,
    ) -> list[Prediction]:
        """Run texts that are already tokenized, for callers that answer bad texts one by one.

        The work is cut into runs of bounded size. Whatever ``before_each_run`` raises ends it there.
        """
        numbers = self.layer_numbers(layers)
        names = ["logits", *(["contributions"] if explain else []), *(f"layer_{number}" for number in numbers)]
        results = self.runner.run(texts, names, before_each_run=before_each_run)
        predictions = list(self._predictions(texts, results, numbers))
        if not sentences:
            return predictions
        answers = answer_sentences(texts, predictions, partial(self.predict_tokenized, before_each_run=before_each_run))
        return [replace(whole, sentences=tuple(parts)) for whole, parts in zip(predictions, answers, strict=True)]

    def layer_numbers(self, layers: Sequence[int]) -> list[int]:
        """Resolve negative layers and drop repeats; raises ``ModelError`` for a layer the model does not have."""
        depth = self.manifest.architecture.layers
        numbers: list[int] = []
        for layer in layers:
            number = require_layer(layer, depth=depth)
            if number not in numbers:
                numbers.append(number)
        return numbers

    def _tokenize_all(self, texts: Iterable[object], truncate: Truncation) -> list[TokenizedText]:
        tokenized = []
        for text in self._tokenized(texts, truncate):
            if isinstance(text, TextError):
                raise text
            tokenized.append(text)
        return tokenized

    def _tokenized(self, texts: Iterable[object], truncate: Truncation) -> Iterator[TokenizedText | TextError]:
        """Each text's tokens, or why it cannot be answered, with its position."""
        for index, text in enumerate(_not_one_string(texts)):
            try:
                tokenized: TokenizedText | TextError = self.tokenize(as_text(text), truncate=truncate)
            except TextError as error:
                tokenized = TextError(error.code, error.message, index=index)
            yield tokenized

    def _stream(
        self, texts: Iterable[object], *, truncate: Truncation, explain: bool, layers: Sequence[int], sentences: bool
    ) -> Iterator[Prediction | TextError]:
        run = partial(self.predict_tokenized, explain=explain, layers=layers, sentences=sentences)
        for group in token_groups(self._tokenized(texts, truncate)):
            yield from answer_group(group, run)

    def _predictions(
        self, texts: Sequence[TokenizedText], outputs: Sequence[Outputs], layers: Sequence[int]
    ) -> Iterator[Prediction]:
        if not texts:
            return
        names, multi_label = self.manifest.label_names, self.manifest.multi_label is not None
        logits = np.stack([values["logits"] for values in outputs])  # (texts, labels)
        probabilities = self._decision.scores(logits)  # (texts, labels)
        for text, values, scores in zip(texts, outputs, probabilities, strict=True):
            decided = self._decision.decide(scores, unknown_share=text.unknown_share)
            yield Prediction(
                labels=decided.labels,
                multi_label=multi_label,
                confident=decided.confident,
                reasons=decided.reasons,
                scores=dict(zip(names, scores.tolist(), strict=True)),
                polarity=decided.polarity,
                logits=values["logits"],
                text=text,
                contributions=values.get("contributions"),
                representations=Representations(
                    {layer: values[f"layer_{layer}"] for layer in layers}, depth=self.manifest.architecture.layers
                ),
            )


def pooled(representations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maximum and mean over tokens, (2 * width,), of one text's representations, (tokens, width)."""
    return np.concatenate([representations.max(axis=0), representations.mean(axis=0)])


def _cosines(vector: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of the vector, (width,), with each row of the matrix, (rows, width); NaN for a row of NaN."""
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)  # (rows,)
    cosines: NDArray[np.float32] = matrix @ vector / np.maximum(lengths, np.finfo(np.float32).tiny)
    return cosines


def _not_one_string(texts: Iterable[object]) -> Iterable[object]:
    if isinstance(texts, str):
        message = "texts is one string; pass a list of texts, such as [text]"
        raise TypeError(message)
    return texts


def _output_sizes(manifest: Manifest) -> dict[str, int]:
    """The size of the last dimension of each output of the graph."""
    labels, shape = len(manifest.labels), manifest.architecture
    layers = {f"layer_{number}": shape.representation_size for number in range(1, shape.layers + 1)}
    return {"logits": labels, "contributions": labels, **layers}
