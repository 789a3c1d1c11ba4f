"""The objects of the Open Inference Protocol, version 2, which KServe, Triton, MLServer and others use.

https://github.com/kserve/open-inference-protocol, ``specification/protocol/inference_rest.md``. Unknown members and
parameters of a request are ignored, as the protocol asks: clients send some to every server.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    field_validator,
)
from pydantic_core import PydanticCustomError

from service.schemas import EXAMPLE_TEXT, Text, one_problem

Datatype = Literal["BYTES", "BOOL", "FP32", "INT32"]
Output = Literal["label", "labels", "probabilities", "confident", "token_count", "representations"]

Texts = Annotated[list[Text], Field(fail_fast=True)]
Columns = Annotated[list[Texts], Field(fail_fast=True)]


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, protected_namespaces=())


class _RequestObject(_Object):
    model_config = ConfigDict(extra="ignore", strict=True)


class InferInput(_RequestObject):
    """The one input tensor: texts."""

    name: Literal["text"]
    shape: list[int] = Field(min_length=1, max_length=2, description="[n] or [n, 1], for n texts.", examples=[[1]])
    datatype: Literal["BYTES"]
    parameters: dict[str, Any] | None = Field(
        default=None, description="`binary_data_size` instead of `data`, if the texts follow as bytes."
    )
    data: Annotated[
        Texts | Columns | None, one_problem("Input should be a list of strings, or of lists of one string")
    ] = Field(default=None, description="The texts, as a list or as n lists of one.", examples=[[EXAMPLE_TEXT]])


class InferOutput(_RequestObject):
    """A requested tensor."""

    name: Output
    parameters: dict[str, Any] | None = Field(
        default=None, description="With `binary_data` true, the tensor comes as bytes behind the JSON object."
    )


class InferRequest(_RequestObject):
    """Texts as a tensor, and the tensors requested of them."""

    id: str | None = Field(default=None, description="Comes back in the response.", examples=["42"])
    parameters: dict[str, Any] | None = Field(
        default=None, description="With `binary_data_output` true, all tensors come as bytes behind the JSON object."
    )
    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[InferOutput] | None = Field(
        default=None,
        max_length=len(get_args(Output)),
        description='Each at most once. By default "label" ("labels" if the model is multi-label) and "probabilities"; '
        "others only when named.",
    )

    @field_validator("outputs")
    @classmethod
    def _each_once(cls, outputs: list[InferOutput] | None) -> list[InferOutput] | None:
        names = [output.name for output in outputs or ()]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise PydanticCustomError("repeated", "The output {name} should be named once", {"name": twice})
        return outputs


class ResponseTensor(_Object):
    """An output tensor, its numbers row after row."""

    name: str = Field(examples=["probabilities"])
    datatype: Datatype = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[1, 3]])
    parameters: dict[str, Any] | None = Field(default=None, description="`binary_data_size`, if `data` is absent.")
    data: list[str] | list[bool] | list[float] | list[int] | None = Field(default=None, examples=[[0.01, 0.02, 0.97]])


class InferResponse(_Object):
    """The requested tensors, in the order of the request."""

    model_name: str
    model_version: str
    id: str | None = Field(default=None, description="The request's.", examples=["42"])
    outputs: list[ResponseTensor]


class TensorMetadata(_Object):
    """An input or output tensor; -1 means any size."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: dict[str, Any] | None = Field(default=None, description="`labels` names the columns.")


class ModelMetadata(_Object):
    """The inputs and outputs of the model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(_Object):
    """Name and extensions of the server."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(_Object):
    """The process runs."""

    live: bool


class ServerReady(_Object):
    """The model is loaded, verified and has answered once."""

    ready: bool


class ModelReady(_Object):
    """The model is ready."""

    name: str
    ready: bool


class RepositoryModel(_Object):
    """A model of this server, loaded or not (extension model_repository)."""

    name: str
    version: str | None = None
    state: Literal["READY", "UNAVAILABLE"]
    reason: str | None = None


class RepositoryIndex(RootModel[list[RepositoryModel]]):
    """All models of this server."""
