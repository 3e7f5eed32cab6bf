"""Gated PixelCNN (van den Oord et al. 2016) on binary images of 28x28: 16 feature maps, a first layer of 7x7 and five of
5x5, no condition.

    image    shifted down by one row for the vertical stack, right by one column for the horizontal one
    layer    vertical ceil(k/2) x k convolution to 32 maps, the lower half of the kernel left out;
             1x1 convolution of it to 32 maps, added to a horizontal 1 x ceil(k/2) convolution to 32 maps (no bias);
             both gated, tanh(a) sigmoid(b) of the two halves; the vertical one before its gate is what is handed over;
             after the first layer: horizontal + 1x1 convolution (no bias) of the gated maps
    head     1x1 to 64, gate, 1x1 to 64, gate, 1x1 to one logit a pixel
    loss     binary cross-entropy, nats, mean over the batch
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import Batch, Peer, Update, Weights, channels_first, serve

CHANNELS = 16
LAYERS = 5
HEAD = 32


class Layer(nn.Module):
    def __init__(self, inputs: int, size: int, residual: bool) -> None:
        super().__init__()
        half = (size + 1) // 2
        # Left, right, top, bottom: nothing below, nothing to the right of the middle.
        self.vertical_padding = (half - 1, half - 1, half - 1, 0)
        self.horizontal_padding = (half - 1, 0, 0, 0)
        self.vertical = nn.Conv2d(inputs, 2 * CHANNELS, (half, size))
        self.hand_over = nn.Conv2d(2 * CHANNELS, 2 * CHANNELS, 1)
        self.horizontal = nn.Conv2d(inputs, 2 * CHANNELS, (1, half), bias=False)
        self.residual = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False) if residual else None

    def forward(self, vertical: Tensor, horizontal: Tensor) -> tuple[Tensor, Tensor]:
        """The vertical stack comes gated and leaves before its gate."""
        vertical = self.vertical(F.pad(vertical, self.vertical_padding))
        gated = gate(self.horizontal(F.pad(horizontal, self.horizontal_padding)) + self.hand_over(vertical))
        return vertical, gated if self.residual is None else horizontal + self.residual(gated)


def gate(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedPixelCnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Layer(1, 7, residual=False)
        self.layers = nn.ModuleList(Layer(CHANNELS, 5, residual=True) for _ in range(LAYERS))
        self.head1 = nn.Conv2d(CHANNELS, 2 * HEAD, 1)
        self.head2 = nn.Conv2d(HEAD, 2 * HEAD, 1)
        self.logits = nn.Conv2d(HEAD, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        down = F.pad(x, (0, 0, 1, 0))[:, :, :-1]
        right = F.pad(x, (1, 0, 0, 0))[:, :, :, :-1]
        vertical, horizontal = self.first(down, right)
        for layer in self.layers:
            vertical, horizontal = layer(gate(vertical), horizontal)
        return self.logits(gate(self.head2(gate(self.head1(horizontal)))))

    def loss(self, batch: Batch) -> Tensor:
        x = batch["data"]
        return F.binary_cross_entropy_with_logits(self(x), x, reduction="sum") / len(x)


def build(weights: Weights) -> Peer:
    net = GatedPixelCnn()
    for index, layer in enumerate([net.first, *net.layers]):
        weights.convolution(layer.vertical, f"layer{index}/vertical")
        weights.convolution(layer.horizontal, f"layer{index}/horizontal")
        weights.convolution(layer.hand_over, f"layer{index}/hand-over")
        if layer.residual is not None:
            weights.convolution(layer.residual, f"layer{index}/residual")
    weights.convolution(net.head1, "head1")
    weights.convolution(net.head2, "head2")
    weights.convolution(net.logits, "output")
    updates = [Update("likelihood", list(net.parameters()), net.loss)]
    return Peer(net, updates, lambda batch: {**batch, "data": channels_first(batch["data"])})


if __name__ == "__main__":
    serve(build)
