"""Runs ONNX's own checker over the graphs named on the command line; external data is looked for beside each file."""

import sys

import onnx

for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=False)
    print(path)
