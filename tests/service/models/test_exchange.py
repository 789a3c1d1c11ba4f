"""Another bundle takes the place of the one that is served, in one worker and in all of them."""

import asyncio

import pytest

from service.errors import RequestError
from service.models.exchange import ModelExchange, load_pinned
from service.models.loaded import ModelLoader
from service.models.pins import pinned
from service.models.references import read_all
from service.routes import ENDPOINTS
from service.settings import Settings

SETTINGS = Settings()


def worker(reference, file):
    loader = ModelLoader(SETTINGS)
    served = load_pinned(file.read(), loader, ENDPOINTS)
    return ModelExchange({"m": reference}, served, loader, file), served


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def test_a_load_finds_the_bundle_again_and_the_other_workers_follow(reference, file, renew):
    async def run():
        (one, models), (other, models_of_other) = worker(reference, file), worker(reference, file)
        following = asyncio.create_task(other.follow_pins())
        renew("2")
        await one.load("m")
        assert models.get().card.version == "2"
        await until(lambda: models_of_other.get().card.version == "2")
        await other.unload("m")
        following.cancel()
        following = asyncio.create_task(one.follow_pins())
        await until(lambda: models.sha256("m") is None)
        await one.load("m")
        following.cancel()
        assert models.get().card.version == "2"

    asyncio.run(run())


def test_a_load_of_the_same_bundle_does_nothing(reference, file):
    exchange, models = worker(reference, file)
    before, state = models.get(), file.read()
    asyncio.run(exchange.load("m"))
    assert models.get() is before
    assert file.read() == state


def test_a_damaged_bundle_gets_in_nowhere(reference, file, damage):
    exchange, models = worker(reference, file)
    before, pins = models.get(), file.read()
    damage()
    with pytest.raises(RequestError, match=r"model\.onnx.*SHA-256") as raised:
        asyncio.run(exchange.load("m"))
    assert raised.value.code == "bad_model"
    assert models.get() is before
    assert file.read() == pins


def test_what_changes_after_it_was_verified_is_not_loaded_and_the_others_are_followed(reference, file, renew, caplog):
    exchange, models = worker(reference, file)
    before = models.get()
    renew("2")
    file.pin("m", pinned(read_all([reference]))["m"])
    renew("3")

    async def follow():
        following = asyncio.create_task(exchange.follow_pins())
        await until(lambda: "the one before is still served" in caplog.text)
        following.cancel()

    asyncio.run(follow())
    assert models.get() is before
    assert "when it was verified" in caplog.text


def test_only_models_of_the_service_can_be_exchanged(reference, file):
    exchange, _ = worker(reference, file)
    for call in (exchange.load, exchange.unload):
        with pytest.raises(RequestError, match=r"There is no model other; this server was given m\."):
            asyncio.run(call("other"))
