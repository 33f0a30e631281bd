"""Recipes: from a data set to an artifact."""
