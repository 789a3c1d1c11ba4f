"""The Open Inference Protocol (version 2), so that clients of KServe, Triton and MLServer can ask this model.

Texts are a tensor of BYTES; label, probabilities and, when named, representations are the outputs. A tensor cannot
express that a text has no answer or was truncated: such a text fails its request with an error that names it.
"""

from collections.abc import Sequence
from itertools import islice
from math import prod

import numpy as np

from model_store import Prediction
from service.errors import RequestError
from service.open_inference.binary_tensors import unpack_strings
from service.open_inference.inference import Inference, PaddedTensor, Tensor
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
from service.request_body import MAX_VALUES, parse_json
from service.schemas import ModelCard

CLASSIFICATION = {"classification", "class_count"}
"""Parameters of the protocol's classification extension."""


class OpenInferenceModel:
    """The served model in the terms of the protocol."""

    def __init__(self, predictor: Predictor, card: ModelCard, *, max_numbers: int) -> None:
        self._predictor = predictor
        self._card = card
        self._max_numbers = max_numbers

    @property
    def _labels(self) -> Output:
        """The output that says what a text is: one label, or for each label whether it is given."""
        return "label" if self._card.multi_label is None else "labels"

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
                TensorMetadata(name="label", datatype="BYTES", shape=[-1])
                if self._labels == "label"
                else TensorMetadata(
                    name="labels", datatype="BOOL", shape=[-1, len(labels)], parameters={"labels": labels}
                ),
                TensorMetadata(
                    name="probabilities", datatype="FP32", shape=[-1, len(labels)], parameters={"labels": labels}
                ),
                *self._confident_metadata(),
                TensorMetadata(name="token_count", datatype="INT32", shape=[-1]),
                TensorMetadata(name="representations", datatype="FP32", shape=[-1, -1, width]),
            ],
        )

    def infer(self, body: bytes, json_length: int | None = None) -> Inference:
        """Answer one request.

        Args:
            body: the JSON object, followed by the bytes of the input if it has any.
            json_length: bytes of the JSON object; all by default.

        Raises:
            RequestError: the first problem of the request, or the first text that cannot be answered.
        """
        request = _parsed(body if json_length is None else body[:json_length])
        binary = memoryview(body)[len(body) if json_length is None else json_length :]
        texts = _texts(request.inputs[0], binary)
        # Representations are left out by default: they are a thousand times larger than these.
        requested = request.outputs or [InferOutput(name=name) for name in (self._labels, "probabilities")]
        represented = any(output.name == "representations" for output in requested)
        predictions = self._predictor.predict_all(texts, layers=[-1] if represented else [])
        response = InferResponse(
            model_name=self._card.name, model_version=self._card.version, id=request.id, outputs=[]
        )
        tensors = [(self._tensor(output.name, predictions), _as_bytes(request, output)) for output in requested]
        return Inference(response, tensors)

    def _tensor(self, name: Output, predictions: Sequence[Prediction]) -> Tensor:
        shape = [len(predictions)]
        if name in {"label", "labels"}:
            return self._labels_tensor(name, predictions)
        if name == "confident":
            return ResponseTensor(name=name, datatype="BOOL", shape=shape, data=_flags(predictions))
        if name == "token_count":
            counts = [prediction.token_count for prediction in predictions]
            return ResponseTensor(name=name, datatype="INT32", shape=shape, data=counts)
        if name == "probabilities":
            numbers = np.array([list(prediction.scores.values()) for prediction in predictions], dtype=np.float32)
            return ResponseTensor(name=name, datatype="FP32", shape=list(numbers.shape), data=numbers.ravel().tolist())
        return self._padded(predictions)

    def _labels_tensor(self, name: Output, predictions: Sequence[Prediction]) -> ResponseTensor:
        """The label of each text; of a multi-label model, for each text and label whether it is given."""
        if name != self._labels:
            raise RequestError("bad_request", f"outputs: this model has no {name}; ask for {self._labels}")
        if name == "label":
            names = [prediction.label for prediction in predictions]
            return ResponseTensor(name=name, datatype="BYTES", shape=[len(names)], data=names)
        given = [label in prediction.labels for prediction in predictions for label in prediction.scores]
        return ResponseTensor(name=name, datatype="BOOL", shape=[len(predictions), len(self._card.labels)], data=given)

    def _confident_metadata(self) -> list[TensorMetadata]:
        if self._card.calibration.target_accuracy is None:
            return []
        return [TensorMetadata(name="confident", datatype="BOOL", shape=[-1])]

    def _padded(self, predictions: Sequence[Prediction]) -> PaddedTensor:
        (layer,) = predictions[0].representations
        tensor = PaddedTensor([prediction.representations[layer] for prediction in predictions])
        if prod(tensor.shape) > self._max_numbers:
            message = (
                f"The representations would be a tensor of {' x '.join(map(str, tensor.shape))} numbers, and the limit "
                f"is {self._max_numbers:,}; send fewer texts, or texts of similar length."
            )
            raise RequestError("bad_request", message)
        return tensor


def _flags(predictions: Sequence[Prediction]) -> list[bool]:
    flags = [prediction.confident for prediction in predictions if prediction.confident is not None]
    if len(flags) < len(predictions):
        message = "outputs: this model has no threshold, so whether an answer is confident is not known"
        raise RequestError("bad_request", message)
    return flags


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


def _texts(tensor: InferInput, binary: memoryview) -> list[str]:
    if tensor.data is None:
        if (tensor.parameters or {}).get("binary_data_size") != len(binary):
            message = "inputs.0.data: there should be data, or binary_data_size bytes after the JSON object"
            raise RequestError("bad_request", message)
        texts = list(islice(unpack_strings(binary), MAX_VALUES + 1))
        if len(texts) > MAX_VALUES:
            raise RequestError("too_many_texts", f"There are more than {MAX_VALUES:,} texts.")
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
