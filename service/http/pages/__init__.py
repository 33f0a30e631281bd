"""The pages that people look at, with all that they load."""
