"""``python -m training adapt``: from a bundle and a labeled file to a bundle with that file's labels, and a report."""

import shlex

from model_store import BundleError
from training.adaptation.options import AdaptOptions
from training.commands.export_options import NAME
from training.commands.parser import UsageError, parse, plain_errors
from training.data.examples import DataError
from training.data.readers import read_examples
from training.distillation.texts import read_texts

DESCRIPTION = """\
Adapts a bundle to your texts and labels, and writes a new bundle and a report.

  python -m training adapt --train my.csv --to my-model
  python -m training adapt --train tickets.csv --test new-tickets.csv --to my-model --label_column urgency

The labels are those of the file; they need not be of sentiment. A label that the bundle has too keeps what it knows.
Without --validation a part of the texts is held out: the labels in equal proportions, near-duplicates on one side. The
head is trained first, then everything, lower layers more slowly. With 1,000 validation texts or more the best epoch is
kept, and with more than 10 epochs training stops early. A few examples a label are enough to begin with; the report
says how good the model is and where it is wrong.

With --multi_label a text may have any number of labels: a list in JSON, or one field with | between them. The report
then has macro-F1, micro-F1 and subset accuracy, and each label a threshold chosen on the validation texts.

With --teacher a transformer is fine-tuned on the same texts and scores them and those of --unlabelled, and the model
learns from labels and scores together.

Everything else is written to --run_folder: the parts, the run, report.html and report.json. A stopped adaptation
resumes if the same command is given again.
"""

RUN = "adapt.json"
"""In the run folder: what the adaptation was asked for, to tell whether it is the same one."""


def main(arguments: list[str]) -> None:
    """Run the command."""
    given = parse(AdaptOptions, arguments, command="adapt", description=DESCRIPTION)
    options = AdaptOptions(**given)
    with plain_errors("adapt", BundleError, DataError):
        check(options)
    from training.commands.adapt import ERRORS, adapt

    with plain_errors("adapt", *ERRORS):
        adapt(options, command=shlex.join(["python", "-m", "training", "adapt", *arguments]))


def check(options: AdaptOptions) -> None:
    """Check the options before any work.

    Raises:
        BundleError: the bundle's folder exists and is not of this adaptation.
        DataError: a file is not there, lacks a column, or its first row cannot be used.
        UsageError: a value is not allowed.
    """
    if not NAME.fullmatch(options.model_name):
        message = (
            f"the model's name would be {options.model_name!r}, but it should be of lower-case letters, digits, dots, "
            "dashes and underscores; pass one with --name"
        )
        raise UsageError(message)
    if options.reading.multi_label and options.teacher is not None:
        message = "--teacher scores texts of one label each; leave --multi_label out, or --teacher"
        raise UsageError(message)
    if options.unlabelled is not None and options.teacher is None:
        message = "--unlabelled needs a teacher that scores its texts; pass --teacher with a transformer's folder"
        raise UsageError(message)
    if options.bfloat16 and options.teacher is None:
        message = "--bfloat16 is about the teacher; pass --teacher with a transformer's folder"
        raise UsageError(message)
    if options.epochs < 0:
        message = f"--epochs is {options.epochs}; expected 0, which chooses by the number of texts, or more"
        raise UsageError(message)
    if options.to.exists() and not options.overwrite and not (options.folder / RUN).is_file():
        raise BundleError(options.to, "already exists; choose another folder or pass --overwrite")
    for path in (options.train, options.validation, options.test):
        if path is not None:
            next(read_examples(path, options.reading), None)
    if options.unlabelled is not None:
        next(read_texts(options.unlabelled, options.reading, labeled=False), None)
