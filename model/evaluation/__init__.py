"""How good a model is, told from rows that it was not fitted on."""
