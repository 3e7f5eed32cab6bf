"""DCGAN (Radford et al. 2015) on images of 28x28: one step of the discriminator, then one of the generator, each with
its own noise and its own Adam.

    generator      z, normal, 100; dense 1024, batch norm, ReLU; dense 7*7*128, batch norm over each of the 128
                   maps, ReLU; 5x5 transposed stride 2 to 64 (7 -> 14), batch norm, ReLU;
                   5x5 transposed stride 2 to 1 (14 -> 28), bias, tanh
    discriminator  pixels in (-1, 1); 5x5 stride 2 to 64, bias, leaky ReLU .2; 5x5 stride 2 to 128, batch norm, leaky ReLU;
                   dense 1024, batch norm, leaky ReLU; dense to one logit, bias
    batch norm     batch statistics (biased variance), epsilon 1e-5, gain and offset; no bias in the layer before it;
                   real and generated images are normalised apart
    losses         mean softplus(-D(x)) + softplus(D(G(z))), then mean softplus(-D(G(z)))

The nets are seen in a mirror, as in vae.py: a stride then pads PyTorch's way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import Batch, Peer, Update, Weights, channels_first, serve

LATENT = 100
MAP = (7, 7, 128)


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense1 = nn.Linear(LATENT, 1024, bias=False)
        self.norm1 = nn.BatchNorm1d(1024)
        self.dense2 = nn.Linear(1024, 7 * 7 * 128, bias=False)
        self.norm2 = nn.BatchNorm2d(128)
        self.convolution1 = nn.ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(64)
        self.convolution2 = nn.ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1)

    def forward(self, noise: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.dense1(noise)))
        x = F.relu(self.norm2(self.dense2(x).view(-1, 128, 7, 7)))
        x = F.relu(self.norm3(self.convolution1(x)))
        return torch.tanh(self.convolution2(x))


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 64, 5, stride=2, padding=2)
        self.convolution2 = nn.Conv2d(64, 128, 5, stride=2, padding=2, bias=False)
        self.norm1 = nn.BatchNorm2d(128)
        self.dense1 = nn.Linear(7 * 7 * 128, 1024, bias=False)
        self.norm2 = nn.BatchNorm1d(1024)
        self.output = nn.Linear(1024, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.convolution1(x), 0.2)
        x = F.leaky_relu(self.norm1(self.convolution2(x)), 0.2)
        x = F.leaky_relu(self.norm2(self.dense1(x.flatten(1))), 0.2)
        return self.output(x)


def build(weights: Weights) -> Peer:
    generator, discriminator = Generator(), Discriminator()

    def discriminator_loss(batch: Batch) -> Tensor:
        with torch.no_grad():
            fake = generator(batch["discriminator/z"])
        return (F.softplus(-discriminator(batch["data"])) + F.softplus(discriminator(fake))).mean()

    def generator_loss(batch: Batch) -> Tensor:
        return F.softplus(-discriminator(generator(batch["generator/z"]))).mean()

    weights.dense(generator.dense1, "generator/dense")
    weights.norm(generator.norm1, "generator/dense/norm")
    weights.dense_to_map(generator.dense2, "generator/project", MAP, mirrored=True)
    weights.norm(generator.norm2, "generator/project/norm")
    weights.convolution(generator.convolution1, "generator/convolution1", mirrored=True)
    weights.norm(generator.norm3, "generator/convolution1/norm")
    weights.convolution(generator.convolution2, "generator/output", mirrored=True)
    weights.convolution(discriminator.convolution1, "discriminator/convolution1", mirrored=True)
    weights.convolution(discriminator.convolution2, "discriminator/convolution2", mirrored=True)
    weights.norm(discriminator.norm1, "discriminator/convolution2/norm")
    weights.dense_from_map(discriminator.dense1, "discriminator/dense", MAP, mirrored=True)
    weights.norm(discriminator.norm2, "discriminator/dense/norm")
    weights.dense(discriminator.output, "discriminator/verdict")
    return Peer(
        nn.ModuleList([generator, discriminator]),
        [
            Update("discriminator", list(discriminator.parameters()), discriminator_loss),
            Update("generator", list(generator.parameters()), generator_loss),
        ],
        lambda batch: {**batch, "data": 2 * channels_first(batch["data"]).flip(2, 3) - 1},
    )


if __name__ == "__main__":
    serve(build)
