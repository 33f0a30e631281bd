"""Reports: what is shown to people about a model."""
