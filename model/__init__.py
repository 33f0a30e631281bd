"""The numbers: a neural network in NumPy, its training, and the artifact that carries it.

Nothing here knows of HTTP. ``network.py`` and ``training.py`` are the two files to read first.
"""
