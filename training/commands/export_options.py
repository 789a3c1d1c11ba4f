"""``python -m training export``: turns a checkpoint into a bundle; its options and their checks."""

import re
import shlex
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from model_store import BundleError
from model_store.manifest import Arithmetic
from training.commands.card import RENAMED as RENAMED_REPORTS
from training.commands.card import ReportFiles
from training.commands.parser import UsageError, parse, plain_errors
from training.data.readers import Format
from training.export.reports import read_behavior, read_comparison
from training.export.storage import Storage

DESCRIPTION = """\
Writes a bundle with its card: checks that the ONNX graph equals the network, calibrates it, chooses the score from
which an answer is confident, and measures it.

  python -m training export runs/sample/checkpoints/best.ckpt --to my-model
  python -m training export best.ckpt --to my-model --validation '[sst/dev.txt.gz, imdb/validation.jsonl.gz]'

Temperature and threshold are fitted on the texts of all validation files together, with equal weight for each text.
Calibrate a bundle for several domains on files of all of them. One label map serves all files; a label that it lacks
stays as it is if the model has it. The threshold is the smallest at which confident answers reach --target_accuracy.
If overall accuracy reaches it, every answer is confident. If no subset of at least 20 answers does (for 95%), none is.
Texts without a token are skipped, as in training.

--arithmetic int8 makes an LSTM about twice as fast on a processor. It changes probabilities by some thousandths; above
0.05 no bundle is written. The graph is checked in 32 bits first. --min_count 5 makes a smaller file of a pretrained
vocabulary. Both are applied before calibration and measurement.

Reports can also be attached later, with the command card.
"""

RENAMED = {"calibrated": "calibrate", **RENAMED_REPORTS}

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""Names of models, as manifests have them."""

INTENDED_USE = (
    "Labelling texts of the kinds it was measured on, with the figures below as what to expect.",
    "Showing which words speak for a label: contributions are exact, and add up to the decision.",
)
NOT_INTENDED_FOR = (
    "Decisions about a person that no person reviews.",
    "Texts in another language, or of another kind, than it was measured on, without measuring it there first.",
)


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Args:
        checkpoint: what ``fit`` wrote, such as runs/sample/checkpoints/best.ckpt.
        to: the bundle's folder.
        validation: labeled file, or several as '[a, b]', for calibration and the parity check; by default the run's.
        test: further labeled file, or several as '[a, b]', whose metrics go on the card.
        calibrate: fit temperature and threshold; --no_calibrate keeps temperature 1 and needs no labeled text.
        target_accuracy: accuracy that confident answers should reach, between 0 and 1.
        format: format of all these files; by default that of the run. Pass auto if they differ.
        label_map: label in the files to the model's label; null leaves rows out. By default the run's.
        name: the model's name in answers: lower-case letters, digits, dots, dashes, underscores.
        version: the model's version in answers.
        description: one sentence for the card.
        intended_use: sentences for the card.
        not_intended_for: sentences for the card.
        polarity: polarity of labels in [-1, 1], such as {"joy": 1, "anger": -1}; usual names are known.
        max_tokens: longer texts are truncated when they are served.
        storage: storage of the weight matrices: float32, float16 (half the file) or int8 (a quarter). Weights are
            rounded before the bundle is measured. Speed does not change.
        arithmetic: float32, or int8 for an LSTM that multiplies in 8 bits.
        min_count: prune tokens that are less frequent in the training texts; 0 keeps all.
        counted: file, or several as '[a, b]', whose tokens are counted, read with the run's options; by
            default the run's training files. If the run started from another run's weights, name the files of both.
        reports: reports for the card.
        overwrite: replace an existing bundle.
    """

    checkpoint: Path
    _: KW_ONLY
    to: Path
    validation: Path | list[Path] | None = None
    test: Path | list[Path] | None = None
    calibrate: bool = True
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
    reports: ReportFiles = field(default_factory=ReportFiles)
    overwrite: bool = False


def main(arguments: list[str]) -> None:
    """Run the command."""
    given = parse(ExportOptions, arguments, command="export", description=DESCRIPTION, renamed=RENAMED)
    from training.commands.export import ERRORS, export

    with plain_errors("export", *ERRORS):
        export(ExportOptions(**given), command=shlex.join(["python", "-m", "training", "export", *arguments]))


def check(options: ExportOptions) -> None:
    """Check the options before any work.

    Raises:
        BundleError: the folder exists and ``overwrite`` is not set.
        EvidenceError: a report cannot be used.
        UsageError: a value is not allowed.
    """
    if options.min_count < 0:
        message = f"--min_count is {options.min_count}, but it should be 0, which keeps every token, or more, such as 5"
        raise UsageError(message)
    if not 0 < options.target_accuracy < 1:
        message = f"--target_accuracy is {options.target_accuracy}, but it should lie between 0 and 1, such as 0.95"
        raise UsageError(message)
    if not NAME.fullmatch(options.name):
        message = (
            f"--name is {options.name!r}, but it should be of lower-case letters, digits, dots, dashes and underscores "
            "and begin with a letter or a digit, such as my-model"
        )
        raise UsageError(message)
    if options.to.exists() and not options.overwrite:
        raise BundleError(options.to, "already exists; choose another folder or pass --overwrite")
    if options.reports.behavior is not None:
        read_behavior(options.reports.behavior)
    if options.reports.comparison is not None:
        read_comparison(options.reports.comparison)
