"""KServe's Python server with a custom model, which takes bare lists and validates nothing."""

import logging
import os
from typing import Any

from kserve import Model, ModelServer

from benchmarks.peers.served import probabilities


class Heart(Model):
    def __init__(self) -> None:
        super().__init__("heart")
        self.ready = True

    async def predict(self, payload: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return {"predictions": probabilities(payload["instances"]).tolist()}


if __name__ == "__main__":
    server = ModelServer(
        http_port=int(os.environ["PORT"]),
        workers=1,
        enable_grpc=False,
        enable_latency_logging=False,
    )
    for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    server.start([Heart()])
