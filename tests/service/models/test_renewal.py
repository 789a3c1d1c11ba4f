"""The supervisor finds the bundles of models again, and pins those that have changed."""

import logging

from model_store import bundle as bundles
from model_store import registry
from model_store.tags import Tag
from service.models.pins import PinFile, pinned
from service.models.references import ModelReference, read_all
from service.models.renewal import PinRenewal


def test_the_supervisor_pins_what_has_changed_and_counts_what_it_refuses(reference, file, renew, damage, caplog):
    counted = []
    renewal = PinRenewal({"m": reference}, file, lambda *counts: counted.append(counts))
    renewal.renew_stages()  # a folder is no stage, so only renew looks at it
    renew("2")
    renewal.renew_stages()
    assert file.read()["m"].sha256 != reference.read().sha256
    renewal.renew()
    assert file.read()["m"].sha256 == reference.read().sha256
    damage()
    before = file.read()
    with caplog.at_level(logging.ERROR):
        renewal.renew()
    assert file.read() == before
    assert counted == [("m", "refused")]
    assert "the model m stays as it is" in caplog.text


def test_a_promotion_is_followed_and_one_that_cannot_be_served_is_tried_once(tmp_path, renew, damage, monkeypatch):
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
