"""A connection: limits, framing, TLS, and the fast path past uvicorn's parser."""
