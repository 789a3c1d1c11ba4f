"""What the task makes of its options: the loss, the learning rates, the embedding, and the checkpoint."""

import copy
import json
import math

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close
from torch.utils.data import DataLoader

from training.data import tokenization
from training.data.tokenized import Batch
from training.fit.task import SentimentTask
from training.network.validation import OptionError

WORDS = [f"word{number}" for number in range(20)]
PIPELINE = tokenization.word_pipeline(WORDS).to_str()
ROWS = len(WORDS) + 2  # with padding and unknown

OLD_OPTIONS = {
    "labels": ["negative", "positive"], "tokenizer_json": PIPELINE, "embedding_size": 6, "freeze_embedding": False,
    "cell": "lstm", "layers": 2, "hidden_size": 4, "bidirectional": True, "connection": "residual",
    "pooling": ["max", "mean"], "projection_size": 0, "embedding_dropout": 0.2, "dropout": 0.2,
    "learning_rate": 0.002, "weight_decay": 0.01, "schedule": "one_cycle",
}  # fmt: skip
"""The hyper-parameters of a checkpoint written by version 0.1.0."""

OLD_WEIGHTS = {
    "network.embedding.weight", "network.head.weight", "network.head.bias",
    *(
        f"network.encoder.layers.{layer}.{kind}_{side}_l0{direction}"
        for layer in (0, 1) for kind in ("weight", "bias") for side in ("ih", "hh") for direction in ("", "_reverse")
    ),
}  # fmt: skip


def make(**options):
    torch.manual_seed(1)
    defaults = {"embedding_size": 6, "hidden_size": 4, "embedding_dropout": 0.0, "dropout": 0.0}
    return SentimentTask(["negative", "positive"], PIPELINE, options.pop("vectors", None), **{**defaults, **options})


