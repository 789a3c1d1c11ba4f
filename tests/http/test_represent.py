"""POST /v1/represent gives the model's numbers, in every encoding."""

import base64

import numpy as np
import pytest

from service.schemas import RepresentResponse

TEXT = "The movie was terribly exciting!"


def represent(client, **request):
    response = client.post("/v1/represent", json={"texts": [TEXT], **request})
    assert response.status_code == 200, response.text
    RepresentResponse.model_validate_json(response.content)
    return response.json()["results"]


def numbers(representation):
    """What a client makes of a representation, by its own description."""
    assert representation["byte_order"] == "little"
    if representation["encoding"] == "float":
        return np.array(representation["data"], dtype=representation["dtype"])
    dtype = np.dtype(representation["dtype"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(representation["data"]), dtype).reshape(representation["shape"])


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_encoding_gives_the_models_numbers(client, model, encoding, dtype):
    (result,) = represent(client, layers=[-1], encoding=encoding, dtype=dtype)
    (direct,) = model.represent([TEXT])
    (representation,) = result["representations"]
    assert representation["layer"] == model.manifest.architecture.layers
    assert representation["shape"] == list(numbers(representation).shape)
    np.testing.assert_array_equal(numbers(representation), direct.representations[2].astype(dtype))


def test_tokens_name_the_rows(client, model):
    (result,) = represent(client)
    (direct,) = model.represent([TEXT])
    assert result["tokens"] == [token._asdict() for token in direct.tokens]
    assert len(result["tokens"]) == result["representations"][0]["shape"][0]


def test_layers_come_in_the_order_asked_for_and_repeats_once(client, model):
    (result,) = represent(client, layers=[-1, 1, 2], encoding="base64")
    (direct,) = model.represent([TEXT], layers=[2, 1])
    assert [one["layer"] for one in result["representations"]] == [2, 1]
    for one in result["representations"]:
        np.testing.assert_array_equal(numbers(one), direct.representations[one["layer"]])


def test_the_two_directions_side_by_side_are_both(client, model):
    both, forward, backward = (
        numbers(represent(client, direction=direction)[0]["representations"][0])
        for direction in ("both", "forward", "backward")
    )
    assert forward.shape[1] == model.manifest.architecture.hidden_size
    np.testing.assert_array_equal(np.hstack([forward, backward]), both)


def test_the_forward_half_does_not_know_what_comes_later(client):
    (whole,) = represent(client, layers=[1], direction="forward")
    (part,) = represent(client, texts=["The movie was"], layers=[1], direction="forward")
    np.testing.assert_allclose(numbers(part["representations"][0]), numbers(whole["representations"][0])[:3], atol=1e-6)


@pytest.mark.parametrize("layer", [0, 3, -3, 10**30])
def test_an_unknown_layer_is_the_requests_error(client, layer):
    response = client.post("/v1/represent", json={"texts": [TEXT], "layers": [1, layer]})
    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_layer", "layers")
    assert str(layer) in error["message"]
