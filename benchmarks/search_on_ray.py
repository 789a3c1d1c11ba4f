"""The same search on a Ray cluster: trials run side by side on its machines.

    python -m benchmarks.search_on_ray --trials 20 --cpus 2 -- --config training/configs/sample.yaml

Optuna chooses the options by ``benchmarks.search.suggest``, Ray Tune runs ``fit`` where processors are free: on the
cluster of RAY_ADDRESS, or on this machine. All machines need this project, the data and the folder TO under the same
paths. The same command continues a study that was stopped; ``fit`` resumes nothing of a trial that was under way.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler
from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from benchmarks.search import fitted, suggest

VALUE = "validation"
"""Under this name a trial reports the figure that chose its best checkpoint."""


def config_of(trial: optuna.Trial, *, fit: list[str], folder: str, where: str) -> dict[str, Any]:
    """What Ray Tune gives to ``train``, which it starts in a folder of its own."""
    return {"options": suggest(trial), "fit": fit, "folder": folder, "where": where}


def train(config: dict[str, Any]) -> None:
    """Run ``fit`` with a trial's options; one that fails ends without a value."""
    run = Path(config["folder"]) / str(tune.get_context().get_trial_name())
    value = fitted(run, [*config["fit"], *config["options"]], where=Path(config["where"]))
    tune.report({VALUE: value})


def main(arguments: list[str] | None = None) -> None:
    """Search, and print the best trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="number of runs")
    parser.add_argument("--cpus", type=float, default=1, help="processors of a trial")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a trial")
    parser.add_argument("--side_by_side", type=int, default=4, help="trials at the same time, at most")
    parser.add_argument("--to", type=Path, default=Path("runs/ray-search"), help="folder of the study and its runs")
    parser.add_argument("--seed", type=int, default=0, help="of the search")
    parser.add_argument("fit", nargs="*", help="options of fit")
    options = parser.parse_args(arguments)
    folder = options.to.absolute()
    trainable = tune.with_resources(train, {"cpu": options.cpus, "gpu": options.gpus})
    if tune.Tuner.can_restore(folder / "study"):
        tuner = tune.Tuner.restore(str(folder / "study"), trainable, resume_errored=True)
    else:
        space = partial(config_of, fit=options.fit, folder=str(folder), where=str(Path.cwd()))
        search = OptunaSearch(space=space, metric=VALUE, mode="max", sampler=TPESampler(seed=options.seed))
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=ConcurrencyLimiter(search, max_concurrent=options.side_by_side), num_samples=options.trials
            ),
            run_config=tune.RunConfig(name="study", storage_path=str(folder)),
        )
    best = tuner.fit().get_best_result(metric=VALUE, mode="max")
    print(f"Best: {best.metrics[VALUE]:.4f} with {' '.join(best.config['options'])}")


if __name__ == "__main__":
    main()
