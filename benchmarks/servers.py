"""The servers that ``serving`` compares, each started as its users start it, in its own process.

``python -m benchmarks.servers NAME PORT`` runs the server of FastAPI or of LitServe, with this model or, as
``fastapi-distilbert`` and ``litserve-distilbert``, with a pipeline of transformers around a network of DistilBERT's
size. Its weights are random, which changes no time; it has this model's tokenizer, and so as many tokens.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import bentoml
import litserve
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from model_store import SentimentModel
from model_store import bundle as bundles
from service.predictor import Predictor
from service.schemas import PredictRequest, PredictResponse
from service.settings import Settings


class EmptyRequest(BaseModel):
    """The request body of the service."""

    texts: list[str]


class EmptyResponse(BaseModel):
    """A minimal response."""

    label: str


@bentoml.service(name="empty")
class EmptyService:
    """An endpoint of BentoML that computes nothing."""

    @bentoml.api(route="/v1/predict")
    async def predict(self, _request: EmptyRequest, /) -> EmptyResponse:
        """Return a constant."""
        return EmptyResponse(label="positive")


class Label(BaseModel):
    """What a pipeline of transformers says of a text."""

    label: str
    score: float


class Labels(BaseModel):
    """The response of a pipeline."""

    results: list[Label]


Answer = Callable[[PredictRequest], BaseModel]


class SentimentAPI(litserve.LitAPI):
    """The model as an API of LitServe, which runs it in another process."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model."""
        self.answer = this_model()

    def decode_request(self, request: PredictRequest) -> PredictRequest:
        """Declare the type of the body to LitServe."""
        return request

    def predict(self, x: PredictRequest) -> PredictResponse:
        """Answer one request."""
        return self.answer(x)

    def encode_response(self, output: PredictResponse) -> PredictResponse:
        """Leave the JSON to LitServe."""
        return output


class PipelineAPI(litserve.LitAPI):
    """The pipeline as an API of LitServe."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Make the pipeline."""
        self.answer = distilbert()

    def decode_request(self, request: PredictRequest) -> PredictRequest:
        """As above."""
        return request

    def predict(self, x: PredictRequest) -> Labels:
        """As above."""
        return self.answer(x)

    def encode_response(self, output: Labels) -> Labels:
        """As above."""
        return output


def this_model() -> Callable[[PredictRequest], PredictResponse]:
    """The model behind the service's schemas, without a request's limits; the answer as one object of its schema."""
    predictor = Predictor(SentimentModel.load(), Settings())

    def answer(request: PredictRequest) -> PredictResponse:
        whole = predictor.predict(request)
        return PredictResponse(model=whole.model, results=list(whole.results), errors=list(whole.errors))

    return answer


def distilbert() -> Callable[[PredictRequest], Labels]:
    """A pipeline of transformers as its users make it: torch, 32 bits; on one thread, as the others."""
    import torch  # noqa: PLC0415 - the other servers must not pay for it
    from tokenizers import Tokenizer  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        DistilBertConfig,
        DistilBertForSequenceClassification,
        PreTrainedTokenizerFast,
        pipeline,
    )

    torch.set_num_threads(1)
    torch.manual_seed(0)
    pieces = Tokenizer.from_buffer(bundles.read(bundles.resolve("default")).tokenizer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, unk_token="[UNK]")  # noqa: S106
    config = DistilBertConfig()
    config.num_labels = 3
    classify = pipeline("text-classification", model=DistilBertForSequenceClassification(config), tokenizer=tokenizer)

    def answer(request: PredictRequest) -> Labels:
        texts = [text for text in request.texts if text is not None]
        return Labels(results=[Label(**result) for result in classify(texts)])

    return answer


def serve_with_litserve(api: litserve.LitAPI, port: int) -> None:
    """Run LitServe until the process ends."""
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False)


def serve_with_fastapi(answer: Answer, response: type[BaseModel], port: int) -> None:
    """Run FastAPI on uvicorn until the process ends."""
    app, executor = FastAPI(), ThreadPoolExecutor(1)

    @app.post("/v1/predict", response_model=response)
    async def predict(request: PredictRequest) -> BaseModel:
        return await asyncio.get_running_loop().run_in_executor(executor, answer, request)

    uvicorn.run(app, host="127.0.0.1", port=port)


SERVERS: dict[str, Callable[[int], None]] = {
    "fastapi": lambda port: serve_with_fastapi(this_model(), PredictResponse, port),
    "fastapi-distilbert": lambda port: serve_with_fastapi(distilbert(), Labels, port),
    "litserve": lambda port: serve_with_litserve(SentimentAPI(api_path="/v1/predict"), port),
    "litserve-distilbert": lambda port: serve_with_litserve(PipelineAPI(api_path="/v1/predict"), port),
}


if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
