"""The terminal: signals and standard streams of the command."""
