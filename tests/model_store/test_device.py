"""Where a model runs: on what was asked for, or not at all."""

import onnxruntime
import pytest

from model_store import DeviceError, SentimentModel, graph_runner, model

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.mark.skipif(HAS_CUDA, reason="this ONNX Runtime can use a GPU")
def test_a_gpu_that_cannot_be_used_is_an_error_that_says_what_to_do(tiny_bundle):
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        SentimentModel.load(tiny_bundle, device="cuda")


def test_a_gpu_that_fails_to_start_is_an_error_and_not_silently_the_processor(tiny_bundle, monkeypatch):
    # What ONNX Runtime does where the package is there and the driver is not: it warns, and leaves the CPU.
    monkeypatch.setattr(model, "require_device", lambda _: None)
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda _: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="could not start"):
        SentimentModel.load(tiny_bundle, device="cuda")


def test_8_bit_arithmetic_is_not_sent_to_a_gpu(tiny_8_bit_bundle, monkeypatch):
    monkeypatch.setattr(model, "require_device", lambda _: None)
    with pytest.raises(DeviceError, match=r"computes in 8 bits.*--arithmetic float32"):
        SentimentModel.load(tiny_8_bit_bundle, device="cuda")


def test_work_is_cut_into_runs_and_can_be_ended_between_them(tiny_bundle, monkeypatch):
    monkeypatch.setattr(graph_runner, "PADDED_TOKENS_A_BATCH", {"cpu": 2})
    tiny = SentimentModel.load(tiny_bundle)
    texts = [tiny.tokenize(text) for text in ["fine"] * 5]
    runs = []
    tiny.predict_tokenized(texts, before_each_run=lambda: runs.append(1))
    assert len(runs) == 3  # 2 + 2 + 1 texts of one token

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        tiny.predict_tokenized(texts, before_each_run=stop)


def test_short_texts_are_not_padded_to_a_long_one(tiny_bundle):
    tiny = SentimentModel.load(tiny_bundle)
    for lengths, expected in (([1, 1, 1, 40], 2), ([20, 20, 21, 22], 1), ([1, 40], 2), ([40, 1, 39, 2], 2)):
        runs = []
        tiny.predict_tokenized(
            [tiny.tokenize("fine " * length) for length in lengths],
            before_each_run=lambda: runs.append(1),  # noqa: B023 - it is called in this pass
        )
        assert len(runs) == expected