def batch(*, wrong=False, texts=8):
    """Texts whose first word tells the label, or, to make a validation loss rise, its opposite."""
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(2, ROWS, (2 + number % 5,), generator=generator) for number in range(texts)]
    labels = torch.tensor([int(row[0] > ROWS // 2) for row in rows])
    return Batch(pack_sequence(rows, enforce_sorted=False), 1 - labels if wrong else labels, torch.arange(texts))


class Recorder(lightning.Callback):
    """Learning rates at each step, validation losses, and the rates that follow each of them."""

    def __init__(self):
        self.rates, self.losses, self.rates_after = [], [], []

    def on_train_batch_start(self, trainer, *_):
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

    def on_validation_end(self, trainer, *_):
        if not trainer.sanity_checking:
            self.losses.append(trainer.callback_metrics["validation/loss"].item())
            self.rates_after.append(trainer.optimizers[0].param_groups[0]["lr"])


def fit(task, *, epochs=1, steps=2, wrong=False, callbacks=(), folder=None, ckpt_path=None, **trainer_options):
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=folder is not None,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[*callbacks], default_root_dir=folder,
        **trainer_options,
    )  # fmt: skip
    training = DataLoader([batch()] * steps, batch_size=None)
    trainer.fit(task, training, DataLoader([batch(wrong=wrong)], batch_size=None), ckpt_path=ckpt_path)
    return trainer


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_the_formula_in_training_and_absent_from_validation(smoothing):
    task, texts = make(label_smoothing=smoothing), batch()
    scores = task(texts.ids).detach().double().log_softmax(dim=1).tolist()
    # Szegedy et al. 2016, section 7: the target is (1 - e) on the label plus e / K on each of the K labels.
    smooth = [
        -sum(((1 - smoothing) * (k == label) + smoothing / 2) * score for k, score in enumerate(row))
        for row, label in zip(scores, texts.labels.tolist(), strict=True)
    ]
    plain = [-row[label] for row, label in zip(scores, texts.labels.tolist(), strict=True)]
    logged = {}
    task.log = lambda name, value, **_: logged.setdefault(name, value.item())
    task.log_dict = lambda *_, **__: None
    assert task.training_step(texts).item() == pytest.approx(sum(smooth) / len(smooth), abs=1e-6)
    task.validation_step(texts)
    assert logged["validation/loss"] == pytest.approx(sum(plain) / len(plain), abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 17}, "layers is 17; expected a whole number from 1 to 16"),
        ({"embedding_size": 0}, "embedding_size is 0"),
        ({"projection_size": -1}, "projection_size is -1"),
        ({"word_dropout": 1.0}, "word_dropout is 1.0; expected a number from 0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; expected a number from 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a number above 0"),
        ({"embedding_learning_rate": 0.0}, "pass freeze_embedding=true instead"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; expected 0"),
        ({"layer_decay": 0.0}, "layer_decay is 0.0; expected more than 0 and at most 1"),
        ({"class_weights": "rare"}, "class_weights is 'rare'; expected one of none, balanced"),
        ({"schedule": "cosine"}, "schedule is 'cosine'; expected one of one_cycle, plateau, constant"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(options, message):
    with pytest.raises(OptionError, match=message):
        make(**options)


def test_dropped_words_become_the_tokenizers_unknown_token():
    unknown = json.loads(PIPELINE)["model"]["vocab"]["[UNK]"]
    assert make(word_dropout=0.5).network.word_dropout.unknown_id == unknown == 1


def test_hyper_parameters_are_plain_json_and_rebuild_the_task():
    task = make(vectors=torch.randn(ROWS, 6), layer_norm=True, weight_drop=0.1, embedding_learning_rate=1e-4)
    saved = dict(task.hparams)
    assert json.loads(json.dumps(saved)) == saved
    SentimentTask(**saved).load_state_dict(task.state_dict())


def test_loggers_get_every_option_but_the_tokenizer_which_is_large():
    task = make()
    assert set(task.hparams) - set(task.hparams_initial) == {"tokenizer_json"}


def test_a_checkpoint_from_before_the_newer_options_still_loads():
    task = SentimentTask(**OLD_OPTIONS)
    assert set(task.state_dict()) == OLD_WEIGHTS
    newer = {name: value for name, value in task.hparams.items() if name not in OLD_OPTIONS}
    assert newer.pop("teacher_weight") == 1.0  # nothing to weigh in files without a teacher's scores
    assert newer.pop("layer_decay") == 1.0  # one rate for all layers
    assert newer.pop("class_weights") == "none"
    assert not any(newer.values())  # each of them off


@pytest.mark.slow
def test_the_plateau_schedule_halves_rates_after_two_stalled_validations():
    recorder = Recorder()
    task = make(schedule="plateau", learning_rate=0.05, embedding_learning_rate=0.01)
    fit(task, epochs=3, steps=4, wrong=True, callbacks=[recorder], val_check_interval=0.5)
    assert len(recorder.losses) == 6  # in mid-epoch too
    best, waited, rate, expected = math.inf, 0, 0.05, []
    for loss in recorder.losses:
        best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
        if waited == 2:
            rate, waited = rate / 2, 0
        expected.append(rate)
    assert expected[-1] < 0.05
    assert recorder.rates_after == expected
    assert all(embedding == pytest.approx(others / 5) for others, _, embedding in recorder.rates)


@pytest.mark.slow
def test_a_run_resumed_under_the_plateau_schedule_ends_as_if_never_stopped(tmp_path):
    def run(folder, *, epochs, ckpt_path=None):
        keep = ModelCheckpoint(dirpath=folder, save_last=True, monitor="validation/loss")
        task = make(schedule="plateau", learning_rate=0.05)
        fit(task, epochs=epochs, wrong=True, callbacks=[keep], folder=folder, ckpt_path=ckpt_path)
        return task, task.trainer.optimizers[0].param_groups[0]["lr"]

    whole, rate = run(tmp_path / "whole", epochs=5)
    run(tmp_path / "parts", epochs=2)
    resumed, resumed_rate = run(tmp_path / "parts", epochs=5, ckpt_path=tmp_path / "parts" / "last.ckpt")
    assert resumed_rate == rate < 0.05
    assert all(value.equal(whole.state_dict()[name]) for name, value in resumed.state_dict().items())


@pytest.mark.slow
def test_the_constant_schedule_is_constant_and_one_cycle_shapes_both_rates_alike():
    for schedule in ("constant", "one_cycle"):
        recorder = Recorder()
        options = {"schedule": schedule, "learning_rate": 0.01, "embedding_learning_rate": 0.001}
        fit(make(**options), epochs=2, steps=10, callbacks=[recorder])
        assert all(embedding == pytest.approx(others / 10) for others, _, embedding in recorder.rates)
        highest = max(others for others, *_ in recorder.rates)
        assert highest == pytest.approx(0.01)
        assert (min(others for others, *_ in recorder.rates) == highest) == (schedule == "constant")


@pytest.mark.slow
def test_a_run_of_ten_steps_has_a_warm_up():
    recorder = Recorder()
    fit(make(schedule="one_cycle", learning_rate=0.01), epochs=1, steps=10, callbacks=[recorder])
    rates = [rates[0] for rates in recorder.rates]
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] < rates[0] < 0.01


def test_every_trained_weight_is_in_one_group_and_only_matrices_decay():
    task = make(schedule="constant", layer_norm=True, embedding_learning_rate=1e-4, weight_decay=0.1)
    matrices, vectors, embedding = task.configure_optimizers().param_groups
    grouped = [id(parameter) for group in (matrices, vectors, embedding) for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in task.parameters())
    assert [parameter.shape for parameter in embedding["params"]] == [(ROWS, 6)]
    assert [group["weight_decay"] for group in (matrices, vectors, embedding)] == [0.1, 0.0, 0.1]
    assert [group["lr"] for group in (matrices, vectors, embedding)] == [0.002, 0.002, 1e-4]
    assert all(parameter.ndim == 1 for parameter in vectors["params"])


def test_each_layer_below_the_head_has_a_lower_rate():
    task = make(
        schedule="constant", layer_decay=0.5, learning_rate=0.08, layers=2, projection_size=8, pooling=["attention"]
    )
    rates = {
        id(parameter): group["lr"]
        for group in task.configure_optimizers().param_groups
        for parameter in group["params"]
    }
    expected = {"head": 0.08, "pooling": 0.08, "encoder.layers.1": 0.04, "encoder.layers.0": 0.02}
    expected |= {"projection": 0.01, "embedding": 0.01}
    for name, parameter in task.network.named_parameters():
        (rate,) = [rate for part, rate in expected.items() if name.startswith(part)]
        assert rates[id(parameter)] == pytest.approx(rate), name


def test_balanced_weights_leave_unlabeled_texts_out():
    weights = make(class_weights="balanced").weigh_labels(torch.tensor([0, 0, 0, 1, -1, -1]))
    assert_close(weights, torch.tensor([4 / (2 * 3), 4 / (2 * 1)]))
    assert make().weigh_labels(torch.tensor([0, 1])) is None


def test_a_frozen_embedding_has_no_learning_rate():
    task = make(vectors=torch.randn(ROWS, 6), freeze_embedding=True, embedding_learning_rate=1e-4)
    with pytest.raises(OptionError, match=r"embedding_learning_rate is 0\.0001, but freeze_embedding"):
        task.configure_optimizers()


def test_freezing_without_vectors_is_refused_before_the_first_step():
    recorder = Recorder()
    with pytest.raises(OptionError, match="there are no pretrained vectors: all words would have the same"):
        fit(make(freeze_embedding=True), callbacks=[recorder])
    assert recorder.rates == []


def test_a_frozen_embedding_stays_and_its_checkpoint_trains_on_without_the_vectors(tmp_path):
    vectors = torch.randn(ROWS, 6)
    task = make(vectors=vectors, freeze_embedding=True)
    fit(task).save_checkpoint(tmp_path / "a.ckpt")
    assert_close(task.network.embedding(torch.arange(ROWS)), vectors, atol=0.02, rtol=0)
    loaded = SentimentTask.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    before = copy.deepcopy(loaded.state_dict())
    fit(loaded)
    after = loaded.state_dict()
    assert after["network.embedding.codes"].equal(before["network.embedding.codes"])
    assert not after["network.head.weight"].equal(before["network.head.weight"])


def test_tuned_pretrained_vectors_start_as_given_and_move():
    vectors = torch.randn(ROWS, 6)
    task = make(vectors=vectors.clone())
    assert task.network.embedding.weight.equal(vectors)
    fit(task)
    assert not task.network.embedding.weight.equal(vectors)


def test_every_kind_of_noise_at_once_trains_and_loads(tmp_path):
    task = make(
        layer_norm=True, word_dropout=0.1, embedding_dropout=0.1, dropout=0.1, locked_dropout=0.1, weight_drop=0.2,
        label_smoothing=0.1, layers=3,
    )  # fmt: skip
    fit(task, epochs=2).save_checkpoint(tmp_path / "a.ckpt")
    loaded = SentimentTask.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    texts = batch()
    assert loaded.eval()(texts.ids).equal(task.eval()(texts.ids))
