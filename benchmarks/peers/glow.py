"""Glow (Kingma & Dhariwal 2018) on 8-bit images of 28x28: 2 levels of 8 steps, coupling networks of width 64.

    data         (255 x + u) / 256 - 1/2 with u uniform: log p of the integers is that of the result - 784 ln 256
    level        squeeze 2x2 into channels, ordered (channel, row, column); 8 steps; after the first level half of the
                 channels leave: their prior is Gaussian, its mean and log deviation the even and odd channels of a zero
                 convolution of the half that stays
    step         actnorm: (x + bias) exp(3 log_scale)
                 1x1 convolution: y = x W over channels, W = P (L + I) (U + diag(sign exp(log_diagonal))), L and U strictly
                 triangular, P a permutation and sign constant
                 affine coupling: first half of the channels gives h; second = (second + h[even]) sigmoid(h[odd] + 2)
    coupling     3x3 convolution to 64 (no bias), actnorm, ReLU; 1x1 to 64 (no bias), actnorm, ReLU; zero convolution
    zero conv    (3x3 convolution + bias) exp(3 log_gain)
    top prior    Gaussian, mean and log deviation of each channel learned
    loss         bits per dimension, mean over the batch
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import Batch, Peer, Update, Weights, channels_first, serve

LEVELS = 2
STEPS = 8
WIDTH = 64
DIMENSIONS = 28 * 28
LOG_SCALE_FACTOR = 3


class Actnorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.bias) * torch.exp(LOG_SCALE_FACTOR * self.log_scale)

    def log_determinant(self, pixels: int) -> Tensor:
        return pixels * LOG_SCALE_FACTOR * self.log_scale.sum()


class Mix(nn.Module):
    """The invertible 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lower = nn.Parameter(torch.zeros(channels, channels))
        self.upper = nn.Parameter(torch.zeros(channels, channels))
        self.log_diagonal = nn.Parameter(torch.zeros(channels))
        self.register_buffer("permutation", torch.eye(channels))
        self.register_buffer("sign", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        lower = self.lower.tril(-1) + torch.eye(len(self.lower))
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        weight = self.permutation @ lower @ upper
        return F.conv2d(x, weight.T[:, :, None, None])

    def log_determinant(self, pixels: int) -> Tensor:
        return pixels * self.log_diagonal.sum()


class ZeroConvolution(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.log_gain = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x) * torch.exp(LOG_SCALE_FACTOR * self.log_gain)


class Step(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.actnorm = Actnorm(channels)
        self.mix = Mix(channels)
        self.convolution1 = nn.Conv2d(channels // 2, WIDTH, 3, padding=1, bias=False)
        self.actnorm1 = Actnorm(WIDTH)
        self.convolution2 = nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
        self.actnorm2 = Actnorm(WIDTH)
        self.convolution3 = ZeroConvolution(WIDTH, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and the log-determinant of each row."""
        pixels = x.shape[2] * x.shape[3]
        a, b = self.mix(self.actnorm(x)).chunk(2, dim=1)
        h = F.relu(self.actnorm1(self.convolution1(a)))
        h = F.relu(self.actnorm2(self.convolution2(h)))
        h = self.convolution3(h)
        shift, logit = h[:, 0::2], h[:, 1::2] + 2
        b = (b + shift) * torch.sigmoid(logit)
        log_determinant = self.actnorm.log_determinant(pixels) + self.mix.log_determinant(pixels)
        return torch.cat([a, b], dim=1), log_determinant + F.logsigmoid(logit).sum((1, 2, 3))


def gaussian_log_prob(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    standardised = (x - mean) * torch.exp(-log_deviation)
    return (-0.5 * standardised.square() - log_deviation - 0.5 * math.log(2 * math.pi)).sum((1, 2, 3))


class Glow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        channels = 1
        for _ in range(LEVELS):
            channels *= 4
            self.levels.append(nn.ModuleList(Step(channels) for _ in range(STEPS)))
            channels //= 2
        self.split = ZeroConvolution(2, 4)
        self.prior_mean = nn.Parameter(torch.zeros(8, 1, 1))
        self.prior_log_deviation = nn.Parameter(torch.zeros(8, 1, 1))

    def log_prob(self, x: Tensor) -> Tensor:
        total = torch.zeros(len(x))
        for index, steps in enumerate(self.levels):
            x = F.pixel_unshuffle(x, 2)
            for step in steps:
                x, log_determinant = step(x)
                total = total + log_determinant
            if index < LEVELS - 1:
                x, leaving = x.chunk(2, dim=1)
                h = self.split(x)
                total = total + gaussian_log_prob(leaving, h[:, 0::2], h[:, 1::2])
        return total + gaussian_log_prob(x, self.prior_mean, self.prior_log_deviation)

    def loss(self, batch: Batch) -> Tensor:
        x = (255 * batch["data"] + batch["likelihood/dequantisation"]) / 256 - 0.5
        log_prob = self.log_prob(x) - DIMENSIONS * math.log(256)
        return -log_prob.mean() / (DIMENSIONS * math.log(2))


def build(weights: Weights) -> Peer:
    net = Glow()

    def fill_actnorm(layer: Actnorm, name: str) -> None:
        weights.fill(layer.bias, weights.take(f"{name}/bias")[:, None, None])
        weights.fill(layer.log_scale, weights.take(f"{name}/log_scale")[:, None, None])

    def fill_zero_convolution(layer: ZeroConvolution, name: str) -> None:
        weights.convolution(layer.convolution, name)
        weights.fill(layer.log_gain, weights.take(f"{name}/log_gain")[:, None, None])

    for level, steps in enumerate(net.levels):
        for index, step in enumerate(steps):
            name = f"level{level + 1}/step{index + 1}"
            fill_actnorm(step.actnorm, f"{name}/actnorm")
            for parameter in ["lower", "upper", "log_diagonal"]:
                weights.fill(getattr(step.mix, parameter), weights.take(f"{name}/mix/{parameter}"))
            for constant in ["permutation", "sign"]:
                getattr(step.mix, constant).copy_(weights.constants[f"{name}/mix/{constant}"])
            weights.convolution(step.convolution1, f"{name}/coupling/convolution1")
            fill_actnorm(step.actnorm1, f"{name}/coupling/actnorm1")
            weights.convolution(step.convolution2, f"{name}/coupling/convolution2")
            fill_actnorm(step.actnorm2, f"{name}/coupling/actnorm2")
            fill_zero_convolution(step.convolution3, f"{name}/coupling/convolution3")
    fill_zero_convolution(net.split, "level1/split")
    weights.fill(net.prior_mean, weights.take("prior/mean")[:, None, None])
    weights.fill(net.prior_log_deviation, weights.take("prior/log_deviation")[:, None, None])

    def prepare(batch: Batch) -> Batch:
        names = ["data", "likelihood/dequantisation"]
        return {**batch, **{name: channels_first(batch[name]) for name in names}}

    return Peer(net, [Update("likelihood", list(net.parameters()), net.loss)], prepare)


if __name__ == "__main__":
    serve(build)
