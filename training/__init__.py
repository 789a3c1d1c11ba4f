"""Turns labelled text into a model bundle."""
