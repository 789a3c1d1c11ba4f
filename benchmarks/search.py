"""Search of ``fit``'s options with Optuna: an example to copy and to change.

    python -m benchmarks.search --trials 20 -- --config training/configs/sample.yaml

What follows ``--`` goes to ``fit`` in every trial; ``suggest`` chooses the rest. Each trial is a run of ``fit`` in
TO/trial-N, measured by the figure that chose its best checkpoint. The study is in TO/study.db: the same command again
continues it, and several at a time share it.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import optuna


def suggest(trial: optuna.Trial) -> list[str]:
    """The options of a trial: change this to what you want to search."""
    return [
        f"--model.learning_rate={trial.suggest_float('learning_rate', 5e-4, 2e-2, log=True)}",
        f"--model.dropout={trial.suggest_float('dropout', 0.0, 0.5)}",
        f"--model.hidden_size={trial.suggest_categorical('hidden_size', [16, 32, 64])}",
        f"--model.pooling={trial.suggest_categorical('pooling', ['[max]', '[max, mean]', '[attention]'])}",
    ]


def fitted(run: Path, options: list[str], *, where: Path | None = None) -> float:
    """The validation figure of the best checkpoint of a run with these options, by default macro-F1.

    Args:
        run: its folder.
        options: of ``fit``.
        where: the folder in which ``fit`` is started; None for the present one.

    Raises:
        TrialPruned: the run fails, such as one that diverges; the trial ends without a value.
    """
    options = [*options, f"--trainer.default_root_dir={run}", "--overwrite"]
    command = [sys.executable, "-m", "training", "fit", *options]
    done = subprocess.run(command, check=False, cwd=where)  # noqa: S603 - ourselves
    if done.returncode:
        message = f"fit ended with status {done.returncode}"
        raise optuna.TrialPruned(message)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return float(metrics["best"]["value"])


def main(arguments: list[str] | None = None) -> None:
    """Search, and print the best trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="number of runs")
    parser.add_argument("--to", type=Path, default=Path("runs/search"), help="folder of the study and its runs")
    parser.add_argument("--seed", type=int, default=0, help="of the search")
    parser.add_argument("fit", nargs="*", help="options of fit")
    options = parser.parse_args(arguments)
    options.to.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{options.to / 'study.db'}",
        study_name="fit",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=options.seed),
        load_if_exists=True,
    )
    study.optimize(
        lambda trial: fitted(options.to / f"trial-{trial.number}", [*options.fit, *suggest(trial)]),
        n_trials=options.trials,
    )
    best = study.best_trial
    print(f"Best: {options.to / f'trial-{best.number}'} with {best.value:.4f}")
    for name, value in best.params.items():
        print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
