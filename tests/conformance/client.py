"""Draws samples and scores them with stubs made from proto/ by python3-grpc-tools. Prints one JSON object.

Usage: client.py STUBS_FOLDER ADDRESS MODEL
"""

import json
import struct
import sys

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
from genserve.v1 import generator_pb2 as messages  # noqa: E402
from genserve.v1 import generator_pb2_grpc as services  # noqa: E402

channel = grpc.insecure_channel(sys.argv[2])
stub = services.GeneratorServiceStub(channel)
model = sys.argv[3]

models = [summary.name for summary in stub.ListModels(messages.ListModelsRequest()).models]
manifest = stub.GetModel(messages.GetModelRequest(model=model)).manifest

parts = list(stub.Sample(messages.SampleRequest(model=model, count=16, seed=7)))
rows = sum(part.samples.shape[0] for part in parts)
data = b"".join(part.samples.data for part in parts)
values = struct.unpack(f"<{len(data) // 4}f", data)
shape = [rows, *parts[0].samples.shape[1:]]

inputs = messages.Inputs(tensor=messages.Tensor(dtype="float32", shape=shape, data=data))
likelihood = stub.ScoreLikelihood(messages.ScoreLikelihoodRequest(model=model, inputs=inputs, draws=5))
anomaly = stub.ScoreAnomaly(messages.ScoreAnomalyRequest(model=model, inputs=inputs, alpha=0.05))

try:
    list(stub.Sample(messages.SampleRequest(model="no-such-model", count=1)))
    unknown = "OK"
except grpc.RpcError as error:
    unknown = error.code().name

print(
    json.dumps(
        {
            "models": models,
            "family": manifest.family.name,
            "seed": parts[0].seed,
            "shape": shape,
            "samples": values,
            "log_prob": [row.log_prob for row in likelihood.likelihoods],
            "p_value": [row.scores[0].p_value for row in anomaly.results],
            "unknown": unknown,
        }
    )
)
