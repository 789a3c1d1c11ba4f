"""This model as a runtime of MLServer, which has an environment of its own: mlserver-requirements.txt."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from model_store import SentimentModel


class SentimentRuntime(MLModel):
    """Texts to labels and scores, in the Open Inference Protocol."""

    async def load(self) -> bool:
        """Load the model."""
        self.sentiment = SentimentModel.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request."""
        answers = self.sentiment.predict(StringCodec.decode_input(payload.inputs[0]))
        labels = [answer.label for answer in answers]
        scores = np.array([list(answer.scores.values()) for answer in answers])  # (texts, labels)
        return InferenceResponse(
            model_name=self.name,
            outputs=[StringCodec.encode_output("label", labels), NumpyCodec.encode_output("scores", scores)],
        )
