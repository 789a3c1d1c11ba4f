"""The language of each text: off without a trace, else told, counted and, if requested, refused."""

# ruff: noqa: RUF001 - letters of twenty languages look alike

import json
import sys

import pytest

from model_store import SentimentModel
from service.errors import RequestError
from service.languages import LanguageDetector, language_detector
from service.monitoring import metrics
from service.predictor import Predictor
from service.schemas import PredictRequest, RepresentRequest
from service.settings import Settings, SettingsError
from tests.support.paths import SAMPLE
from training.data.readers import read_examples

# The first sentence of the Universal Declaration of Human Rights.
DECLARATION = {
    "ar": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "cs": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "en": "All human beings are born free and equal in dignity and rights.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "hu": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "sv": "Alla människor äro födda fria och lika i värde och rättigheter.",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "zh": "人人生而自由,在尊严和权利上一律平等。",
}
TEXTS = [DECLARATION["en"], DECLARATION["de"], "fine"]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def predictor(model, **settings):
    return Predictor(model, Settings(**settings))


def written(answer):
    return json.loads(b"".join(answer.pieces()))


def test_by_default_languages_are_not_detected_and_the_package_is_not_needed(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "eldc", None)  # an import of it fails
    answer = written(predictor(model).predict(PredictRequest(texts=TEXTS)))
    assert [set(result) & {"language", "supported"} for result in answer["results"]] == [set(), set(), set()]


def test_a_start_without_the_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "eldc", None)
    with pytest.raises(SettingsError, match=r"pip install 'sentiment-encoder\[language\]'"):
        language_detector(Settings(unsupported_language="flag"))


def test_a_language_that_the_detector_does_not_know_is_named():
    with pytest.raises(SettingsError, match="SENTIMENT_LANGUAGES=en,english: english is not one of am, "):
        language_detector(Settings(unsupported_language="flag", languages="en,english"))


@pytest.mark.parametrize(("language", "text"), DECLARATION.items())
def test_a_sentence_has_its_language(language, text):
    detector = LanguageDetector(["en"], refuses=False)
    assert detector.detect(text) == (language, language == "en")


def test_english_reviews_are_supported():
    detector = LanguageDetector(["en"], refuses=False)
    texts = [example.text for example in read_examples(SAMPLE / "train.csv")]
    assert all(detector.detect(text).supported for text in texts)
    assert sum(detector.detect(text).language == "en" for text in texts) > 0.9 * len(texts)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Zwei Currywurst mit Pommes rotweiss", "de"),  # the detector is not sure, but it is near no English
        ("Currywurst, Pommes rotweiss", "und"),  # the same in a short text
        ("Hotel Adler, Zimmer mit Balkon, Garage", "und"),  # English is third
    ],
)
def test_what_is_near_no_language_of_the_model_is_told_unless_it_is_short(text, language):
    assert LanguageDetector(["en"], refuses=False).detect(text).language == language


def test_flag_gives_every_result_its_language(model):
    expected = [("en", True), ("de", False), ("und", True)]  # "fine" could be of several languages
    for answer in (
        predictor(model, unsupported_language="flag").predict(PredictRequest(texts=TEXTS)),
        predictor(model, unsupported_language="flag").represent(RepresentRequest(texts=TEXTS)),
    ):
        results = written(answer)["results"]
        assert [(result["language"], result["supported"]) for result in results] == expected


def test_the_languages_that_the_model_reads_are_a_setting(model):
    answer = predictor(model, unsupported_language="refuse", languages="de").predict(PredictRequest(texts=TEXTS))
    assert [(result.index, result.language) for result in answer.results] == [(1, "de"), (2, "und")]
    assert [(error.index, error.code) for error in answer.errors] == [(0, "unsupported_language")]
    assert answer.errors[0].message == "the text's language is en, and the model reads de"


def test_where_every_text_needs_an_answer_refusing_one_fails_the_request(model):
    with pytest.raises(RequestError, match="text 1: the text's language is de, and the model reads en"):
        predictor(model, unsupported_language="refuse").predict_all(TEXTS)
    assert len(predictor(model, unsupported_language="flag").predict_all(TEXTS)) == 3


def test_texts_are_counted_by_language_and_their_sentences_are_not(model):
    def counts():
        return [metrics.LANGUAGES.labels(language)._value.get() for language in ("en", "de", "und")]

    before = counts()
    request = PredictRequest(texts=[*TEXTS, f"{DECLARATION['de']} {DECLARATION['de']}"], sentences=True)
    written(predictor(model, unsupported_language="flag").predict(request))
    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [1, 2, 1]


def test_half_of_a_character_is_an_invalid_text_as_elsewhere(model):
    request = PredictRequest.model_construct(texts=["\ud800 fine", "fine"])
    answer = predictor(model, unsupported_language="flag").predict(request)
    assert [(error.index, error.code) for error in answer.errors] == [(0, "invalid_text")]
