"""What a person may ask of an export, in words and types."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from model_store import BundleError
from model_store.manifest import Arithmetic
from training.data.readers import Format
from training.export.quantization import Storage
from training.export.reports import read_behavior, read_comparison

DESCRIPTION = """\
Proves the ONNX graph equal to the network, calibrates it, chooses from which score on an answer is confident, measures
all this, and writes a bundle with its card.

  python -m training export runs/sample/checkpoints/best.ckpt --to my-model
  python -m training export best.ckpt --to my-model --validation '[sst/dev.txt.gz, imdb/validation.jsonl.gz]'

Temperature and threshold are fitted on the texts of all validation files together, each text counting the same, so that
a bundle for several domains is calibrated on several. One label map serves all files: a label that it lacks stays as it
is where the model has it. The threshold is the smallest with which confident answers are right as often as
--target_accuracy says. Where all answers together are, every answer is confident; where not even the surest are (20
answers at least, for 95%), none is. Texts without a token are left out of everything, as in training.

--arithmetic int8 makes an LSTM about twice as fast on a processor and changes a probability by some thousandths, at
most 0.05 or no bundle is written; everything else is proven in 32 bits first. --min_count 5 makes a smaller file of a
pretrained vocabulary. Both come before everything that is measured.
"""

INTENDED_USE = (
    "Labelling texts of the kinds it was measured on, with the figures below as what to expect.",
    "Showing which words speak for a label: contributions are exact, and add up to the decision.",
)
NOT_INTENDED_FOR = (
    "Decisions about a person that no person reviews.",
    "Texts in another language, or of another kind, than it was measured on, without measuring it there first.",
)


class ExportError(ValueError):
    """The command was asked for something it cannot do; the message says what to pass."""


@dataclass(frozen=True)
class Options:
    """What a person asks of an export.

    Args:
        checkpoint: what ``fit`` wrote, such as runs/sample/checkpoints/best.ckpt.
        to: the bundle's folder.
        validation: labelled file, or several as '[a, b]', for calibration and the parity check; by default the run's.
        test: further labelled file, or several as '[a, b]', whose figures go into the card.
        calibrated: pass false where no labelled text is at hand; scores then keep temperature 1.
        target_accuracy: how often confident answers should be right, between 0 and 1.
        format: of all those files; by default as the run read its own. Pass auto where they differ.
        label_map: label in the files to the model's label; null leaves rows out. By default the run's.
        name: the model's name in answers: lower-case letters, digits, dots, dashes.
        version: the model's version in answers.
        description: one sentence for the card.
        intended_use: sentences for the card.
        not_intended_for: sentences for the card.
        polarity: polarity of labels in [-1, 1], such as {"joy": 1, "anger": -1}; usual names are known.
        max_tokens: longer texts are cut when they are served.
        storage: of the weight matrices: float32, float16 (half the file) or int8 (a quarter). The network is rounded
            first, so that all figures are of what is shipped. It changes nothing about speed.
        arithmetic: float32, or int8 for an LSTM that is computed in 8 bits, each text by itself.
        min_count: tokens that the training texts hold fewer times are left out of the vocabulary; 0 keeps all.
        counted: file, or several as '[a, b]', whose texts count for that, read as the run read its own; by default the
            run's training files. Name all where the run began with the weights of another one.
        behaviour: JSON report of ``evaluate --behaviour``, for the card.
        comparison: JSON report of ``benchmarks/accuracy.py``, for the card.
        known_failures: JSON list of {"text", "expected"}: what the bundle gets wrong, shown with its own answers.
        overwrite: replace a bundle that is already there.
    """

    checkpoint: Path
    _: KW_ONLY
    to: Path
    validation: Path | list[Path] | None = None
    test: Path | list[Path] | None = None
    calibrated: bool = True
    target_accuracy: float = 0.95
    format: Format | None = None
    label_map: dict[str, str | None] | None = None
    name: str = "sentiment"
    version: str = "1"
    description: str = "A sentiment classifier that explains itself token by token."
    intended_use: tuple[str, ...] = INTENDED_USE
    not_intended_for: tuple[str, ...] = NOT_INTENDED_FOR
    polarity: dict[str, float] | None = None
    max_tokens: int = 5000
    storage: Storage = "float32"
    arithmetic: Arithmetic = "float32"
    min_count: int = 0
    counted: Path | list[Path] | None = None
    behaviour: Path | None = None
    comparison: Path | None = None
    known_failures: Path | None = None
    overwrite: bool = False


def check(options: Options) -> None:
    """Refuses, before any work, what would be refused after it.

    Raises:
        BundleError: the folder is there, and nobody said that it may be overwritten.
        EvidenceError: a report cannot be used.
        ExportError: a number is out of its range.
    """
    if options.min_count < 0:
        message = f"--min_count is {options.min_count}, but it should be 0, which keeps every token, or more, such as 5"
        raise ExportError(message)
    if options.to.exists() and not options.overwrite:
        raise BundleError(options.to, "already exists; choose another folder or pass --overwrite=true")
    if not 0 < options.target_accuracy < 1:
        message = f"--target_accuracy is {options.target_accuracy}, but it should lie between 0 and 1, such as 0.95"
        raise ExportError(message)
    if options.behaviour is not None:
        read_behavior(options.behaviour)
    if options.comparison is not None:
        read_comparison(options.comparison)
