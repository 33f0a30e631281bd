"""What every request passes through, one concern a file, as plain ASGI."""
