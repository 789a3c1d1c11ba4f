"""``python -m training evaluate``: what a model does with texts that no labelled file holds."""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from model_store import BundleError
from training.evaluation.behavior import report
from training.evaluation.behavior.families import TemplateError, read_families
from training.evaluation.behavior.suite import CASES_A_FAMILY, SEED, NoPolarityError, run_suite
from training.evaluation.scorer import load_contender
from training.fit.checkpoint import CheckpointError

DESCRIPTION = """\
Puts a checkpoint or a bundle to the behavioural suite in training/evaluation/behavior/templates, in the style of
CheckList (Ribeiro et al. 2020): negation, time, concession, names, typing slips and more. Prints each family's failure
rate with its 95% interval and examples of what failed; --to keeps everything as TO/report.json and TO/behaviour.md.

  python -m training evaluate --behaviour
  python -m training evaluate --behaviour runs/sample/checkpoints/best.ckpt --to report
"""


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where the model cannot be evaluated."""
    parser = argparse.ArgumentParser(
        prog="python -m training evaluate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", nargs="?", default="default", help="checkpoint or bundle (default: the shipped one)")
    parser.add_argument("--behaviour", action="store_true", help="run the behavioural suite")
    parser.add_argument("--to", type=Path, help="folder for report.json and behaviour.md")
    parser.add_argument("--cases", type=int, default=CASES_A_FAMILY, help="cases a family at most (default: 100)")
    parser.add_argument("--seed", type=int, default=SEED, help="decides which words fill the templates (default: 0)")
    chosen = parser.parse_args(arguments)
    if not chosen.behaviour:
        parser.error("say what to evaluate: --behaviour")
    if chosen.cases < 1:
        parser.error(f"--cases {chosen.cases} leaves nothing to ask; pass at least 1")
    try:
        evaluate_behaviour(chosen.model, to=chosen.to, most=chosen.cases, seed=chosen.seed)
    except (BundleError, CheckpointError, NoPolarityError, TemplateError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def evaluate_behaviour(model: str, *, to: Path | None, most: int, seed: int) -> None:
    """Runs the suite on a checkpoint or bundle, prints what came of it, and writes it to the folder ``to``."""
    contender = load_contender(model)
    console = Console()
    started = time.monotonic()
    results = run_suite(read_families(), contender.score, contender.polarities, most=most, seed=seed)
    report.show(results, console)
    cases = sum(result.cases for result in results)
    console.print(f"{cases:,} cases of {len(results)} families in {time.monotonic() - started:.0f} s.")
    if to is not None:
        report.write(to, results, model=contender.identity, seed=seed, most=most)
        console.print(f"Wrote {to / report.JSON} and {to / report.MARKDOWN}.")
