"""Turns labeled text into a model bundle."""
