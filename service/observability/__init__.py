"""Logs, traces and metrics: they receive events and ask for nothing."""
