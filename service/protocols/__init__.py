"""The contracts that the service speaks, one package or file for each."""
