"""Folders of the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "training" / "data" / "sample"
CONFIGS = ROOT / "training" / "configs"
