"""Recipes that make the bundles this project ships."""
