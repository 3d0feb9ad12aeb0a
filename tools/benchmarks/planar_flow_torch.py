"""The same flow in PyTorch, eager, layer by layer (Rezende & Mohamed 2015)."""

import math

import numpy as np
import torch
import worker
from torch.nn import functional as F

LENGTH, DIM = 80, 64
FLOOR, SHIFT = 0.01, math.log(math.expm1(1.0))
LOG_2_PI = math.log(2.0 * math.pi)


def loss_of(params, noise):
    mean, log_variance, u, w, b = params.split([DIM, DIM, LENGTH * DIM, LENGTH * DIM, LENGTH], -1)
    u, w = u.reshape(-1, LENGTH, DIM), w.reshape(-1, LENGTH, DIM)
    product = (w * u).sum(-1, keepdim=True)
    slope = (1 - FLOOR) * (F.softplus(product + SHIFT) - 1)
    u = u + (slope - product) * w / (w.square().sum(-1, keepdim=True) + 1e-12)
    z = mean + (0.5 * log_variance).exp() * noise
    log_q = -0.5 * (noise.square() + log_variance + LOG_2_PI).sum(-1)
    for k in range(LENGTH):
        t = torch.tanh((w[:, k] * z).sum(-1) + b[:, k])
        z = z + u[:, k] * t[:, None]
        log_q = log_q - torch.log1p(slope[:, k, 0] * (1 - t.square()))
    return (log_q + 0.5 * z.square().sum(-1)).mean()


def step(recorded):
    params = torch.from_numpy(np.load(recorded)["params"]).requires_grad_()

    def once():
        params.grad = None
        loss = loss_of(params, torch.randn(len(params), DIM))
        loss.backward()
        return loss.item()

    return worker.repeated(once)


def check(recorded):
    """Loss and norm of the gradient with recorded parameters and noise."""
    arrays = np.load(recorded)
    params = torch.from_numpy(arrays["params"]).requires_grad_()
    loss = loss_of(params, torch.from_numpy(arrays["noise"]))
    loss.backward()
    return {"loss": loss.item(), "gradient_norm": float(params.grad.norm())}


if __name__ == "__main__":
    worker.serve({"step": step}, {"check": check}, {"torch": torch.__version__})
