"""The studies beside what users would pick instead, one after the other: ``make bench``.

    python -m benchmarks [--quick] [--data data] [STUDY ...]

Each study runs in a process of its own and writes its figures to build/bench; one whose figures are complete is not run
again, so a stopped run goes on. Then tables and plots are written into docs/reference/performance.md, with --quick into
a copy of it in build/bench, since few calls and texts show that a study works and not what it would find.

Half an hour on two cores; with --quick some minutes. The machine should have nothing else to do. ``learning`` takes
another hour and a half and runs if it is named.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import measured_on
from benchmarks.report import WRITERS, sentence_beside, write

FOLDER = Path("build", "bench")
PAGE = Path("docs", "reference", "performance.md")
IMAGES = Path("docs", "images", "performance")
QUICK_ACCURACY = ("100", "--systems", "bundle", "vader", "textblob", "linear")
"""Texts of each set, and the systems that learn in seconds."""


def command(study: str, *, to: Path, data: Path, quick: bool) -> list[str]:
    """What runs a study."""
    quickly = ["--quick"] if quick else []
    arguments = {
        "accuracy": [str(data), "--rows", *(QUICK_ACCURACY if quick else ["2000"]), "--to", str(to)],
        "engine": [*quickly, "--json", str(to)],
        "serving": ["--seconds", *(["20", "--starts", "1"] if quick else ["400"]), "--json", str(to)],
        "growth": [*quickly, "--json", str(to)],
        "learning": ["--data", str(data), "--json", str(to), *(["--rows", "1000"] if quick else [])],
    }
    return [sys.executable, "-m", f"benchmarks.{study}", *arguments[study]]


def run(studies: Sequence[str], *, data: Path, quick: bool) -> None:
    """Run the studies that have no figures yet, and write the page."""
    folder = FOLDER / ("quick" if quick else "figures")
    folder.mkdir(parents=True, exist_ok=True)
    page, images = PAGE, IMAGES
    if quick:
        page, images = folder / PAGE.name, folder / "images"
        shutil.copy(PAGE, page)
    for study in studies:
        figures = folder / f"{study}.json"
        if not sentence_beside(figures).exists():  # figures alone may be those of a stopped study
            print(f"{study} ...", flush=True)
            start = time.monotonic()
            sentence = measured_on(study)
            subprocess.run(command(study, to=figures, data=data, quick=quick), check=True)  # noqa: S603 - our own
            sentence_beside(figures).write_text(sentence, encoding="utf-8")
            print(f"{study}: {time.monotonic() - start:,.0f} s", flush=True)
        write(study, figures, page=page, images=images)
    print(f"Wrote {page}. To measure again, remove {folder}.")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "studies", metavar="STUDY", nargs="*", choices=[*WRITERS, []], help="by default all but learning"
    )
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of the data sets")
    options = parser.parse_args()
    run(options.studies or [study for study in WRITERS if study != "learning"], data=options.data, quick=options.quick)


if __name__ == "__main__":
    main()
