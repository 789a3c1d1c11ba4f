"""The names of the files in a run folder."""

CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
RUN = "run.json"
METRICS = "metrics.json"
CURVES = "curves.png"
