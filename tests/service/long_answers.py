"""Requests whose answers are longer than what small buffers of the kernel take."""

from __future__ import annotations

import json

from tests.service.connections import RECORD, post
from tests.service.samples import example

ROWS = 2000
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: heartline\r\n\r\n"
LAST = "Connection: close"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: heartline\r\n\r\n".encode()


def lines(path: str, media_type: str, *headers: str) -> bytes:
    names = list(example())
    cells = ",".join(str(value) for value in example().values())
    # An answer in CSV is a third as long, and in one piece the buffers could take all of it.
    csv = "\n".join([",".join(names), *[cells] * 3 * ROWS]).encode()
    body = csv if media_type == "text/csv" else (RECORD + b"\n") * ROWS
    request = post(path, body, *headers)
    return request.replace(b"application/json", media_type.encode(), 1)


BATCH = json.dumps({"instances": [example()] * ROWS}).encode()
STREAM = "/predict/batch?on_error=report"
STREAMS = {
    "CSV that is reported": lines(STREAM, "text/csv"),
    "NDJSON that is reported": lines(STREAM, "application/x-ndjson"),
}
LONG_ANSWERS = {
    "batch": post("/predict/batch", BATCH),
    "last batch": post("/predict/batch", BATCH, LAST),
    "CSV": lines("/predict/batch", "text/csv"),
    "NDJSON": lines("/predict/batch", "application/x-ndjson"),
    "documents": get("/openapi.json") * 8,
    "file": get("/static/swagger-ui/swagger-ui-bundle.js"),
    "two files": get("/static/swagger-ui/swagger-ui-bundle.js") * 2,
    "probes": LIVEZ * 500,
    "predictions": post("/predict", RECORD) * 500,
    **STREAMS,
}
