"""How much to train, from the number of texts: what works with 8 examples a label and with 100,000."""

import math
from dataclasses import dataclass

MOST_VALIDATION = 2000
"""More texts would make no better choice of an epoch, and no better temperature."""

FEWEST_TO_CHOOSE = 1000
"""With fewer validation texts a figure of theirs is off by several points, and the best of some epochs is the luckiest.
The last one is kept then, where the learning rate has come down to 0, and nothing stops early."""

FEWEST_TO_CALIBRATE = 50
"""With fewer validation texts, a temperature says more about them than about the model."""

TEACHER_BATCH_SIZE = 16
TEACHER_LEARNING_RATE = 5e-5
"""With these a transformer is fine-tuned, small or of base size."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The amounts of one adaptation.

    Attributes:
        epochs: passes over the training texts, if nothing stops earlier.
        batch_size: texts a step.
        learning_rate: of the head.
        chooses: whether the validation texts choose the best epoch and stop the training.
        calibrates: whether scores are calibrated on the validation texts.
        teacher_epochs: passes of a teacher over the training texts.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    chooses: bool
    calibrates: bool
    teacher_epochs: int

    @classmethod
    def of(cls, texts: int, *, validation: int, multi_label: bool = False, taught: bool = False) -> "Plan":
        """The plan for so many texts to train on and to validate with.

        Texts with any number of labels get twice the passes: each of many labels learns from few of them. (5,400
        comments with 28 emotions: macro-F1 36.8 after 4 epochs and 39.5 after 8.) So do texts with a teacher's scores,
        which can be imitated for long without harm (Beyer et al. 2022). (2,700 tweets, and 6,351 without labels: 78.1
        after 5 epochs and 78.7 after 10.)

        Epochs times texts grow with the square root of the texts: 10 passes over few hundred, 3 over many thousand. Of
        few texts little can be learned that the head, which is fitted first, does not know, so the rate is low then.
        With a teacher it is twice as high: there is more to learn than labels. (The same tweets: 78.7 with 1e-3, 79.2
        with 2e-3, 79.0 with 4e-3.)
        """
        return cls(
            epochs=min(10, max(3, round(270 / math.sqrt(max(1, texts)))) * (2 if multi_label or taught else 1)),
            batch_size=8 if texts < 200 else 32 if texts < 20_000 else 64,  # noqa: PLR2004
            learning_rate=(2e-3 if taught else 1e-3) * min(1.0, texts / 1000),
            chooses=validation >= FEWEST_TO_CHOOSE,
            calibrates=validation >= FEWEST_TO_CALIBRATE,
            teacher_epochs=min(8, max(2, round(160 / math.sqrt(max(1, texts))))),
        )


def validation_share(texts: int) -> float:
    """The part of the texts that is held out for validation where no file is given."""
    return min(0.1, MOST_VALIDATION / texts)
