"""Data sets: rows of numbers, what their columns are, and what must be said of them."""

from model.datasets.dataset import Dataset, Subgroup
from model.datasets.heart import load_heart
from model.datasets.iris import load_iris
from model.datasets.moons import load_moons

__all__ = ["Dataset", "Subgroup", "load_heart", "load_iris", "load_moons"]
