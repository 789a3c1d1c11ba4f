"""Rounding weights to what a bundle stores."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from training.export.quantization import MAX_FACTOR_CODE, quantize_weights, rounded
from training.network.quantization import quantize_rows
from training.network.validation import OptionError


def test_each_row_of_codes_has_its_own_scale():
    codes, scales = quantize_rows(torch.tensor([[127.0, -63.5, 0.0], [0.0254, 0.0127, -0.0001]]))
    assert codes.tolist() == [[127, -64, 0], [127, 64, 0]]  # halves go to the even neighbour, 63.5 to 64
    assert_close(scales, torch.tensor([[1.0], [0.0002]]))


def test_a_row_of_zeros_stays_so():
    assert rounded(torch.zeros(2, 3), "int8").eq(0).all()


def test_rounding_twice_changes_nothing_more():
    weights = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    for storage in ("float16", "int8"):
        once = rounded(weights, storage)
        assert_close(rounded(once, storage), once, atol=1e-7, rtol=0)


def test_no_number_moves_by_more_than_half_a_step():
    weights = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    steps = weights.abs().amax(dim=1, keepdim=True) / 127
    assert ((rounded(weights, "int8") - weights).abs() <= steps / 2 + 1e-7).all()


def test_biases_stay_whole():
    layer = nn.Linear(5, 4)
    before = layer.bias.clone()
    quantize_weights(layer, "int8")
    assert layer.bias.equal(before)


def test_what_is_multiplied_in_8_bits_fits_16_after_two_products():
    layer = nn.LSTM(5, 4, bidirectional=True)
    head = nn.Linear(4, 2)
    before = head.weight.clone()
    quantize_weights(nn.ModuleList([layer, head]), "float32", arithmetic="int8")
    assert head.weight.equal(before)  # stays in 32 bits
    for matrix in (layer.weight_ih_l0, layer.weight_hh_l0, layer.weight_ih_l0_reverse, layer.weight_hh_l0_reverse):
        codes = matrix / (matrix.abs().amax(dim=1, keepdim=True) / MAX_FACTOR_CODE)
        assert_close(codes, codes.round(), atol=1e-4, rtol=0)
    assert 2 * 255 * MAX_FACTOR_CODE < 2**15


@pytest.mark.parametrize("layer", [nn.GRU(3, 2), nn.RNN(3, 2)])
def test_8_bit_arithmetic_is_for_lstm_cells(layer):
    cell = type(layer).__name__
    with pytest.raises(OptionError, match=f"only the cell lstm has, and this network has {cell} layers"):
        quantize_weights(nn.ModuleList([layer]), "int8", arithmetic="int8")


def test_an_unknown_storage_is_refused():
    with pytest.raises(OptionError, match="int4"):
        quantize_weights(nn.Linear(2, 2), "int4")
