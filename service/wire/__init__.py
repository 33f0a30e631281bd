"""Bytes to cells and numbers."""
