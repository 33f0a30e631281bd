"""The formats of files: from their rows to answers, and back into a file."""
