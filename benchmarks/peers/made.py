"""MADE (Germain et al. 2015) on binary images of 28x28, 784 -> 8000 -> 784: one mask, natural order.

    degrees  input d has degree d, hidden unit k has floor(k 783 / 8000)
    hidden   ReLU of a dense layer in which unit k sees inputs of its own degree and below
    output   a dense layer in which logit d sees units of degrees below d
    loss     binary cross-entropy, nats, mean over the batch

A mask multiplies each weight matrix, as in the paper. Half of the products meet a zero; they are not counted.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import Batch, Peer, Update, Weights, serve

DIMENSIONS = 784
HIDDEN = 8000


class MaskedLinear(nn.Linear):
    def __init__(self, mask: Tensor) -> None:
        """`mask` is [outputs, inputs]."""
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class Made(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inputs = torch.arange(DIMENSIONS)
        units = torch.arange(HIDDEN) * (DIMENSIONS - 1) // HIDDEN
        self.hidden = MaskedLinear(units[:, None] >= inputs)
        self.output = MaskedLinear(inputs[:, None] > units)

    def loss(self, batch: Batch) -> Tensor:
        x = batch["data"]
        logits = self.output(F.relu(self.hidden(x)))
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def fill(weights: Weights, layer: MaskedLinear, name: str) -> None:
    """The fixture holds a matrix [inputs, outputs] as blocks of columns: the rows above the staircase, and those on it."""
    matrix, bias = torch.zeros(layer.weight.T.shape), []
    column = 0
    while weights.has(f"{name}/block{len(bias)}/own"):
        block = f"{name}/block{len(bias)}"
        own = weights.take(f"{block}/own")
        row = 0
        if weights.has(f"{block}/earlier"):
            earlier = weights.take(f"{block}/earlier")
            row = len(earlier)
            matrix[:row, column : column + own.shape[1]] = earlier
        matrix[row : row + len(own), column : column + own.shape[1]] = own
        column += own.shape[1]
        bias.append(weights.take(f"{block}/bias"))
    weights.fill(layer.weight, matrix.T)
    weights.fill(layer.bias, torch.cat(bias))


def build(weights: Weights) -> Peer:
    net = Made()
    fill(weights, net.hidden, "hidden1")
    fill(weights, net.output, "output")
    # Forward and weights' gradient of both layers, inputs' gradient of the second.
    products = {net.hidden.mask: 2, net.output.mask: 3}
    needed = sum(times * mask.mean().item() for mask, times in products.items()) / sum(products.values())
    return Peer(
        net,
        [Update("likelihood", list(net.parameters()), net.loss)],
        prepare=lambda batch: {"data": batch["data"].flatten(1)},
        needed=needed,
    )


if __name__ == "__main__":
    serve(build)
