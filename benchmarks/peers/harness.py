"""What every peer shares: it reads the fixture, trains on request, and counts multiply-adds.

A peer is started as `python3 vae.py FIXTURE --threads 2 [--channels-last] [--foreach]`. Then each line on standard
input is a request and is answered by one line of JSON:

    run N   trains N steps and answers {"milliseconds": [...], "cpu_milliseconds": [...], "losses": [[...], ...]}: time
            that passed, time of all threads together, and one loss for each update
    peak    {"peak_bytes": ...}: the most memory that the process has held
    count   {"multiply_adds": ...} of one step's convolutions and matrix products, forward and backward, as they run

The fixture is a folder: settings.json, parameters/<variable>.npy, constants/<variable>.npy (what is not trained),
batches/<number>/<input>.npy. Images and filters are
in the layout of TensorFlow: [batch, height, width, channels], [height, width, inputs, outputs].
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Batch = dict[str, Tensor]


@dataclass
class Update:
    """One optimiser's part of a step: it minimises `loss(batch)` in `parameters`."""

    name: str
    parameters: list[nn.Parameter]
    loss: Callable[[Batch], Tensor]


@dataclass
class Peer:
    module: nn.Module
    updates: list[Update]
    """In the order of the step."""
    prepare: Callable[[Batch], Batch] = lambda batch: batch
    """Brings a batch into PyTorch's layout, outside what is timed."""
    needed: float = 1
    """Share of the multiply-adds that the net asks for; the others meet the zeros of a mask."""


class Weights:
    """The fixture's parameters by name; each is to be taken once. `constants` are the variables that are not trained."""

    def __init__(self, fixture: Path):
        self._arrays = _arrays(fixture / "parameters")
        self.constants = {name: torch.from_numpy(array) for name, array in _arrays(fixture / "constants").items()}
        self._taken: set[str] = set()

    def take(self, name: str) -> Tensor:
        if name in self._taken:
            raise ValueError(f"parameter {name} is taken twice")
        if name not in self._arrays:
            raise KeyError(f"no parameter {name}; there are {', '.join(self._arrays)}")
        self._taken.add(name)
        return torch.from_numpy(self._arrays[name])

    def has(self, name: str) -> bool:
        return name in self._arrays

    def fill(self, parameter: nn.Parameter, value: Tensor) -> None:
        if parameter.shape != value.shape:
            raise ValueError(f"a parameter of shape {list(parameter.shape)} is given {list(value.shape)}")
        with torch.no_grad():
            parameter.copy_(value)

    def convolution(self, layer: nn.Conv2d | nn.ConvTranspose2d, name: str, mirrored: bool = False) -> None:
        """[height, width, inputs, outputs], and [.., outputs, inputs] if transposed; `mirrored` in height and width."""
        weight = self.take(f"{name}/filter").permute(3, 2, 0, 1)
        self.fill(layer.weight, weight.flip(2, 3) if mirrored else weight)
        self._fill_bias(layer, name)

    def dense(self, layer: nn.Linear, name: str) -> None:
        self.fill(layer.weight, self.take(f"{name}/kernel").T)
        self._fill_bias(layer, name)

    def dense_from_map(self, layer: nn.Linear, name: str, size: tuple[int, int, int], mirrored: bool = False) -> None:
        """Of a flattened map: rows come as [height, width, channels] and go to PyTorch's [channels, height, width]."""
        kernel = self.take(f"{name}/kernel").reshape(*size, -1)
        kernel = kernel.flip(0, 1) if mirrored else kernel
        self.fill(layer.weight, kernel.permute(3, 2, 0, 1).flatten(1))
        self._fill_bias(layer, name)

    def dense_to_map(self, layer: nn.Linear, name: str, size: tuple[int, int, int], mirrored: bool = False) -> None:
        """Into a map: columns come as [height, width, channels]."""

        def reorder(columns: Tensor) -> Tensor:
            grid = columns.reshape(-1, *size)
            grid = grid.flip(1, 2) if mirrored else grid
            return grid.permute(0, 3, 1, 2).flatten(1)

        self.fill(layer.weight, reorder(self.take(f"{name}/kernel")).T)
        if layer.bias is not None:
            self.fill(layer.bias, reorder(self.take(f"{name}/bias")[None])[0])

    def norm(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, name: str) -> None:
        self.fill(layer.weight, self.take(f"{name}/gain"))
        self.fill(layer.bias, self.take(f"{name}/offset"))

    def _fill_bias(self, layer: nn.Module, name: str) -> None:
        if layer.bias is not None:
            self.fill(layer.bias, self.take(f"{name}/bias"))

    def check_all_taken(self) -> None:
        left = self._arrays.keys() - self._taken
        if left:
            raise ValueError(f"the peer has no place for {', '.join(sorted(left))}")


