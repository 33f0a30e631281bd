"""The metrics: what is counted, where the numbers are stored, and how they are exposed."""
