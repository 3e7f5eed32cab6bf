"""The convolutional variational auto-encoder of Gulrajani et al. 2017 (PixelVAE), appendix A, without its autoregressive
layers, on binary images of 28x28; 613,665 parameters.

    encoder  3x3 convolutions, ReLU: 32, 32 stride 2, 32, 64 stride 2, (7 -> 8 pad) 64, 64 stride 2, 64, 64, 64
             dense 1024 -> 128: mean and log standard deviation of 64 codes
    decoder  dense 64 -> 1024, ReLU, 4x4x64; 3x3 ReLU: 64, 64, 64 transposed stride 2 (4 -> 8), 64,
             (8 -> 7 crop) 32 transposed stride 2 (7 -> 14), 32, 32 transposed stride 2 (14 -> 28), 32
             1x1 convolution to one logit a pixel
    loss     binary cross-entropy + KL, nats, mean over the batch

The net is seen in a mirror, which changes nothing that it computes: TensorFlow's 'same' padding of a stride puts the odd
row at the end and PyTorch's padding=1 at the start, so that PyTorch would need padding layers of its own otherwise.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import Batch, Peer, Update, Weights, channels_first, serve

LATENT = 64
MAP = (4, 4, 64)
ENCODER = [(32, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 2), (64, 1), (64, 1), (64, 1)]
DECODER = [(64, 1), (64, 1), (64, 2), (64, 1), (32, 2), (32, 1), (32, 2), (32, 1)]
PADDED_AFTER = 3
CROPPED_BEFORE = 4


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList()
        channels = 1
        for outputs, stride in ENCODER:
            self.encoder.append(nn.Conv2d(channels, outputs, 3, stride=stride, padding=1))
            channels = outputs
        self.posterior = nn.Linear(4 * 4 * 64, 2 * LATENT)
        self.expand = nn.Linear(LATENT, 4 * 4 * 64)
        self.decoder = nn.ModuleList()
        for outputs, stride in DECODER:
            if stride == 1:
                self.decoder.append(nn.Conv2d(channels, outputs, 3, padding=1))
            else:
                self.decoder.append(nn.ConvTranspose2d(channels, outputs, 3, stride=2, padding=1, output_padding=1))
            channels = outputs
        self.logits = nn.Conv2d(channels, 1, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for index, convolution in enumerate(self.encoder):
            x = F.relu(convolution(x))
            if index == PADDED_AFTER:
                x = F.pad(x, (1, 0, 1, 0))
        mean, log_deviation = self.posterior(x.flatten(1)).chunk(2, dim=1)
        return mean, log_deviation

    def decode(self, z: Tensor) -> Tensor:
        x = F.relu(self.expand(z)).view(-1, 64, 4, 4)
        for index, convolution in enumerate(self.decoder):
            if index == CROPPED_BEFORE:
                x = x[:, :, 1:, 1:]
            x = F.relu(convolution(x))
        return self.logits(x)

    def loss(self, batch: Batch) -> Tensor:
        x = batch["data"]
        mean, log_deviation = self.encode(x)
        z = mean + log_deviation.exp() * batch["elbo/epsilon"]
        reconstruction = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="sum")
        kl = 0.5 * (mean.square() + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum()
        return (reconstruction + kl) / len(x)


def build(weights: Weights) -> Peer:
    net = Vae()
    for index, layer in enumerate(net.encoder):
        weights.convolution(layer, f"encoder/convolution{index + 1}", mirrored=True)
    weights.dense_from_map(net.posterior, "encoder/output", MAP, mirrored=True)
    weights.dense_to_map(net.expand, "decoder/dense1", MAP, mirrored=True)
    for index, layer in enumerate(net.decoder):
        weights.convolution(layer, f"decoder/convolution{index + 1}", mirrored=True)
    weights.convolution(net.logits, "decoder/output")
    updates = [Update("elbo", list(net.parameters()), net.loss)]
    return Peer(net, updates, lambda batch: {**batch, "data": channels_first(batch["data"]).flip(2, 3)})


if __name__ == "__main__":
    serve(build)
