"""Adaptation of a bundle to other texts and labels: how much to train, what to compare with, and the report."""
