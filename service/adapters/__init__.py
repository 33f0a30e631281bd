"""The insides of other packages, each in one file that says which version it was written for."""
