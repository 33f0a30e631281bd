"""The schema: what a column may hold, how the network sees it, and the classes."""
