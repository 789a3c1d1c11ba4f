"""The example of a search: its trials are runs of fit, and the same command continues the study."""

import json

import pytest

from tests.support.fit_program import CONFIG
from tests.support.paths import ROOT, SAMPLE

optuna = pytest.importorskip("optuna", reason="the extra track is not installed")


@pytest.mark.slow
def test_the_best_trial_has_the_highest_validation_figure_and_a_study_goes_on(tmp_path, monkeypatch, capsys):
    from benchmarks.search import main  # noqa: PLC0415 - needs Optuna

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)  # the config's callback writes to the working folder
    (tmp_path / "fit.yaml").write_text(CONFIG.format(sample=SAMPLE))
    arguments = ["--trials=1", f"--to={tmp_path / 'search'}", "--", f"--config={tmp_path / 'fit.yaml'}"]
    for _ in range(2):
        main([*arguments, "--trainer.max_epochs=1"])
    folders = [tmp_path / "search" / name for name in ("trial-0", "trial-1")]
    values = [json.loads((folder / "metrics.json").read_text())["best"]["value"] for folder in folders]
    study = optuna.load_study(study_name="fit", storage=f"sqlite:///{tmp_path / 'search' / 'study.db'}")
    assert [trial.value for trial in study.trials] == pytest.approx(values)
    assert f"{max(values):.4f}" in capsys.readouterr().out.splitlines()[-5]
    chosen = (folders[1] / "config.yaml").read_text()
    assert f"hidden_size: {study.trials[1].params['hidden_size']}" in chosen


@pytest.mark.slow
def test_on_a_ray_cluster_the_best_trial_has_the_highest_figure_too(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ray.tune", reason="pip install 'ray[tune]' has it")
    from benchmarks.search_on_ray import main  # noqa: PLC0415 - needs Ray

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "fit.yaml").write_text(CONFIG.format(sample=SAMPLE))
    monkeypatch.chdir(tmp_path)
    main(["--trials=2", f"--to={tmp_path / 'search'}", "--", "--config=fit.yaml", "--trainer.max_epochs=1"])
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("search/train_*/metrics.json")]
    assert len(runs) == 2
    assert (
        f"Best: {max(run['best']['value'] for run in runs):.4f} with --model.learning_rate=" in capsys.readouterr().out
    )
