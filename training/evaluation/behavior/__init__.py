"""Behavioural tests of a sentiment model: what a person expects of short texts made from templates."""
