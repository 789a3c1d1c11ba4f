"""From a trained task to a model bundle: graph, quantization, vocabulary pruning, reports."""
