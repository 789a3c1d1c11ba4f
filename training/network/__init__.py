"""The network: embedding, stacked encoder, pooling, linear head. Pure ``nn.Module``s, no Lightning."""

from training.network.classifier import Explanation, SentimentNetwork

__all__ = ["Explanation", "SentimentNetwork"]
