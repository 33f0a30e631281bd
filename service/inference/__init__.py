"""The model that answers, where it comes from, and how many batches it answers at once."""
