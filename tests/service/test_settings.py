"""Settings come from SENTIMENT_* variables, and a wrong one is named."""

import pytest

from service.settings import Settings, SettingsError, read_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SENTIMENT_{name.upper()}", raising=False)


def test_the_defaults():
    settings = read_settings()
    assert settings.model == "default"
    assert settings.max_body_bytes == 8 * 1024 * 1024
    assert settings.max_texts == 256
    assert settings.threads >= 1


def test_every_setting_can_be_set(monkeypatch):
    values = {"model": "/bundle", "max_body_bytes": 2048, "max_texts": 3, "max_characters": 40, "threads": 5}
    assert set(values) == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"SENTIMENT_{name.upper()}", str(value))
    assert read_settings().model_dump() == values


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    monkeypatch.setenv("SENTIMENT_MAX_TEXTS", "")
    assert read_settings().max_texts == 256


def test_every_invalid_setting_is_named_with_its_value(monkeypatch):
    monkeypatch.setenv("SENTIMENT_MAX_TEXTS", "0")
    monkeypatch.setenv("SENTIMENT_THREADS", "many")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "SENTIMENT_MAX_TEXTS=0" in str(caught.value)
    assert "SENTIMENT_THREADS=many" in str(caught.value)


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())
