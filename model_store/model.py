"""Runs a bundle: text in; sentiment, contributions and contextual representations out. No torch, no HTTP."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store import bundle as bundles
from model_store.errors import BundleError, DeviceError, ModelError, TextError
from model_store.manifest import Manifest
from model_store.results import Prediction, Token
from model_store.tokenization import TextTokenizer, TokenizedText, Truncation

Device = Literal["cpu", "cuda"]

PROVIDERS: Mapping[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""ONNX Runtime's names."""

PADDED_TOKENS_A_BATCH = 4096
"""Texts are run together up to this many padded tokens, so that memory stays bounded whatever is asked."""


def _go_on() -> None:
    """Nothing stops the work."""


class SentimentModel:
    """A loaded bundle. Safe to call from several threads at once.

    ``SentimentModel.load("default").predict(["The movie was terribly exciting!"])[0].label``
    """

    def __init__(self, bundle: bundles.Bundle, *, threads: int = 1, device: Device = "cpu") -> None:
        self.manifest: Manifest = bundle.manifest
        self.sha256: str = bundle.sha256
        self._tokenizer = TextTokenizer(
            Tokenizer.from_buffer(bundle.tokenizer),
            unknown_token=bundle.manifest.tokenizer.unknown_token,
            max_tokens=bundle.manifest.limits.max_tokens,
        )
        self._session = _session(bundle, threads, device)
        self._polarities = _polarities(bundle.manifest)

    @classmethod
    def load(cls, folder: str | Path = "default", *, threads: int = 1, device: Device = "cpu") -> "SentimentModel":
        """Loads and verifies a bundle; ``default`` is the one that ships with the project.

        Args:
            folder: a bundle's folder.
            threads: processor threads one call may use.
            device: ``cuda`` runs on a GPU, which needs the package onnxruntime-gpu.

        Raises:
            BundleError: the bundle is missing, damaged or of a newer format; the message names the file.
            DeviceError: the device is not there, or is none for the bundle's arithmetic.
        """
        require_device(device)
        return cls(bundles.read(bundles.resolve(folder)), threads=threads, device=device)

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Splits a text into tokens; raises ``TextError`` where it cannot be answered."""
        return self._tokenizer.tokenize(text, truncate=truncate)

    def predict(self, texts: Sequence[str], *, explain: bool = False, truncate: Truncation = "end") -> list[Prediction]:
        """The sentiment of each text, in order; with ``explain``, what every token contributes to every label.

        Raises:
            TextError: a text cannot be answered; its ``index`` says which. See ``TextTokenizer.tokenize``.
        """
        return self.predict_tokenized(self._tokenize_all(texts, truncate), explain=explain)

    def represent(
        self, texts: Sequence[str], *, layers: Sequence[int] = (-1,), truncate: Truncation = "end"
    ) -> list[Prediction]:
        """The same, with every token's contextual representation.

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
        before_each_run: Callable[[], None] = _go_on,
    ) -> list[Prediction]:
        """Runs texts that are already tokenized, for callers that answer bad texts one by one.

        The work is cut into runs of bounded size. Whatever ``before_each_run`` raises ends it there.
        """
        numbers = self.layer_numbers(layers)
        outputs = ["logits", *(["contributions"] if explain else []), *(f"layer_{number}" for number in numbers)]
        answers: list[Prediction | None] = [None] * len(texts)
        for positions in self._runs([len(text) for text in texts]):
            before_each_run()
            values = self._run([texts[position] for position in positions], outputs)
            scores = _softmax(values["logits"].astype(np.float64) / self.manifest.calibration.temperature)
            for row, position in enumerate(positions):
                length = len(texts[position])
                answers[position] = self._prediction(
                    texts[position],
                    logits=values["logits"][row],
                    scores=scores[row],
                    contributions=values["contributions"][row, :length] if explain else None,
                    representations={number: values[f"layer_{number}"][row, :length] for number in numbers},
                )
        return [answer for answer in answers if answer is not None]

    def layer_numbers(self, layers: Sequence[int]) -> list[int]:
        """Resolves negative layers and drops repeats; raises ``ModelError`` for a layer the model does not have."""
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

    def _runs(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Positions of the texts that are computed together."""
        if self.manifest.arithmetic == "int8":  # its rounding goes by the range of all that is computed together
            return ([position] for position in range(len(lengths)))
        return _batches(lengths)

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

    def _run(self, texts: Sequence[TokenizedText], outputs: list[str]) -> dict[str, NDArray[np.float32]]:
        lengths = np.array([len(text) for text in texts], dtype=np.int32)  # (texts,)
        ids = np.zeros((len(texts), int(lengths.max())), dtype=np.int64)  # (texts, tokens)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text.ids
        return dict(zip(outputs, self._session.run(outputs, {"ids": ids, "lengths": lengths}), strict=True))

    def _prediction(
        self,
        text: TokenizedText,
        *,
        logits: NDArray[np.float32],
        scores: NDArray[np.float64],
        contributions: NDArray[np.float32] | None,
        representations: dict[int, NDArray[np.float32]],
    ) -> Prediction:
        best = int(scores.argmax())
        names = self.manifest.label_names
        return Prediction(
            label=names[best],
            score=float(scores[best]),
            confident=self.manifest.calibration.is_confident(float(scores[best])),
            scores=dict(zip(names, scores.tolist(), strict=True)),
            polarity=None if self._polarities is None else min(1.0, max(-1.0, float(scores @ self._polarities))),
            logits=logits,
            tokens=tuple(_tokens(text)),
            truncated=text.truncated,
            contributions=contributions,
            representations=representations,
        )


def require_device(device: Device) -> None:
    """Raises ``DeviceError`` where ONNX Runtime cannot run on the device at all."""
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        message = (
            f"The device {device} was asked for, but this ONNX Runtime cannot use it; it has "
            f"{', '.join(onnxruntime.get_available_providers())}. "
            "Install onnxruntime-gpu in place of onnxruntime, or choose the device cpu."
        )
        raise DeviceError(message)


def _session(bundle: bundles.Bundle, threads: int, device: Device) -> onnxruntime.InferenceSession:
    if device != "cpu" and bundle.manifest.arithmetic == "int8":
        message = (
            f"The device {device} was asked for, but {bundle.manifest.name} computes in 8 bits, which is made for "
            "processors. Choose the device cpu, or export the model with --arithmetic float32."
        )
        raise DeviceError(message)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # An idle pool that spins starves whatever else runs in the process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(bundle.graph, options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime raises bare subclasses of Exception
        raise BundleError(bundle.folder / bundles.GRAPH, f"cannot be loaded by ONNX Runtime ({error})") from error
    if PROVIDERS[device] not in session.get_providers():  # it only warns, and goes on with the CPU
        message = f"The device {device} was asked for, but ONNX Runtime could not start it; its log says why."
        raise DeviceError(message)
    return session


def _polarities(manifest: Manifest) -> NDArray[np.float64] | None:
    values = [label.polarity for label in manifest.labels if label.polarity is not None]
    return np.array(values) if len(values) == len(manifest.labels) else None


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions of texts of similar length, so that little is padded and each batch is bounded."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[position] > PADDED_TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _tokens(text: TokenizedText) -> Iterator[Token]:
    for start, end, known in zip(text.starts.tolist(), text.ends.tolist(), text.known.tolist(), strict=True):
        yield Token(text.text[start:end], start, end, known)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of (texts, labels)."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return scores
