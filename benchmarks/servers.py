"""The servers that ``serving`` compares, each started as its users start it, in its own process.

``python -m benchmarks.servers NAME PORT`` runs the server of FastAPI or of LitServe.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import bentoml
import litserve
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from model_store import SentimentModel
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


class SentimentAPI(litserve.LitAPI):
    """The model as an API of LitServe, which runs it in another process."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model."""
        self.predictor = make_predictor()

    def decode_request(self, request: PredictRequest) -> PredictRequest:
        """Declare the type of the body to LitServe."""
        return request

    def predict(self, x: PredictRequest) -> PredictResponse:
        """Answer one request."""
        return whole_answer(self.predictor, x)

    def encode_response(self, output: PredictResponse) -> PredictResponse:
        """Leave the JSON to LitServe."""
        return output


def make_predictor() -> Predictor:
    """The model behind the service's schemas, without a request's limits."""
    return Predictor(SentimentModel.load(), Settings())


def whole_answer(predictor: Predictor, request: PredictRequest) -> PredictResponse:
    """The answer as one object of its schema."""
    answer = predictor.predict(request)
    return PredictResponse(model=answer.model, results=list(answer.results), errors=list(answer.errors))


def serve(name: str, port: int) -> None:
    """Run the server of LitServe or of FastAPI until the process ends."""
    if name == "litserve":
        server = litserve.LitServer(SentimentAPI(api_path="/v1/predict"), accelerator="cpu", workers_per_device=1)
        server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False)
        return
    app, predictor, executor = FastAPI(), make_predictor(), ThreadPoolExecutor(1)

    @app.post("/v1/predict")
    async def predict(request: PredictRequest) -> PredictResponse:
        return await asyncio.get_running_loop().run_in_executor(executor, whole_answer, predictor, request)

    uvicorn.run(app, host="127.0.0.1", port=port)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
