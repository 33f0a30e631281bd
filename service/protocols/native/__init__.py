"""Heartline's own contract: /predict and /predict/batch."""
