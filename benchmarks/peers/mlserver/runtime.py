"""A runtime of MLServer for the network in NumPy."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.network import probabilities


class Heart(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        found = probabilities(NumpyCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output("probabilities", found)
        return InferenceResponse(model_name=self.name, outputs=[output])
