"""Measurements of speed, memory and accuracy; each is run as ``python -m benchmarks.NAME``."""
