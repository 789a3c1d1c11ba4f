"""Training: the task and its loss, checkpoints, the run folder, and the callbacks around a run."""
