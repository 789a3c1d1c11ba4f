"""Keys with quotas, from a file that may change."""

import hashlib
import logging
import re

import pytest
from starlette.testclient import TestClient

from service import routes
from service.errors import RequestError
from service.middleware import keys
from service.middleware.keys import ApiKey, KeyRing, read_keys
from service.monitoring import metrics
from service.settings import Settings, SettingsError
from tests.support.served import served_models

SHOP, NIGHTLY, FIXED = "0123456789abcdef-shop", "0123456789abcdef-nightly", "0123456789abcdef-fixed"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test lets time pass."""
    now = [1000.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: now[0])

    def pass_by(seconds):
        now[0] += seconds

    return pass_by


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys.toml"
    digest = hashlib.sha256(NIGHTLY.encode()).hexdigest()
    path.write_text(
        f'[keys.shop]\nkey = "{SHOP}"\nrequests_per_minute = 3\ntexts_per_minute = 6\n'
        f'[keys.nightly]\nsha256 = "{digest}"\ntokens_per_minute = 60\n'
    )
    return path


def client(tiny_bundle, file):
    settings = Settings(keys_file=file, api_keys=FIXED)
    app = routes.create_app(settings)
    app.state.served = routes.serve(served_models(tiny_bundle, settings=settings), settings)
    return TestClient(app)


def ask(http, key, *texts):
    return http.post("/v1/predict", json={"texts": list(texts or ["fine"])}, headers={"X-API-Key": key})


def used(key):
    return {
        unit: family.labels(key)._value.get()
        for unit, family in (("requests", metrics.KEY_REQUESTS), ("texts", metrics.KEY_TEXTS))
    }


@pytest.mark.usefixtures("clock")
def test_a_limit_is_named_with_the_time_until_it_is_refilled(tiny_bundle, file):
    http = client(tiny_bundle, file)
    before = used("shop")
    assert [ask(http, SHOP).status_code for _ in range(3)] == [200] * 3
    refused = ask(http, SHOP)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "quota_exceeded")
    assert "The key shop has used up its 3 requests a minute" in error["message"]
    assert refused.headers["retry-after"] == "21"  # a third of a minute, rounded up
    assert {unit: count - before[unit] for unit, count in used("shop").items()} == {"requests": 3, "texts": 3}
    assert http.get("/v1/model", headers={"X-API-Key": SHOP}).status_code == 200  # computes nothing
    assert [ask(http, key).status_code for key in (FIXED, NIGHTLY)] == [200, 200]


def test_what_a_request_was_is_paid_back_with_time(tiny_bundle, file, clock):
    http = client(tiny_bundle, file)
    assert ask(http, SHOP, *["fine"] * 12).status_code == 200  # six more than a minute's worth
    assert "6 texts a minute" in ask(http, SHOP).text
    clock(60)
    assert ask(http, SHOP).status_code == 429  # the debt is paid, and nothing is left
    clock(11)
    assert ask(http, SHOP).status_code == 200


def test_tokens_count_too_and_also_those_of_a_stream(tiny_bundle, file):
    http = client(tiny_bundle, file)
    headers = {"X-API-Key": NIGHTLY, "content-type": "application/x-ndjson"}
    lines = b'{"text": "fine fine fine fine fine"}\n' * 20
    assert http.post("/v1/bulk", content=lines, headers=headers).text.count("\n") == 20
    assert "60 tokens a minute" in ask(http, NIGHTLY).text


def test_the_file_is_followed_and_what_is_left_stays(file, clock, caplog):
    ring = KeyRing(Settings(keys_file=file))
    ring.find(SHOP).charge(requests=5)
    shop = file.read_text().partition("[keys.nightly]")[0]
    file.write_text(f'{shop}[keys.new]\nkey = "{FIXED}"\n')
    assert ring.find(FIXED) is None  # it was looked at less than a second ago
    clock(1.1)
    assert ring.find(FIXED).name == "new"
    assert ring.find(NIGHTLY) is None
    file.write_text("[keys.shop")
    clock(1.1)
    with caplog.at_level(logging.ERROR):
        assert ring.find(SHOP).name == "shop"
    assert "the keys from before stay valid" in caplog.text
    with pytest.raises(RequestError, match="3 requests a minute"):
        ring.find(SHOP).check()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[keys.a]\nkey = "short-secret"\n', "keys.a.key: String should have at least 16 characters"),
        ("[keys.a]\n", "keys.a: Value error, give either key or sha256"),
        (f'[keys.a]\nkey = "{SHOP}"\ntexts_a_minute = 1\n', "keys.a.texts_a_minute: Extra inputs are not permitted"),
        (f'[keys.a]\nkey = "{SHOP}"\nshare = 1.5\n', "keys.a.share: Input should be less than or equal to 1"),
        (f'[keys.a]\nkey = "{SHOP}"\ntexts_per_minute = 0\n', "keys.a.texts_per_minute: Input should be greater"),
        (f'[keys."a b"]\nkey = "{SHOP}"\n', "keys.a b"),
        ("keys = 3\n", "keys: Input should be a valid dictionary"),
        ("[keys", "Expected ']'"),
    ],
)
def test_a_file_that_is_wrong_is_explained_without_a_key(tmp_path, content, expected):
    file = tmp_path / "keys.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=re.escape(expected)) as raised:
        read_keys(file)
    assert "short-secret" not in str(raised.value)
    with pytest.raises(SettingsError, match="SENTIMENT_KEYS_FILE="):
        KeyRing(Settings(keys_file=file))


def test_a_missing_file_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        KeyRing(Settings(keys_file=tmp_path / "none.toml"))


def test_a_key_holds_its_share_of_the_places_at_most():
    key, whole = ApiKey("nightly", b"", share=0.25), ApiKey("shop", b"")
    taken = [key.take_place("requests", of=8) for _ in range(2)]
    with pytest.raises(RequestError, match="The key nightly has 2 requests under way, its share") as refused:
        key.take_place("requests", of=8)
    assert (refused.value.code, refused.value.headers["retry-after"]) == ("quota_exceeded", "1")
    key.take_place("streams", of=3)  # at least one
    with pytest.raises(RequestError, match="1 streams under way"):
        key.take_place("streams", of=3)
    for _ in range(2):
        taken[0]()  # the second call has no effect
    key.take_place("requests", of=8)
    with pytest.raises(RequestError):
        key.take_place("requests", of=8)
    assert [whole.take_place("requests", of=8) for _ in range(9)]  # the service's own limit is enough


def test_a_stream_gives_its_place_back_at_its_end(tiny_bundle, file):
    file.write_text(f"{file.read_text()}share = 0.1\n")
    http = client(tiny_bundle, file)
    stream = {"headers": {"X-API-Key": NIGHTLY, "content-type": "application/x-ndjson"}}
    line = b'{"text": "fine"}\n'
    during = []

    def lines():
        yield line
        during.append(http.post("/v1/bulk", content=line, **stream).json()["error"]["code"])
        during.append([ask(http, key).status_code for key in (NIGHTLY, SHOP)])  # requests have places of their own

    for _ in range(2):
        assert http.post("/v1/bulk", content=lines(), **stream).status_code == 200
    assert during == ["quota_exceeded", [200, 200]] * 2


def test_a_key_without_limits_is_never_refused():
    key = ApiKey("free", b"")
    key.charge(requests=10**9, texts=10**9, tokens=10**9)
    key.check()
