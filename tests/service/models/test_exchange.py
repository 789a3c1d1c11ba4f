"""Another bundle takes the place of the one that is served, in one worker and in all of them."""

import asyncio
import logging

import pytest

from model_store import bundle as bundles
from model_store import registry
from model_store.tags import Tag
from service.errors import RequestError
from service.models.exchange import ModelExchange, PinRenewal, load_pinned
from service.models.loaded import ModelLoader
from service.models.pins import PinFile, pinned
from service.models.references import ModelReference, read_all
from service.routes import ENDPOINTS
from service.settings import Settings

SETTINGS = Settings()


@pytest.fixture
def reference(bundle):
    return ModelReference("m", str(bundle))


@pytest.fixture
def file(tmp_path, reference):
    """The pins of a service that has just begun."""
    file = PinFile.in_folder(tmp_path)
    file.write(pinned(read_all([reference])))
    return file


def worker(reference, file):
    loader = ModelLoader(SETTINGS)
    served = load_pinned(file.read(), loader, ENDPOINTS)
    return ModelExchange({"m": reference}, served, loader, file), served


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def damage(folder):
    graph = folder / bundles.GRAPH
    graph.write_bytes(graph.read_bytes() + b" ")


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


def test_a_damaged_bundle_gets_in_nowhere(reference, file, bundle):
    exchange, models = worker(reference, file)
    before, pins = models.get(), file.read()
    damage(bundle)
    with pytest.raises(RequestError, match=r"model\.onnx.*SHA-256") as raised:
        asyncio.run(exchange.load("m"))
    assert raised.value.code == "bad_model"
    assert models.get() is before
    assert file.read() == pins


def test_what_changes_after_it_was_verified_is_not_loaded_and_the_others_are_followed(reference, file, renew, caplog):
    exchange, models = worker(reference, file)
    before = models.get()
    renew("2")
    PinRenewal({"m": reference}, file, lambda *_: None).renew()
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


def test_the_supervisor_pins_what_has_changed_and_counts_what_it_refuses(reference, file, bundle, renew, caplog):
    counted = []
    renewal = PinRenewal({"m": reference}, file, lambda *counts: counted.append(counts))
    renewal.renew_stages()  # a folder is no stage, so only renew looks at it
    renew("2")
    renewal.renew_stages()
    assert file.read()["m"].sha256 != reference.read().sha256
    renewal.renew()
    assert file.read()["m"].sha256 == reference.read().sha256
    damage(bundle)
    before = file.read()
    with caplog.at_level(logging.ERROR):
        renewal.renew()
    assert file.read() == before
    assert counted == [("m", "refused")]
    assert "the model m stays as it is" in caplog.text


def test_a_promotion_is_followed_and_one_that_cannot_be_served_is_tried_once(tmp_path, renew, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    for version in ("1", "2", "3"):
        registry.add(renew(version))
    registry.promote(Tag.parse("tiny:1"), "production")
    reference = ModelReference("m", "production")
    file = PinFile.in_folder(tmp_path)
    file.write(pinned(read_all([reference])))
    counted = []
    renewal = PinRenewal({"m": reference}, file, lambda *counts: counted.append(counts))
    registry.promote(Tag.parse("tiny:2"), "production")
    renewal.renew_stages()
    second = file.read()["m"]
    assert second.sha256 == reference.read().sha256
    registry.promote(Tag.parse("tiny:3"), "production")
    damage(bundles.resolve("tiny:3"))
    renewal.renew_stages()
    renewal.renew_stages()
    assert file.read()["m"] == second
    assert counted == [("m", "refused")]
    registry.promote(Tag.parse("tiny:1"), "production")
    renewal.renew_stages()
    assert file.read()["m"].path == bundles.resolve("tiny:1").resolve()
