"""Recipes: work in several steps that a second run does not do twice, and how the shipped bundle is made."""
