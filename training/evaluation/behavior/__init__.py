"""Behavioral tests of a sentiment model: expected answers for short texts generated from templates."""
