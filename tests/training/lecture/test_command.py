"""The command as a person runs it, and what it says where something is wrong."""

import json

import pytest
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from tests.support.checkpoints import write_checkpoint
from training.commands.main import main
from training.data.readers import ReadingOptions
from training.data.tokenization import word_pipeline
from training.fit.task import SentimentTask
from training.lecture import bidirectionality, checkpoint_gradient
from training.lecture import checkpoint as own_model
from training.lecture.settings import Settings, read_fit_config

WORDS = ["the", "movie", "was", "terribly", "exciting", "boring", "a", "good", "bad", "day"]
TEXTS = ["the movie was good", "a terribly boring day", "the day was bad", "a good movie", "the exciting movie was bad"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of an untrained network."""
    torch.manual_seed(0)
    task = SentimentTask(
        ["negative", "positive"], word_pipeline(WORDS).to_str(), embedding_size=6, hidden_size=4, layers=2
    )
    return write_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt", task)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "mine.txt"
    path.write_text("\n".join([*TEXTS, "", "  "]), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_command_writes_the_report(tmp_path, capsys):
    main(["diagnose", "--out", str(tmp_path / "report"), "--only", "linear", "--quick"])
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [(claim["name"], claim["verdict"]) for claim in numbers["claims"]] == [("linear", "held")]
    assert numbers["settings"]["quick"]
    assert "linear" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "gravity"], "gravity; expected one or more of vanishing, linear"),
        (["--only", "[linear, gravity]"], "gravity; expected one or more of vanishing, linear"),
        (["--checkpoint", "none.ckpt"], "none.ckpt: no such checkpoint"),
        (["--train", "no.csv", "--validation", "no.csv"], "no.csv"),
        (["--config", "no.yaml"], "no.yaml: no such file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["diagnose", "--out", "report", *arguments])
    assert stopped.value.code == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["--out", "x", "--ony", "depth"], "did you mean --only?"),
        (["--out", "x", "--texts", "mine.txt"], "--texts needs --checkpoint"),
        (["--out", "x", "--train", "train.csv"], "pass --train and --validation together"),
    ],
)
def test_a_slip_in_the_options_is_answered_in_a_line_or_two(capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(["diagnose", *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_fit_config_gives_model_options_and_data(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(
        "data: {train: my.csv, validation: other.csv, label_column: stars, batch_size: 3}\n"
        "model: {cell: gru, hidden_size: 7, embedding_size: 9, learning_rate: 1.0e-3, freeze_embedding: true}\n",
        encoding="utf-8",
    )
    config = read_fit_config(path)
    assert (config.train.name, config.validation.name) == ("my.csv", "other.csv")
    assert config.reading == ReadingOptions(label_column="stars")
    assert (config.model.embedding_size, config.model.learning_rate) == (9, 1e-3)
    assert (config.model.network["cell"], config.model.network["hidden_size"]) == ("gru", 7)
    assert config.model.network["layers"] == 2  # what fit takes where the config says nothing
    assert "freeze_embedding" not in config.model.network


def test_the_users_texts_are_read_line_by_line(texts):
    assert own_model.texts_of(Settings(texts=texts)) == TEXTS


def test_the_users_top_layer_is_followed_from_its_own_output(checkpoint):
    model = own_model.load(checkpoint)
    ids = pack_sequence([torch.tensor(model.pipeline.encode(TEXTS[0]).ids)])
    logits, top = own_model.look_into_top_layer(model.network, ids)
    explained = model.network.explain(ids)
    assert_close(logits, explained.logits[0])
    joined = model.network.encoder.connections[-1](top.below, top.output).representation
    assert_close(joined, explained.layers[-1][0])


def test_the_users_gradient_is_that_of_the_whole_network(checkpoint):
    # Expected: autograd through torch's own one-layer LSTM, cut in two before the last token.
    model = own_model.load(checkpoint)
    ids = pack_sequence([torch.tensor(model.pipeline.encode(TEXTS[0]).ids)])
    _, top = own_model.look_into_top_layer(model.network, ids)
    norms = checkpoint_gradient._of_text(model, ids, backward=False)
    assert len(norms) == 4
    size = top.layer.hidden_size
    last = top.output[-1, :size].clone().requires_grad_()
    whole = torch.cat([last, top.output[-1, size:]]).unsqueeze(0)
    joined = model.network.encoder.connections[-1](top.below[-1:], whole).representation
    logits = model.network.head(model.network.pooling(joined.unsqueeze(1), torch.ones(1, 1, dtype=torch.bool)))
    label = model.network(ids)[0].argmax().unsqueeze(0)
    (expected,) = torch.autograd.grad(functional.cross_entropy(logits, label), last)
    assert float(norms[0]) == pytest.approx(float(expected.norm()), rel=1e-4)


def test_the_users_model_gets_a_plot_and_a_table(checkpoint, texts):
    own = checkpoint_gradient.measure(Settings(checkpoint=checkpoint, texts=texts))
    assert own.numbers["texts"] == 5
    assert own.numbers["left"]["forward"][0] == pytest.approx(1.0)
    assert set(own.numbers["left"]) == {"forward", "backward"}
    assert "Your model" in own.tables[0].caption


def test_the_users_model_is_part_of_the_check_on_both_directions(checkpoint):
    settings = Settings(seeds=(0,), checkpoint=checkpoint)
    finding = bidirectionality.investigate(settings, bidirectionality.BidirectionalitySizes(steps=1, cells=("gru",)))
    own = next(pair for pair in finding.numbers["pairs"] if pair["network"].startswith("your model"))
    assert len(own["layers"]) == 2
    assert own["largest_forward"] <= 1e-6
    assert finding.checks[0].held


def test_a_tokenizer_is_part_of_the_checkpoint(checkpoint):
    assert isinstance(own_model.load(checkpoint).pipeline, Tokenizer)
