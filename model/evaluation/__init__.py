"""How good a model is, measured on rows that it was not fitted on."""
