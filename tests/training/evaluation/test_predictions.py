"""Calibration and figures of a bundle's answers, from answers made by hand."""

import numpy as np
import pytest

from model_store import SentimentModel
from model_store.manifest import Calibration
from model_store.softmax import softmax
from training.data.examples import DataError, Example
from training.evaluation.calibration import calibrate
from training.evaluation.metrics import measurements
from training.evaluation.predictions import Predictions, concatenate, predict_file
from training.evaluation.selective import risk_coverage

LABELS = ("negative", "neutral", "positive")


def of_scores(scores, true, *, data="a/b.csv", temperature=1.0, unknown_share=None):
    """Answers whose scores at a temperature are these."""
    unknown = np.zeros(len(true)) if unknown_share is None else np.array(unknown_share)
    words = np.full(len(true), 20)
    return Predictions(data, temperature * np.log(np.array(scores)), np.array(true), unknown, words, skipped=0)


def two_ways(right, wrong, *, score):
    """So many right and wrong answers with this score for the first of two labels."""
    return [[score, 1 - score]] * (right + wrong), [0] * right + [1] * wrong


def test_the_threshold_is_chosen_on_the_scores_that_the_temperature_gives():
    # 39 of 40 right at logit log(0.9/0.1), 12 of 20 right at log(0.6/0.4). Whatever the temperature, the first are
    # kept alone for 95%, and the threshold lies half way between the two calibrated scores.
    sure, unsure = two_ways(39, 1, score=0.9), two_ways(12, 8, score=0.6)
    measured = of_scores([*sure[0], *unsure[0]], [*sure[1], *unsure[1]])
    calibration = calibrate(measured, target_accuracy=0.95)
    temperature = calibration.temperature
    high, low = (1 / (1 + ((1 - score) / score) ** (1 / temperature)) for score in (0.9, 0.6))
    assert calibration.threshold == pytest.approx((high + low) / 2)
    assert (calibration.data, calibration.rows, calibration.target_accuracy) == ("a/b.csv", 60, 0.95)
    kept = risk_coverage(measured, calibration)
    assert (kept.confident.coverage, kept.confident.accuracy) == (pytest.approx(40 / 60), pytest.approx(39 / 40))
    assert kept.points[0].accuracy == pytest.approx(51 / 60)


def test_an_accuracy_out_of_reach_leaves_no_threshold_and_nothing_confident():
    calibration = calibrate(of_scores(*two_ways(30, 30, score=0.7)), target_accuracy=0.95)
    assert calibration.threshold is None
    assert calibration.is_confident(1.0) is False
    assert risk_coverage(of_scores(*two_ways(30, 30, score=0.7)), calibration).confident is None


def test_an_accuracy_that_all_answers_have_makes_all_confident():
    calibration = calibrate(of_scores(*two_ways(39, 1, score=0.7)), target_accuracy=0.95)
    assert calibration.threshold == 0.0
    assert calibration.is_confident(0.34) is True


def test_several_files_count_text_by_text():
    few, many = of_scores(*two_ways(5, 5, score=0.8), data="few"), of_scores(*two_ways(80, 10, score=0.8), data="many")
    both = calibrate(concatenate([few, many]), target_accuracy=0.8)
    # 85 of 100 right at one score: the calibrated score is 0.85, whichever file the texts came from.
    assert both.data == "few + many"
    assert both.rows == 100
    assert softmax(few.logits[:1], temperature=both.temperature)[0, 0] == pytest.approx(0.85, abs=1e-6)
    assert both.threshold == 0.0


def test_figures_have_intervals_their_data_and_what_measured_them():
    outcomes = of_scores(*two_ways(30, 10, score=0.75)).outcomes(temperature=1.0, polarities=[-1, 1])
    found = measurements(outcomes, data="a/b.csv", command="measure it")
    by_name = {figure.metric: figure for figure in found}
    assert set(by_name) == {"accuracy", "macro_f1", "calibration_error", "polar_accuracy"}
    accuracy = by_name["accuracy"]
    assert (accuracy.data, accuracy.rows, accuracy.value, accuracy.command) == ("a/b.csv", 40, 0.75, "measure it")
    assert accuracy.low < 0.75 < accuracy.high
    assert by_name["calibration_error"].value == pytest.approx(0, abs=1e-9)


