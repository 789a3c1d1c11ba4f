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
    assert settings.max_body_bytes == 2 * 1024 * 1024
    assert settings.max_texts == 256
    assert settings.threads >= 1


def test_every_setting_can_be_set(monkeypatch):
    values = {
        "model": "/bundle",
        "device": "cuda",
        "workers": 2,
        "threads": 5,
        "max_body_bytes": 2048,
        "max_texts": 3,
        "max_characters": 40,
        "max_request_tokens": 7,
        "max_request_numbers": 9,
        "max_in_flight": 11,
        "max_streams": 2,
        "max_bytes_in_flight": 8192,
        "max_resident_bytes": 2**30,
        "deadline_seconds": 1.5,
        "drain_seconds": 0.0,
        "keep_alive_seconds": 90.0,
        "access_log": False,
    }
    lists = {
        "api_keys": ("0123456789abcdef", "fedcba9876543210"),
        "cors_origins": ("https://a.example", "http://localhost:8000"),
    }
    assert set(values) | set(lists) == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"SENTIMENT_{name.upper()}", str(value))
    for name, parts in lists.items():
        monkeypatch.setenv(f"SENTIMENT_{name.upper()}", " , ".join(parts))
    settings = read_settings()
    assert settings.model_dump(exclude=set(lists)) == values
    assert tuple(key.get_secret_value() for key in settings.api_keys) == lists["api_keys"]
    assert settings.cors_origins == lists["cors_origins"]


def test_the_processors_are_divided_among_the_workers(monkeypatch):
    monkeypatch.setattr("service.settings.usable_cores", lambda: 8)
    assert read_settings().threads == 8
    monkeypatch.setenv("SENTIMENT_WORKERS", "3")
    assert read_settings().threads == 2
    monkeypatch.setenv("SENTIMENT_WORKERS", "16")
    assert read_settings().threads == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEVICE", "tpu"),
        ("API_KEYS", "short"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/page"),
        ("DEADLINE_SECONDS", "0"),
        ("WORKERS", "0"),
    ],
)
def test_what_cannot_be_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"SENTIMENT_{name}", value)
    with pytest.raises(SettingsError, match=f"SENTIMENT_{name}="):
        read_settings()


def test_a_refused_key_is_not_printed(monkeypatch):
    monkeypatch.setenv("SENTIMENT_API_KEYS", "topsecret,0123456789abcdef")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "topsecret" not in str(caught.value)


def test_limits_that_contradict_each_other_are_refused(monkeypatch):
    # A body of 1 MiB, twice, and 1,000 numbers of 5 bytes need 2,102,152 bytes.
    monkeypatch.setenv("SENTIMENT_MAX_BODY_BYTES", "1048576")
    monkeypatch.setenv("SENTIMENT_MAX_REQUEST_NUMBERS", "1000")
    monkeypatch.setenv("SENTIMENT_MAX_BYTES_IN_FLIGHT", "2102151")
    with pytest.raises(SettingsError, match="2102152"):
        read_settings()
    monkeypatch.setenv("SENTIMENT_MAX_BYTES_IN_FLIGHT", "2102152")
    assert read_settings().max_bytes_in_flight == 2_102_152


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
