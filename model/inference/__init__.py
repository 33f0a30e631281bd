"""Inference: from rows of valid numbers to probabilities."""
