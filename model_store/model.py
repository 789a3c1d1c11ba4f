"""Runs a bundle: text in; sentiment, contributions and contextual representations out. No torch, no HTTP."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import bundle as bundles
from model_store.errors import ModelError, TextError
from model_store.evaluation import Evaluation
from model_store.graph_runner import Device, GraphRunner, Outputs, go_on, require_device
from model_store.manifest import Manifest
from model_store.results import Prediction
from model_store.softmax import softmax
from model_store.tokenization import TokenizedText, Truncation


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
        working_bytes: int | None = None,
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
            path=bundle.path / bundles.GRAPH,
            threads=threads,
            device=device,
            working_bytes=working_bytes,
        )
        self._polarities = _polarities(bundle.manifest)

    @classmethod
    def load(
        cls,
        folder: str | Path = "default",
        *,
        threads: int = 1,
        device: Device = "cpu",
        working_bytes: int | None = None,
    ) -> "SentimentModel":
        """Load and verify a bundle; ``default`` is the one that ships with the project.

        Args:
            folder: a bundle's folder.
            threads: processor threads one call may use.
            device: ``cuda`` runs on a GPU, which needs the package onnxruntime-gpu.
            working_bytes: memory of all runs at the same time, about 20 kB a token; further ones wait. None for no
                limit.

        Raises:
            BundleError: the bundle is missing, damaged or of a newer format; the message names the file.
            DeviceError: the device cannot be used, or not with the bundle's arithmetic.
        """
        require_device(device)
        bundle = bundles.read(bundles.resolve(folder))
        return cls(bundle, threads=threads, device=device, working_bytes=working_bytes)

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Split a text into tokens; raises ``TextError`` if it cannot be answered."""
        return self.runner.tokenize(text, truncate=truncate)

    def predict(self, texts: Sequence[str], *, explain: bool = False, truncate: Truncation = "end") -> list[Prediction]:
        """The sentiment of each text, in order; with ``explain``, what every token contributes to every label.

        Raises:
            TextError: a text cannot be answered; its ``index`` says which. See ``TextTokenizer.tokenize``.
        """
        return self.predict_tokenized(self._tokenize_all(texts, truncate), explain=explain)

    def represent(
        self, texts: Sequence[str], *, layers: Sequence[int] = (-1,), truncate: Truncation = "end"
    ) -> list[Prediction]:
        """The sentiment of each text, with every token's contextual representation.

        Args:
            texts: what to read.
            layers: 1 is the lowest layer; negative numbers count from the top, so -1 is the last layer.
            truncate: what to do with a text that is too long.

        Raises:
            ModelError: a layer the model does not have.
            TextError: as ``predict``.
        """
        return self.predict_tokenized(self._tokenize_all(texts, truncate), layers=layers)

    def predict_tokenized(
        self,
        texts: Sequence[TokenizedText],
        *,
        explain: bool = False,
        layers: Sequence[int] = (),
        before_each_run: Callable[[], None] = go_on,
    ) -> list[Prediction]:
        """Run texts that are already tokenized, for callers that answer bad texts one by one.

        The work is cut into runs of bounded size. Whatever ``before_each_run`` raises ends it there.
        """
        numbers = self.layer_numbers(layers)
        names = ["logits", *(["contributions"] if explain else []), *(f"layer_{number}" for number in numbers)]
        results = self.runner.run(texts, names, before_each_run=before_each_run)
        return [self._prediction(text, outputs, numbers) for text, outputs in zip(texts, results, strict=True)]

    def layer_numbers(self, layers: Sequence[int]) -> list[int]:
        """Resolve negative layers and drop repeats; raises ``ModelError`` for a layer the model does not have."""
        depth = self.manifest.architecture.layers
        numbers: list[int] = []
        for layer in layers:
            number = depth + 1 + layer if layer < 0 else layer
            if not 1 <= number <= depth:
                message = f"layer {layer} does not exist: the model has layers 1 to {depth}, or -{depth} to -1"
                raise ModelError(message)
            if number not in numbers:
                numbers.append(number)
        return numbers

    def _tokenize_all(self, texts: Sequence[str], truncate: Truncation) -> list[TokenizedText]:
        if isinstance(texts, str):
            message = "texts is one string; pass a list of texts, such as [text]"
            raise TypeError(message)
        tokenized = []
        for index, text in enumerate(texts):
            try:
                tokenized.append(self.tokenize(text, truncate=truncate))
            except TextError as error:
                raise TextError(error.code, error.message, index=index) from None
        return tokenized

    def _prediction(self, text: TokenizedText, outputs: Outputs, layers: Sequence[int]) -> Prediction:
        calibration, names = self.manifest.calibration, self.manifest.label_names
        scores = softmax(outputs["logits"][np.newaxis], temperature=calibration.temperature)[0]  # (labels,)
        best = int(scores.argmax())
        score, unknown_share = float(scores[best]), text.unknown_share
        return Prediction(
            label=names[best],
            score=score,
            confident=calibration.is_confident(score, unknown_share=unknown_share),
            reasons=calibration.reasons(score, unknown_share=unknown_share),
            scores=dict(zip(names, scores.tolist(), strict=True)),
            polarity=None if self._polarities is None else min(1.0, max(-1.0, float(scores @ self._polarities))),
            logits=outputs["logits"],
            text=text,
            contributions=outputs.get("contributions"),
            representations={layer: outputs[f"layer_{layer}"] for layer in layers},
        )


def _polarities(manifest: Manifest) -> NDArray[np.float64] | None:
    values = [label.polarity for label in manifest.labels if label.polarity is not None]
    return np.array(values) if len(values) == len(manifest.labels) else None
