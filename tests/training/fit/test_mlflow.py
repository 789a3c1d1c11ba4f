"""MLflow's logger, with a local file, gets the figures of a run and the options of its model and its data."""

import json

import pytest

from tests.support.fit_program import run

pytestmark = pytest.mark.slow


def test_mlflow_has_the_figures_of_a_run_and_the_options_of_its_model_and_its_data(tmp_path):
    tracking = pytest.importorskip("mlflow.tracking", reason="the extra track is not installed")
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    logger = ["--trainer.logger=pytorch_lightning.loggers.MLFlowLogger", f"--trainer.logger.tracking_uri={store}"]
    done = run(tmp_path, *logger, "--trainer.logger.experiment_name=mine", "--trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    client = tracking.MlflowClient(store)
    (recorded,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    figures = client.get_metric_history(recorded.info.run_id, "validation/macro_f1")
    assert max(figure.value for figure in figures) == pytest.approx(metrics["best"]["value"])
    assert recorded.data.params["batch_size"] == "16"
    assert recorded.data.params["hidden_size"] == "8"
    assert recorded.data.params["learning_rate"] == "0.005"
    assert recorded.data.params["labels"] == "['negative', 'neutral', 'positive']"
    assert "tokenizer_json" not in recorded.data.params  # has megabytes
    assert recorded.info.status == "FINISHED"
