"""Data sets: rows of numbers with a description of their columns and their limits."""

from model.data.dataset import Costs, Dataset, Subgroup
from model.data.heart import load_heart
from model.data.iris import load_iris
from model.data.moons import load_moons

__all__ = ["Costs", "Dataset", "Subgroup", "load_heart", "load_iris", "load_moons"]
