"""The web: what turns requests into records, and probabilities into answers."""
