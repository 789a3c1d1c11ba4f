"""An answer in pieces has the bytes of the whole, whether it is small or large."""

import asyncio
import json

import numpy as np
import pytest
from starlette.responses import StreamingResponse

from model_store import SentimentModel
from service.answers import WHOLE_BYTES, Lazy, gather, response
from service.predictor import Predictor
from service.schemas import PredictRequest, PredictResponse, RepresentRequest, RepresentResponse
from service.settings import Settings

TEXTS = ["The movie was fine. The soup was cold!", "", 'Quotes " and \\ and ]} and ""}', "fine " * 300, "\ud800"]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor(model, Settings())


@pytest.mark.parametrize("texts", [TEXTS, ["fine"], [""], ["", " "]])
@pytest.mark.parametrize("options", [{}, {"explain": True}, {"sentences": True}])
def test_the_pieces_of_a_prediction_are_the_json_of_its_schema(predictor, texts, options):
    answer = predictor.predict(PredictRequest(texts=texts, **options))
    written = b"".join(answer.pieces())
    whole = PredictResponse(model=answer.model, results=list(answer.results), errors=answer.errors)
    assert written == whole.model_dump_json().encode()


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("layers", [[-1], [1, 2]])
def test_the_pieces_of_representations_are_the_json_of_their_schema(model, predictor, encoding, layers):
    written = b"".join(predictor.represent(RepresentRequest(texts=TEXTS, encoding=encoding, layers=layers)).pieces())
    parsed = RepresentResponse.model_validate_json(written)
    assert parsed.model_dump_json().encode() == written
    assert [result.index for result in parsed.results] == [0, 2, 3]
    if encoding == "float":
        direct = model.represent([TEXTS[3]], layers=layers)[0].representations
        for representation in parsed.results[2].representations:
            np.testing.assert_array_equal(np.float32(representation.data), direct[representation.layer])


def sent(answer):
    """What a response sends: its headers, and its body piece by piece."""
    messages = []

    async def run():
        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            messages.append(message)

        scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
        await answer(scope, receive, send)

    asyncio.run(run())
    return dict(messages[0]["headers"]), [message["body"] for message in messages[1:] if message["body"]]


def test_a_small_answer_goes_out_as_a_whole_with_its_length():
    headers, pieces = sent(response(b"x" * 1024 for _ in range(WHOLE_BYTES // 1024)))
    assert headers[b"content-length"] == str(WHOLE_BYTES).encode()
    assert pieces == [b"x" * WHOLE_BYTES]


def test_a_large_answer_is_made_while_it_is_sent():
    made = []

    def pieces():
        for number in range(1000):
            made.append(number)
            yield b"%04d" % number * 256

    answer = response(pieces())
    assert isinstance(answer, StreamingResponse)
    assert len(made) < 400  # of 1,000
    headers, sent_pieces = sent(answer)
    assert b"content-length" not in headers
    assert max(map(len, sent_pieces)) < WHOLE_BYTES / 2
    assert b"".join(sent_pieces) == b"".join(b"%04d" % number * 256 for number in range(1000))


def test_gathering_keeps_every_byte_in_order():
    parts = [json.dumps(list(range(number))).encode() for number in range(300)]
    assert b"".join(gather(parts)) == b"".join(parts)


def test_a_lazy_sequence_is_read_like_a_list():
    squares = Lazy(5, lambda number: number * number)
    assert list(squares) == [0, 1, 4, 9, 16]
    assert (squares[-1], squares[1:3], len(squares)) == (16, [1, 4], 5)
    with pytest.raises(IndexError):
        squares[5]
