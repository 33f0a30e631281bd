"""The network, written from scratch in NumPy, and how it is trained."""