def test_a_text_without_a_token_is_left_out_of_a_bundles_answers(tiny_bundle):
    model = SentimentModel.load(tiny_bundle)
    texts = ["fine", " \u00a0 ", "cold soup"]
    examples = [Example(text, "neutral", line) for line, text in enumerate(texts, start=1)]
    found = predict_file(model.runner, examples, labels=LABELS, data="some.csv")
    assert found.skipped == 1
    assert found.true.tolist() == [1, 1]
    direct = model.predict(["fine", "cold soup"])
    np.testing.assert_allclose(found.logits, [answer.logits for answer in direct], atol=1e-6)
    scores = softmax(found.logits, temperature=1.5)  # the bundle's
    np.testing.assert_allclose(scores, [list(answer.scores.values()) for answer in direct], atol=1e-6)
    with pytest.raises(DataError, match=r"some\.csv: no text has a token"):
        predict_file(model.runner, examples[1:2], labels=LABELS, data="some.csv")


def test_a_share_of_each_texts_tokens_is_made_unknown(tiny_bundle):
    model = SentimentModel.load(tiny_bundle)
    examples = [Example("fine fine fine fine fine fine fine fine fine zxqj", "neutral", 1)]
    shares = [
        predict_file(model.runner, examples, labels=LABELS, data="some.csv", made_unknown=share).unknown_share[0]
        for share in (0.0, 1.0)
    ]
    assert shares == [0.1, 1.0]
    half = predict_file(model.runner, examples, labels=LABELS, data="some.csv", made_unknown=0.5)
    assert half.unknown_share[0] in {0.5, 0.6}  # the word that is unknown anyway may be among the five
    all_unknown = predict_file(model.runner, examples, labels=LABELS, data="some.csv", made_unknown=1.0)
    (direct,) = model.predict([" ".join(["zxqj"] * 10)])
    np.testing.assert_array_equal(all_unknown.logits[0], direct.logits)


def test_the_limit_on_unknown_tokens_is_the_last_share_with_at_most_twice_the_errors_allowed():
    # For 95%, one answer in ten may be wrong. Up to 30% unknown tokens 9 of 10 are right, then 8, then 9 again.
    def predict(share):
        return of_scores(*two_ways(8, 2, score=0.9)) if share == 0.35 else of_scores(*two_ways(9, 1, score=0.9))

    measured = of_scores(*two_ways(39, 1, score=0.9))
    assert calibrate(measured, target_accuracy=0.95, predict_unknown=predict).max_unknown_share == 0.3
    always = calibrate(measured, target_accuracy=0.95, predict_unknown=lambda _: of_scores(*two_ways(9, 1, score=0.9)))
    assert always.max_unknown_share == 0.5
    never = calibrate(measured, target_accuracy=0.95, predict_unknown=lambda _: of_scores(*two_ways(5, 5, score=0.9)))
    assert never.max_unknown_share == 0.0


def test_without_a_threshold_there_is_no_limit_on_unknown_tokens():
    measured = of_scores(*two_ways(30, 30, score=0.7))
    assert calibrate(measured, target_accuracy=0.95, predict_unknown=lambda _: measured).max_unknown_share is None


def test_an_answer_to_a_text_of_unknown_tokens_is_not_counted_as_confident():
    measured = of_scores(*two_ways(3, 1, score=0.9), unknown_share=[0.0, 0.3, 0.31, 1.0])
    calibration = Calibration(
        temperature=1, data="a/b.csv", rows=4, threshold=0.0, target_accuracy=0.5, max_unknown_share=0.3
    )
    confident = risk_coverage(measured, calibration).confident
    assert (confident.coverage, confident.accuracy) == (0.5, 1.0)
