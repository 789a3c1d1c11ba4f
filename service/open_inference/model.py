"""The Open Inference Protocol (version 2), so that clients of KServe, Triton and MLServer can ask this model.

Texts are a tensor of BYTES; label, probabilities and, when named, representations are the outputs. A tensor cannot
express that a text has no answer or was truncated: such a text fails its request with an error that names it.
"""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.errors import RequestError
from service.open_inference.binary_tensors import pack, unpack_strings, without_data
from service.open_inference.schemas import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    ModelMetadata,
    Output,
    ResponseTensor,
    TensorMetadata,
)
from service.predictor import Predictor
from service.request_body import parse_json
from service.schemas import ModelCard, PredictRequest, PredictResult, RepresentRequest, RepresentResult

CLASSIFICATION = {"classification", "class_count"}
"""Parameters of the protocol's classification extension."""

DEFAULT_OUTPUTS: Sequence[Output] = ("label", "probabilities")
"""Representations are left out: they are a thousand times larger than these."""


class OpenInferenceModel:
    """The served model in the terms of the protocol."""

    def __init__(self, predictor: Predictor, card: ModelCard, *, max_numbers: int) -> None:
        self._predictor = predictor
        self._card = card
        self._max_numbers = max_numbers

    def check_name(self, name: str, version: str | None) -> None:
        """Raise ``RequestError`` for a model or a version that is not the one served."""
        if name != self._card.name or version not in (None, self._card.version):
            requested = name if version is None else f"{name} {version}"
            message = f"There is no model {requested}; this server has {self._card.name} {self._card.version}."
            raise RequestError("not_found", message)

    def metadata(self) -> ModelMetadata:
        """The tensors and their columns."""
        labels = [label.name for label in self._card.labels]
        width = self._card.architecture.representation_size
        return ModelMetadata(
            name=self._card.name,
            versions=[self._card.version],
            platform="onnx_onnxv1",
            inputs=[TensorMetadata(name="text", datatype="BYTES", shape=[-1])],
            outputs=[
                TensorMetadata(name="label", datatype="BYTES", shape=[-1]),
                TensorMetadata(
                    name="probabilities", datatype="FP32", shape=[-1, len(labels)], parameters={"labels": labels}
                ),
                *self._confident_metadata(),
                TensorMetadata(name="token_count", datatype="INT32", shape=[-1]),
                TensorMetadata(name="representations", datatype="FP32", shape=[-1, -1, width]),
            ],
        )

    def infer(self, body: bytes, json_length: int | None = None) -> tuple[InferResponse, bytes]:
        """Answer one request; the bytes are those of the tensors requested as bytes.

        Args:
            body: the JSON object, followed by the bytes of the input if it has any.
            json_length: bytes of the JSON object; all by default.

        Raises:
            RequestError: the first problem of the request, or the first text that cannot be answered.
        """
        request = _parsed(body[:json_length])
        requested = request.outputs or [InferOutput(name=name) for name in DEFAULT_OUTPUTS]
        texts = _texts(request.inputs[0], body[len(body) if json_length is None else json_length :])
        results = self._results(texts, represent=any(output.name == "representations" for output in requested))
        tensors: list[ResponseTensor] = []
        binary: list[bytes] = []
        for output in requested:
            tensor = self._tensor(output.name, results)
            if _as_bytes(request, output):
                binary.append(pack(tensor))
                tensor = without_data(tensor, len(binary[-1]))
            tensors.append(tensor)
        response = InferResponse.model_construct(
            model_name=self._card.name, model_version=self._card.version, id=request.id, outputs=tensors
        )
        return response, b"".join(binary)

    def _results(self, texts: list[str], *, represent: bool) -> Sequence[PredictResult | RepresentResult]:
        answer = (
            self._predictor.represent(RepresentRequest(texts=texts, encoding="base64", truncate="never"))
            if represent
            else self._predictor.predict(PredictRequest(texts=texts, truncate="never"))
        )
        if answer.errors:
            first = answer.errors[0]
            raise RequestError("bad_request", f"text {first.index}: {first.message}")
        return answer.results

    def _tensor(self, name: Output, results: Sequence[PredictResult | RepresentResult]) -> ResponseTensor:
        if name == "label":
            return ResponseTensor(
                name=name, datatype="BYTES", shape=[len(results)], data=[result.label for result in results]
            )
        if name == "confident":
            return self._confident(results)
        if name == "token_count":
            counts = [result.token_count for result in results]
            return ResponseTensor(name=name, datatype="INT32", shape=[len(results)], data=counts)
        if name == "probabilities":
            return _floats(name, np.array([list(result.scores.values()) for result in results], dtype=np.float32))
        return _floats(name, self._padded([result for result in results if isinstance(result, RepresentResult)]))

    def _confident_metadata(self) -> list[TensorMetadata]:
        if self._card.calibration.target_accuracy is None:
            return []
        return [TensorMetadata(name="confident", datatype="BOOL", shape=[-1])]

    def _confident(self, results: Sequence[PredictResult | RepresentResult]) -> ResponseTensor:
        flags = [result.confident for result in results if result.confident is not None]
        if len(flags) < len(results):
            message = "outputs: this model has no threshold, so whether an answer is confident is not known"
            raise RequestError("bad_request", message)
        return ResponseTensor(name="confident", datatype="BOOL", shape=[len(results)], data=flags)

    def _padded(self, results: Sequence[RepresentResult]) -> NDArray[np.float32]:
        """(texts, tokens of the longest, width), with zeros after each text's ``token_count`` tokens."""
        width = self._card.architecture.representation_size
        shape = (len(results), max(result.token_count for result in results), width)
        if np.prod(shape) > self._max_numbers:
            message = (
                f"The representations would be a tensor of {' x '.join(map(str, shape))} numbers, and the limit is "
                f"{self._max_numbers:,}; send fewer texts, or texts of similar length."
            )
            raise RequestError("bad_request", message)
        padded = np.zeros(shape, dtype=np.float32)
        for row, result in enumerate(results):
            data = base64.b64decode(str(result.representations[0].data))
            padded[row, : result.token_count] = np.frombuffer(data, dtype="<f4").reshape(-1, width)
        return padded