def channels_first(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).contiguous()


def serve(build: Callable[[Weights], Peer]) -> None:
    """Runs the peer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fixture", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--foreach", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    weights = Weights(options.fixture)
    peer = build(weights)
    weights.check_all_taken()
    settings = json.loads((options.fixture / "settings.json").read_text())
    optimisers = [_adam(update, settings["optimisers"][update.name], options.foreach) for update in peer.updates]
    folders = sorted((options.fixture / "batches").iterdir(), key=lambda folder: int(folder.name))
    batches = [peer.prepare({name: torch.from_numpy(array) for name, array in _arrays(folder).items()}) for folder in folders]
    if options.channels_last:
        peer.module.to(memory_format=torch.channels_last)
        batches = [{name: _channels_last(value) for name, value in batch.items()} for batch in batches]

    def train(batch: Batch) -> list[float]:
        losses = []
        for update, optimiser in zip(peer.updates, optimisers):
            optimiser.zero_grad(set_to_none=True)
            loss = update.loss(batch)
            # Gradients of these alone: a generator's step has no use for its discriminator's.
            loss.backward(inputs=update.parameters)
            optimiser.step()
            losses.append(loss.item())
        return losses

    done = 0

    def run(steps: int) -> dict:
        nonlocal done
        milliseconds, cpu_milliseconds, losses = [], [], []
        for _ in range(steps):
            batch = batches[done % len(batches)]
            start, cpu_start = time.perf_counter(), time.process_time()
            losses.append(train(batch))
            milliseconds.append(1000 * (time.perf_counter() - start))
            cpu_milliseconds.append(1000 * (time.process_time() - cpu_start))
            done += 1
        return {"milliseconds": milliseconds, "cpu_milliseconds": cpu_milliseconds, "losses": losses}

    def count() -> dict:
        with MultiplyAdds() as counter:
            train(batches[0])
        return {"multiply_adds": round(counter.total * peer.needed)}

    for line in sys.stdin:
        request, *arguments = line.split()
        if request == "run":
            _answer(run(int(arguments[0])))
        elif request == "peak":
            _answer({"peak_bytes": _peak_bytes()})
        elif request == "count":
            _answer(count())
        else:
            raise ValueError(f"request {request}; known are run, peak and count")


class MultiplyAdds(TorchDispatchMode):
    """Counts the multiply-adds of convolutions and matrix products while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        aten = torch.ops.aten
        if function is aten.convolution.default:
            inputs, weight = arguments[:2]
            self.total += _convolution(inputs, weight, result, transposed=arguments[6])
        elif function is aten.convolution_backward.default:
            gradient, inputs, weight = arguments[:3]
            wanted = sum(arguments[10][:2])  # the gradients of inputs and weight, where asked for
            self.total += wanted * _convolution(inputs, weight, gradient, transposed=arguments[7])
        elif function in (aten.mm.default, aten.bmm.default):
            self.total += result.numel() * arguments[0].shape[-1]
        elif function in (aten.addmm.default, aten.baddbmm.default):
            self.total += result.numel() * arguments[1].shape[-1]
        return result


def _convolution(inputs: Tensor, weight: Tensor, outputs: Tensor, transposed: bool) -> int:
    # Each position of the smaller map meets every weight.
    positions = inputs if transposed else outputs
    return positions.shape[0] * positions.shape[2:].numel() * weight.numel()


def _adam(update: Update, settings: dict, foreach: bool) -> torch.optim.Adam:
    return torch.optim.Adam(
        update.parameters,
        lr=settings["learning_rate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        foreach=foreach,
    )


def _channels_last(value: Tensor) -> Tensor:
    return value.to(memory_format=torch.channels_last) if value.dim() == 4 else value


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    return {str(path.relative_to(folder).with_suffix("")): np.load(path) for path in sorted(folder.rglob("*.npy"))}


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"no VmHWM in /proc/{os.getpid()}/status")


def _answer(answer: dict) -> None:
    print(json.dumps(answer), flush=True)
