"""Reports: a model's evaluation, written for people."""
