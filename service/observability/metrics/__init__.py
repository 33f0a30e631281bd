"""The metrics: what is counted, where the numbers lie, and how they are told."""
