"""Runs a bundle's tokenizer and graph: text to token ids, token ids to arrays. No labels, no calibration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_store.bundle import GRAPH, TOKENIZER
from model_store.errors import BundleError, DeviceError
from model_store.graph_check import check_graph
from model_store.manifest import Arithmetic
from model_store.tokenization import TextTokenizer, TokenizedText, Truncation
from model_store.tokenizer_file import load_tokenizer
from model_store.working_memory import WorkingMemory

Device = Literal["cpu", "cuda"]

PROVIDERS: Mapping[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""ONNX Runtime's names."""

PADDED_TOKENS_A_BATCH: Mapping[Device, int] = {"cpu": 1024, "cuda": 4096}
"""Maximum number of padded tokens of a batch, unless one text has more. It bounds memory for any number of texts. More
would be slower on a processor: what passes between the layers no longer fits into its cache."""

ALONE = 0.5
"""What a run costs besides its texts, in texts of its length; of the shipped model on a processor."""

INPUTS = {"ids", "lengths"}

Outputs = dict[str, NDArray[np.float32]]
"""One text's values by the name of the graph's output, without padding."""


def go_on() -> None:
    """Let the next run start."""


class GraphRunner:
    """A tokenizer and an ONNX graph. Safe to call from several threads at once.

    Args:
        tokenizer: the bytes of tokenizer.json.
        graph: the bytes of model.onnx.
        unknown_token: the vocabulary's token for what it lacks.
        max_tokens: longer texts are cut.
        arithmetic: how the graph multiplies.
        one_by_one: compute each text by itself.
        folder: of the two files, for error messages.
        threads: processor threads one call may use.
        device: what the graph runs on.
        working_memory: of all runs at the same time; further ones wait. None for no limit.

    Raises:
        BundleError: tokenizer or graph hold what no bundle of this project holds, or cannot be loaded.
        DeviceError: the device cannot be used, or not with this arithmetic.
    """

    def __init__(
        self,
        *,
        tokenizer: bytes,
        graph: bytes,
        unknown_token: str,
        max_tokens: int,
        arithmetic: Arithmetic,
        one_by_one: bool,
        folder: Path,
        threads: int = 1,
        device: Device = "cpu",
        working_memory: WorkingMemory | None = None,
    ) -> None:
        path = folder / TOKENIZER
        self._tokenizer = TextTokenizer(
            load_tokenizer(path, tokenizer), unknown_token=unknown_token, max_tokens=max_tokens, path=path
        )
        if device != "cpu" and arithmetic == "int8":
            message = (
                f"The device {device} was asked for, but {folder / GRAPH} computes in 8 bits, which is made for "
                "processors. Choose the device cpu, or export the model with --arithmetic float32."
            )
            raise DeviceError(message)
        self._graph_path = folder / GRAPH
        self._session = _session(graph, path=self._graph_path, threads=threads, device=device)
        self._most = 0 if one_by_one else PADDED_TOKENS_A_BATCH[device]
        self._memory = working_memory or WorkingMemory()

    def check_outputs(self, sizes: Mapping[str, int]) -> None:
        """Compare the graph's inputs and outputs with what is expected of it.

        Args:
            sizes: of the last dimension of each output, by name.

        Raises:
            BundleError: one is missing, or has another size.
        """
        inputs = {value.name for value in self._session.get_inputs()}
        if inputs != INPUTS:
            raise BundleError(self._graph_path, f"has the inputs {sorted(inputs)}, expected {sorted(INPUTS)}")
        shapes = {value.name: value.shape for value in self._session.get_outputs()}
        for name, size in sizes.items():
            if name not in shapes or shapes[name][-1:] != [size]:
                found = f"of shape {shapes[name]}" if name in shapes else "missing"
                raise BundleError(
                    self._graph_path, f"does not fit its manifest: the output {name} is {found}, expected size {size}"
                )

    @property
    def unknown_id(self) -> int:
        """Id of the token for what the vocabulary lacks."""
        return self._tokenizer.unknown_id

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Split a text into tokens; raises ``TextError`` if it cannot be answered."""
        return self._tokenizer.tokenize(text, truncate=truncate)

    def run(
        self, texts: Sequence[TokenizedText], outputs: Sequence[str], *, before_each_run: Callable[[], None] = go_on
    ) -> list[Outputs]:
        """The named outputs of each text, in order.

        Args:
            texts: what to run, in batches of bounded size.
            outputs: "logits" (labels,), "contributions" (tokens, labels), "layer_1" and so on (tokens, size).
            before_each_run: called before each batch; whatever it raises ends the work there.
        """
        results: list[Outputs] = [{} for _ in texts]
        for indices in _by_length([len(text) for text in texts], most=self._most):
            before_each_run()
            values = self._run([texts[index] for index in indices], outputs)
            for row, index in enumerate(indices):
                for name, array in values.items():
                    results[index][name] = array[row] if name == "logits" else array[row, : len(texts[index])]
        return results

    def _run(self, texts: Sequence[TokenizedText], outputs: Sequence[str]) -> Outputs:
        lengths = np.array([len(text) for text in texts], dtype=np.int32)  # (texts,)
        ids = np.zeros((len(texts), int(lengths.max())), dtype=np.int64)  # (texts, tokens)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text.ids
        with self._memory.taken(ids.size):
            values = self._session.run(list(outputs), {"ids": ids, "lengths": lengths})
        return dict(zip(outputs, values, strict=True))


def require_device(device: Device) -> None:
    """Raise ``DeviceError`` if this ONNX Runtime cannot use the device at all."""
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        message = (
            f"The device {device} was asked for, but this ONNX Runtime cannot use it; it has "
            f"{', '.join(onnxruntime.get_available_providers())}. "
            "Install onnxruntime-gpu in place of onnxruntime, or choose the device cpu."
        )
        raise DeviceError(message)


def _session(graph: bytes, *, path: Path, threads: int, device: Device) -> onnxruntime.InferenceSession:
    check_graph(path, graph)
    options = onnxruntime.SessionOptions()
    # Otherwise bytes with the mark of ONNX Runtime's own format would be read as that, whatever else they are.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena keeps its peak for good, and is not faster than the C library's heap.
    options.enable_cpu_mem_arena = False
    # An idle pool that spins starves whatever else runs in the process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime raises bare subclasses of Exception
        raise BundleError(path, f"cannot be loaded by ONNX Runtime ({error})") from error
    if PROVIDERS[device] not in session.get_providers():  # ONNX Runtime only warns and uses the CPU
        message = f"The device {device} was asked for, but ONNX Runtime could not start it; its log says why."
        raise DeviceError(message)
    return session


def _by_length(lengths: Sequence[int], *, most: int) -> Iterator[list[int]]:
    """Indices of texts of similar length; a batch has at most ``most`` padded tokens, or one text.

    A run costs as much as ``ALONE`` texts of its length besides its own texts, so a text that would make the others
    longer by more tokens than that begins a batch of its own.
    """
    batch: list[int] = []
    padding = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        if batch:
            padding += len(batch) * (length - lengths[batch[-1]])
            if (len(batch) + 1) * length > most or padding > ALONE * length:
                yield batch
                batch, padding = [], 0
        batch.append(index)
    if batch:
        yield batch