def _parsed(body: bytes) -> InferRequest:
    try:
        request = parse_json(InferRequest, body)
    except RequestError as problem:
        if problem.code == "invalid_json":
            raise
        message = f"{problem.param}: {problem.message}" if problem.param else problem.message
        raise RequestError("bad_request", message) from None
    for index, output in enumerate(request.outputs or ()):
        # Triton's request for the n most probable classes in place of the tensor: a client would misread our answer.
        for parameter in CLASSIFICATION.intersection(output.parameters or ()):
            if output.parameters and output.parameters[parameter]:
                message = f"outputs.{index}.parameters.{parameter}: this server has no classification extension"
                raise RequestError("bad_request", f"{message}; the output probabilities has every label's score")
    return request


def _texts(tensor: InferInput, binary: bytes) -> list[str]:
    if tensor.data is None:
        if (tensor.parameters or {}).get("binary_data_size") != len(binary):
            message = "inputs.0.data: there should be data, or binary_data_size bytes after the JSON object"
            raise RequestError("bad_request", message)
        texts = list(unpack_strings(binary))
    else:
        texts = [text for row in tensor.data for text in ([row] if isinstance(row, str) else row)]
    if tensor.shape[0] != len(texts) or tensor.shape[1:] not in ([], [1]):
        message = f"inputs.0.shape: {tensor.shape} does not fit {len(texts)} texts; it should be [{len(texts)}]"
        raise RequestError("bad_request", message)
    if not texts:
        raise RequestError("bad_request", "inputs.0.data: there should be at least one text")
    return texts


def _as_bytes(request: InferRequest, output: InferOutput) -> bool:
    by_default = (request.parameters or {}).get("binary_data_output", False)
    return (output.parameters or {}).get("binary_data", by_default) is True


def _floats(name: Output, numbers: NDArray[np.float32]) -> ResponseTensor:
    """A tensor of numbers, built without validation: pydantic would look at every number, and there may be millions."""
    return ResponseTensor.model_construct(
        name=name, datatype="FP32", shape=list(numbers.shape), data=numbers.ravel().tolist()
    )
