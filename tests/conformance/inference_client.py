"""Speaks the Open Inference Protocol with stubs made from its .proto by python3-grpc-tools. Prints one JSON object.

Usage: inference_client.py STUBS_FOLDER ADDRESS MODEL
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
import numpy as np  # noqa: E402
from inference import grpc_service_pb2 as messages  # noqa: E402
from inference import grpc_service_pb2_grpc as services  # noqa: E402

channel = grpc.insecure_channel(sys.argv[2], compression=grpc.Compression.Gzip)
stub = services.GRPCInferenceServiceStub(channel)
model = sys.argv[3]

metadata = stub.ModelMetadata(messages.ModelMetadataRequest(name=model + ".log_prob"))
shape = list(metadata.inputs[0].shape)
shape[0] = 2
rows = np.zeros(shape, dtype=np.float16)


def infer(datatype, values, **fields):
    request = messages.ModelInferRequest(model_name=model + ".log_prob", id="py", **fields)
    request.parameters["seed"].int64_param = 3
    request.inputs.add(name=metadata.inputs[0].name, datatype=datatype, shape=shape)
    request.raw_input_contents.append(values.tobytes())
    response = stub.ModelInfer(request)
    return response, np.frombuffer(response.raw_output_contents[0], dtype=np.float32)


response, half = infer("FP16", rows)
_, single = infer("FP32", rows.astype(np.float32))
_, flags = infer("BOOL", rows.astype(np.bool_))

try:
    infer("FP32", rows)
    wrong = "OK"
except grpc.RpcError as error:
    wrong = error.code().name

print(
    json.dumps(
        {
            "live": stub.ServerLive(messages.ServerLiveRequest()).live,
            "ready": stub.ModelReady(messages.ModelReadyRequest(name=model)).ready,
            "platform": metadata.platform,
            "id": response.id,
            "log_prob": half.tolist(),
            "same": bool((half == single).all() and (half == flags).all()),
            "wrong": wrong,
            "models": [entry.name for entry in stub.RepositoryIndex(messages.RepositoryIndexRequest()).models],
        }
    )
)
