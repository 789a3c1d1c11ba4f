"""How much an adaptation trains."""

import pytest

from training.adaptation.plan import Plan


@pytest.mark.parametrize(("texts", "epochs"), [(16, 10), (700, 10), (2_700, 5), (5_400, 4), (8_100, 3), (1_000_000, 3)])
def test_the_passes_fall_with_the_number_of_texts(texts, epochs):
    assert Plan.of(texts, validation=texts // 10).epochs == epochs


def test_several_labels_and_a_teacher_take_twice_the_passes_up_to_the_most():
    assert Plan.of(8_100, validation=900, multi_label=True).epochs == 6
    assert Plan.of(8_100, validation=900, taught=True).epochs == 6
    assert Plan.of(700, validation=70, taught=True).epochs == 10


def test_the_learning_rate_is_low_for_few_texts_and_higher_with_a_teacher():
    assert Plan.of(500, validation=50).learning_rate == 0.5e-3
    assert Plan.of(2_700, validation=300).learning_rate == 1e-3
    assert Plan.of(2_700, validation=300, taught=True).learning_rate == 2e-3


def test_few_validation_texts_choose_and_calibrate_nothing():
    assert Plan.of(400, validation=49) == Plan.of(400, validation=0)
    assert not Plan.of(400, validation=49).calibrates
    assert Plan.of(400, validation=50).calibrates
    assert not Plan.of(9_000, validation=999).chooses
    assert Plan.of(9_000, validation=1_000).chooses
