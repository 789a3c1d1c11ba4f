"""``python -m training evaluate``: the behavioral suite, run on a checkpoint or a bundle."""

import time
from pathlib import Path

from model_store import BundleError
from model_store.plain_console import plain_console
from training.commands.parser import UsageError, parse, plain_errors
from training.evaluation.behavior import report
from training.evaluation.behavior.families import TemplateError, read_families
from training.evaluation.behavior.suite import CASES_A_FAMILY, SEED, NoPolarityError, run_suite

DESCRIPTION = """\
Runs the behavioral suite of training/evaluation/behavior/templates, in the style of CheckList (Ribeiro et al. 2020):
negation, time, concession, names, typing slips and more. Prints each family's failure rate with its 95% interval and
examples of failures; --to also writes TO/report.json and TO/behavior.md.

  python -m training evaluate
  python -m training evaluate runs/sample/checkpoints/best.ckpt --to report
"""


def main(arguments: list[str]) -> None:
    """Run the command."""
    renamed = {"behavior": None, "behaviour": None}
    options = parse(evaluate, arguments, command="evaluate", description=DESCRIPTION, renamed=renamed)
    from training.fit.checkpoint import CheckpointError

    with plain_errors("evaluate", BundleError, CheckpointError, NoPolarityError, TemplateError):
        evaluate(**options)


def evaluate(model: str = "default", *, to: Path | None = None, cases: int = CASES_A_FAMILY, seed: int = SEED) -> None:
    """Run the suite, print its results, and write them to the folder ``to``.

    Args:
        model: checkpoint or bundle; "default" is the bundle that ships.
        to: folder for report.json and behavior.md.
        cases: maximum number of cases of a family.
        seed: decides which words fill the templates.

    Raises:
        UsageError: ``cases`` is below 1.
    """
    from training.evaluation.scorer import load_scorer

    if cases < 1:
        message = f"--cases is {cases}, but it should be at least 1"
        raise UsageError(message)
    scorer = load_scorer(model)
    console = plain_console()
    started = time.monotonic()
    results = run_suite(read_families(), scorer.score, scorer.polarities, max_cases=cases, seed=seed)
    report.show(results, console)
    total = sum(result.cases for result in results)
    console.print(f"{total:,} cases of {len(results)} families in {time.monotonic() - started:.0f} s.")
    if to is not None:
        report.write(to, results, model=scorer.identity, seed=seed, max_cases=cases)
        console.print(f"Wrote {to / report.JSON} and {to / report.MARKDOWN}.")
