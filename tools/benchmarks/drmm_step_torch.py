"""The same model in PyTorch, eager, written from Nguyen et al. 2016: eqs. (5) to (8), (11) to (14) and table 6."""

import math

import numpy as np
import torch
import worker
from torch import nn
from torch.nn import functional as F

# (filters, kernel, padding, side of the pooling)
LAYERS = ((32, 5, "full", 2), (64, 3, "valid", 1), (64, 3, "full", 2), (128, 3, "valid", 1), (10, 1, "valid", 1))
K, NUM_LABELLED = 10, 50


class RenderingLayer(nn.Module):
    """A convolution, batch normalisation, a ReLU and perhaps a pooling; downwards through what these decided."""

    def __init__(self, channels, filters, kernel, padding, block):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(filters, channels, kernel, kernel))
        self.norm = nn.BatchNorm2d(filters, eps=1e-3)
        self.padding, self.block = kernel - 1 if padding == "full" else 0, block

    def forward(self, x):
        on = F.relu(self.norm(F.conv2d(x, self.weight, padding=self.padding)))
        if self.block == 1:
            return on, (on > 0).to(on.dtype)
        pooled = F.max_pool2d(on, self.block)
        maxima = F.interpolate(pooled, scale_factor=self.block)
        with torch.no_grad():
            mask = ((on == maxima) & (on > 0)).to(on.dtype)
            ties = F.avg_pool2d(mask, self.block) * self.block**2
            mask = mask / F.interpolate(ties.clamp(min=1), scale_factor=self.block)
        return pooled, mask

    def render(self, z, mask):
        if self.block > 1:
            z = F.interpolate(z, scale_factor=self.block)
        return F.conv_transpose2d(z * mask, self.weight, padding=self.padding)


class DRMM(nn.Module):
    """Cross-entropy + 0.2 squared error − divergence from the prior + negative parts, the last two with weight 1."""

    def __init__(self):
        super().__init__()
        widths = [1, *(layer[0] for layer in LAYERS)]
        self.layers = nn.ModuleList([RenderingLayer(c, *layer) for c, layer in zip(widths, LAYERS)])

    def forward(self, x, label):
        h, masks = x, []
        for layer in self.layers:
            h, mask = layer(h)
            masks.append(mask)
        log_q = F.log_softmax(h.mean((2, 3)), -1)
        entropy = -(log_q.exp() * log_q).sum(-1)
        classes = torch.cat([label, log_q[NUM_LABELLED:].argmax(-1)])
        z = F.one_hot(classes, K).to(x.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])
        negative = 0.0
        for number, (layer, mask) in enumerate(zip(reversed(self.layers), reversed(masks)), start=1):
            z = layer.render(z, mask)
            if number < len(self.layers):
                negative = negative + F.relu(-z).square().mean((1, 2, 3))
        error = (x - z).square().mean((1, 2, 3))
        cross_entropy = F.nll_loss(log_q[:NUM_LABELLED], label)
        kl = math.log(K) - entropy
        return cross_entropy + 0.2 * error.mean() - kl.mean() + negative.mean()


def restored(recorded, order="contiguous"):
    """The model with recorded weights, and the recorded batch."""
    arrays, model = np.load(recorded), DRMM()
    with torch.no_grad():
        for i, layer in enumerate(model.layers):
            kernel = torch.from_numpy(arrays[f"kernel{i}"])
            # A full convolution of ours is written as a transpose, whose filters are turned.
            layer.weight.copy_((kernel.flip(0, 1) if layer.padding else kernel).permute(3, 2, 0, 1))
    image = torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).contiguous()
    if order == "channels_last":
        model, image = model.to(memory_format=torch.channels_last), image.to(memory_format=torch.channels_last)
    return model, image, torch.from_numpy(arrays["label"]).long()


def step(recorded, order):
    """Forward, backward and a step down the gradient on one batch."""
    model, image, label = restored(recorded, order)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.2)

    def once():
        optimiser.zero_grad(set_to_none=True)
        loss = model(image, label)
        loss.backward()
        optimiser.step()
        return loss.item()

    return worker.repeated(once)


def check(recorded):
    """The loss and the norm of its gradient with recorded weights."""
    model, image, label = restored(recorded)
    loss = model(image, label)
    loss.backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None))
    return {"loss": loss.item(), "gradient_norm": norm}


if __name__ == "__main__":
    worker.serve({"step": step}, {"check": check}, {"torch": torch.__version__})
