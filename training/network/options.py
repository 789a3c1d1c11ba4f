"""The options of the encoder and of its regularization, as network and task share them."""

from dataclasses import dataclass

from model_store.manifest import CellName, ConnectionName


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """The encoder's shape.

    Args:
        cell: the recurrent cell; rnn has tanh units.
        layers: number of stacked layers, 1 to 16.
        hidden_size: units of one direction in every layer.
        bidirectional: also read from end to start.
        connection: how a layer's input joins its output.
        layer_norm: normalize the input of all layers but the first; the connection bypasses the normalization.
    """

    cell: CellName = "lstm"
    layers: int = 2
    hidden_size: int = 150
    bidirectional: bool = True
    connection: ConnectionName = "residual"
    layer_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class RegularizationOptions:
    """Noise in training.

    Args:
        word_dropout: probability of a token becoming the unknown token.
        embedding_dropout: probability of a unit of an embedded token being zeroed.
        dropout: probability of a unit being zeroed between layers and before the head.
        locked_dropout: probability of a unit being zeroed in all tokens of a text, on embedded tokens and between
            layers.
        weight_drop: probability of a single recurrent weight being zeroed for one batch, in both directions.
    """

    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    locked_dropout: float = 0.0
    weight_drop: float = 0.0


ENCODER = EncoderOptions()
NO_REGULARIZATION = RegularizationOptions()
