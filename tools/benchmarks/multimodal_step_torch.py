"""The same models in PyTorch, eager, written from Shah, sections 5.5 to 5.8."""

import math

import numpy as np
import torch
import worker
from torch import nn
from torch.nn import functional as F

STRIDES, Z, FREE_BITS = (2, 1, 2, 1), 50, 0.125


class Normalised(nn.Module):
    """w = g v / |v| of a dense, convolutional, transposed or masked layer, with torch's own fused normalisation."""

    def __init__(self, arrays, name, transposed=False):
        super().__init__()
        v = torch.from_numpy(arrays[f"{name}/v"])
        v = v.T if v.ndim == 2 else v.permute(3, 2, 0, 1)
        self.units = 1 if transposed else 0
        shape = [1] * v.ndim
        shape[self.units] = -1
        self.v = nn.Parameter(v.contiguous().clone())
        self.g = nn.Parameter(torch.from_numpy(arrays[f"{name}/g"]).reshape(shape).clone())
        self.b = nn.Parameter(torch.from_numpy(arrays[f"{name}/b"]).clone()) if f"{name}/b" in arrays else None
        masks = f"{name}/mask" in arrays
        self.register_buffer(
            "mask", torch.from_numpy(arrays[f"{name}/mask"]).permute(3, 2, 0, 1).contiguous() if masks else None
        )

    def weight(self):
        v = self.v if self.mask is None else self.v * self.mask
        return torch._weight_norm(v, self.g, self.units)

    def forward(self, x, stride=1):
        w = self.weight()
        if w.ndim == 2:
            return F.linear(x, w, self.b)
        if self.units:  # A transposed convolution.
            y = F.conv_transpose2d(x, w, self.b, stride, padding=1 if stride == 1 else 0)
            return y if stride == 1 else y[:, :, :-1, :-1]
        if stride == 2:
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), w, self.b, 2)
        return F.conv2d(x, w, self.b, padding=w.shape[-1] // 2)


class VAE(nn.Module):
    """A residual encoder, a residual decoder, and above it, where one was recorded, a PixelCNN."""

    def __init__(self, arrays):
        super().__init__()
        names = {name.partition("/")[0] for name in arrays if "/" in name}
        is_up = lambda name: name.startswith("p_image_block")  # noqa: E731
        self.layers = nn.ModuleDict({name: Normalised(arrays, name, is_up(name)) for name in names})
        self.autoregressive = "p_image_pixels_first" in names
        self.blocks = sum(name.startswith("p_image_pixels_narrow") for name in names)

    def residual(self, u, stride, name):
        inner = self.layers[f"{name}_conv1"](F.elu(self.layers[f"{name}_conv0"](u)), stride)
        around = f"{name}_conv2"
        return inner + (self.layers[around](u, stride) if around in self.layers else u)

    def encode(self, x):
        for i, stride in enumerate(STRIDES):
            x = F.elu(self.residual(x, stride, f"q_image_block{i}"))
        h = F.elu(self.layers["q_image_hidden"](x.permute(0, 2, 3, 1).flatten(1)))
        loc, scale = self.layers["q_z_image_params"](h).chunk(2, -1)
        return loc, F.softplus(scale) + 1e-6

    def maps(self, z):
        h = self.layers["p_image_coarse"](z).reshape(-1, 7, 7, 16).permute(0, 3, 1, 2)
        for i, stride in reversed(list(enumerate(STRIDES))):
            h = self.residual(F.elu(h), stride, f"p_image_block{i}")
        return h

    def logits(self, x, z):
        maps = self.maps(z)
        if not self.autoregressive:
            return self.layers["p_image_params"](F.elu(maps))
        pixels = lambda name, of: self.layers[f"p_image_pixels_{name}"](of)  # noqa: E731
        h = pixels("first", x)
        for i in range(self.blocks):
            seen = pixels(f"middle{i}", F.elu(pixels(f"narrow{i}", F.elu(h)))) + pixels(f"code{i}", maps)
            h = h + pixels(f"wide{i}", F.elu(seen))
        return pixels("last", F.elu(h))

    def forward(self, x, noise):
        loc, scale = self.encode(x)
        logits = self.logits(x, loc + scale * noise)
        log_likelihood = -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))
        kl = 0.5 * (scale**2 + loc**2 - 1.0 - 2.0 * scale.log())
        return -log_likelihood.mean() + kl.mean(0).clamp(min=FREE_BITS).sum()


def restored(recorded, order="contiguous"):
    """The model with recorded weights, and the recorded batch and noise."""
    arrays = np.load(recorded)
    model, image = VAE(arrays), torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).contiguous()
    if order == "channels_last":
        model, image = model.to(memory_format=torch.channels_last), image.to(memory_format=torch.channels_last)
    return model, image, torch.from_numpy(arrays["noise"])


def step(recorded, order):
    """Forward, backward and a step of RMSProp with momentum on one batch."""
    model, image, noise = restored(recorded, order)
    optimiser = torch.optim.RMSprop(model.parameters(), lr=2e-3, alpha=0.9, momentum=0.9)

    def once():
        optimiser.zero_grad(set_to_none=True)
        loss = model(image, noise)
        loss.backward()
        optimiser.step()
        return loss.item()

    return worker.repeated(once)


def check(recorded):
    """The loss and the norm of its gradient with recorded weights."""
    model, image, noise = restored(recorded)
    loss = model(image, noise)
    loss.backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None))
    return {"loss": loss.item(), "gradient_norm": norm}


if __name__ == "__main__":
    worker.serve({"step": step}, {"check": check}, {"torch": torch.__version__})
