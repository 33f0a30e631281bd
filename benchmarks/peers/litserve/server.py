"""LitServe with one worker."""

import os
from typing import Any

from litserve import LitAPI, LitServer

from benchmarks.peers.patient import Patient


class Heart(LitAPI):
    def setup(self, _: str) -> None:
        from benchmarks.peers.served import probabilities

        self.probabilities = probabilities

    def decode_request(self, request: Patient) -> list[float]:
        return request.row()

    def predict(self, x: list[float]) -> float:
        return float(self.probabilities([x])[0])

    def encode_response(self, output: float) -> dict[str, Any]:
        return {"probability": output}


if __name__ == "__main__":
    server = LitServer(Heart(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
