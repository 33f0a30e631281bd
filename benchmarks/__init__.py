"""Where the figures of README.md and docs/ come from."""
