"""Settings come from SENTIMENT_* variables, and a wrong one is named."""

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, named_keys, read_settings


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
        "model_sha256": "ab" * 32,
        "shadow": "/other",
        "shadow_share": 0.5,
        "feedback": Path("/feedback.db"),
        "feedback_texts": True,
        "feedback_max_bytes": 2**21,
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
        "stream_idle_seconds": 7.5,
        "max_bytes_in_flight": 8192,
        "drift_window": 500,
        "max_resident_bytes": 2**30,
        "deadline_seconds": 1.5,
        "drain_seconds": 0.0,
        "grace_seconds": 45.0,
        "keep_alive_seconds": 90.0,
        "head_seconds": 5.0,
        "max_connections": 100,
        "unsupported_language": "flag",
        "keys_file": Path("/keys.toml"),
        "access_log": False,
        "access_log_format": "json",
    }
    lists = {
        "api_keys": ("0123456789abcdef", "fedcba9876543210"),
        "cors_origins": ("https://a.example", "http://localhost:8000"),
        "adapters": ("tei", "openai"),
        "languages": ("en", "de"),
    }
    assert set(values) | set(lists) | {"models"} == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"SENTIMENT_{name.upper()}", str(value))
    for name, parts in lists.items():
        monkeypatch.setenv(f"SENTIMENT_{name.upper()}", " , ".join(parts))
    settings = read_settings()
    assert settings.model_dump(exclude={*lists, "models"}) == values
    assert tuple(key.get_secret_value() for key in settings.api_keys) == lists["api_keys"]
    assert settings.cors_origins == lists["cors_origins"]
    assert settings.adapters == lists["adapters"]
    assert settings.languages == lists["languages"]


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
        ("API_KEYS", "a-name-of-a-key:short"),
        ("ACCESS_LOG_FORMAT", "xml"),
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


def test_a_key_may_have_a_name(monkeypatch):
    monkeypatch.setenv(
        "SENTIMENT_API_KEYS", "shop:0123456789abcdef, fedcba9876543210, no name:0123456789abc,a:b:" + 14 * "c"
    )
    assert named_keys(read_settings()) == [
        ("shop", "0123456789abcdef"),
        ("#2", "fedcba9876543210"),
        ("#3", "no name:0123456789abc"),  # a name has no spaces
        ("a", "b:cccccccccccccc"),
    ]


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


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SENTIMENT_MAX_TEXT", "SENTIMENT_MAX_TEXTS"),
        ("SENTIMENT_THREAD", "SENTIMENT_THREADS"),
        ("SENTIMENT_KEEPALIVE_SECONDS", "SENTIMENT_KEEP_ALIVE_SECONDS"),
        ("sentiment_wokers", "SENTIMENT_WORKERS"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(monkeypatch, name, nearest):
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"{name}: there is no such setting; the nearest is {nearest}$"):
        read_settings()


@pytest.mark.parametrize(
    "name",
    [
        # https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
        "SENTIMENT_SERVICE_HOST",
        "SENTIMENT_SERVICE_PORT",
        "SENTIMENT_SERVICE_PORT_HTTP",
        "SENTIMENT_PORT",
        "SENTIMENT_PORT_3000_TCP",
        "SENTIMENT_PORT_3000_TCP_ADDR",
        "SENTIMENT_API_V2_SERVICE_HOST",
        "SENTIMENT_API_V2_PORT_3000_TCP_PROTO",
        "SENTIMENT_DATA",  # of the tests, whatever the service
    ],
)
def test_variables_that_kubernetes_sets_for_a_service_of_this_name_are_no_settings(monkeypatch, name):
    monkeypatch.setenv(name, "tcp://10.0.0.1:3000")
    read_settings()


@pytest.mark.parametrize("value", ["ab", "AB" * 32, "xy" * 32])
def test_a_hash_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("SENTIMENT_MODEL_SHA256", value)
    with pytest.raises(SettingsError, match=f"SENTIMENT_MODEL_SHA256={value}: "):
        read_settings()


def test_several_models_take_the_place_of_one(monkeypatch):
    monkeypatch.setenv("SENTIMENT_MODELS", " default, reviews=production ,./tickets ")
    assert read_settings().models == ("default", "reviews=production", "./tickets")
    monkeypatch.setenv("SENTIMENT_MODEL", "default")
    with pytest.raises(SettingsError, match="SENTIMENT_MODEL and SENTIMENT_MODELS are both set"):
        read_settings()
