"""Evaluation of a model: predictions, metrics, calibration, selective prediction, behavior."""
