"""How good a model is: predictions, metrics, calibration, selective prediction, behavior."""
