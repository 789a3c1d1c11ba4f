"""Distillation: a large Hugging Face classifier teaches the small encoder (Hinton et al. 2015; Tang et al. 2019)."""
