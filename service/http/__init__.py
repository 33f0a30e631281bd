"""What every contract shares over HTTP."""
