"""Callbacks: what a run does in addition to the training loop."""
