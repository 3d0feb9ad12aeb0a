"""The same model in PyTorch, eager, written from Pu 2017, eqs. (5.3), (5.4) and (5.15), with residual critics."""

import math

import numpy as np
import torch
import worker
from torch.nn import functional as F

Z, TEMPERATURE = 64, 0.5
LOG_2_PI = math.log(2.0 * math.pi)


class ASVAE:
    """Parameters by name, and both players' losses."""

    def __init__(self, arrays):
        self.of = {
            name: torch.from_numpy(array).clone().requires_grad_()
            for name, array in arrays.items()
            if name.endswith(("_kernel", "_bias"))
        }
        self.critics = [p for name, p in self.of.items() if name.startswith("f")]
        self.model = [p for name, p in self.of.items() if not name.startswith("f")]

    def linear(self, name, h):
        return torch.addmm(self.of[f"{name}_bias"], h, self.of[f"{name}_kernel"])

    def decode(self, z):
        return self.linear("p1", F.relu(self.linear("p0", z)))

    def encode(self, x):
        return self.linear("q1", F.relu(self.linear("q0", x))).chunk(2, -1)

    def g1(self, x):
        return self.linear("f1_out", F.relu(self.linear("f1_xz", F.relu(self.linear("f1_x", x)))))[:, 0]

    def r(self, x, z):
        h = torch.cat([F.relu(self.linear("f2_x", x)), F.relu(self.linear("f2_z", z))], -1)
        return self.linear("f2_out", F.relu(self.linear("f2_xz", h)))[:, 0]

    def critic_loss(self, x, noise):
        with torch.no_grad():
            mean, log_variance = self.encode(x)
            z_of_x = mean + (0.5 * log_variance).exp() * noise["code"]
            z, fresh = noise["prior"], noise["fresh"]
            x_of_z = relaxed(self.decode(z), noise["pixels"])
            images, codes = torch.cat([x, x_of_z]), torch.cat([z_of_x, fresh])
            others, other_codes = torch.cat([x_of_z, x]), torch.cat([z, z_of_x.roll(1, 0)])
            base1 = gaussian(codes, *self.encode(images)) - gaussian(codes)
            base2 = gaussian(other_codes, *self.encode(others)) - gaussian(other_codes)
        f1, f2 = base1 + self.g1(images), base2 + self.r(others, other_codes)
        num = len(x)
        return sum(F.softplus(-f[:num]).mean() + F.softplus(f[num:]).mean() for f in (f1, f2))

    def model_loss(self, x, noise):
        z = noise["prior"]
        x_of_z = relaxed(self.decode(z), noise["pixels"])
        mean, log_variance = self.encode(torch.cat([x, x_of_z.detach()]))
        num = len(x)
        z_of_x = mean[:num] + (0.5 * log_variance[:num]).exp() * noise["code"]
        log_q = gaussian(z_of_x, mean[:num], log_variance[:num])
        log_p_x = -F.binary_cross_entropy_with_logits(self.decode(z_of_x), x, reduction="none").sum(-1)
        f1 = log_q - gaussian(z_of_x) + self.g1(x)
        log_q_of_sample = gaussian(z, mean[num:], log_variance[num:])
        f2 = log_q_of_sample.detach() - gaussian(z) + self.r(x_of_z, z)
        return (f1 - log_p_x).mean() + (f2 - log_q_of_sample).mean()


def relaxed(logits, u):
    u = u.clamp(1e-6, 1 - 1e-6)
    return torch.sigmoid((logits + u.log() - torch.log1p(-u)) / TEMPERATURE)


def gaussian(z, mean=None, log_variance=None):
    """log N(z; mean, e^log_variance), standard without them: [N]."""
    if mean is None:
        return -0.5 * (z.square() + LOG_2_PI).sum(-1)
    return -0.5 * ((z - mean).square() * (-log_variance).exp() + log_variance + LOG_2_PI).sum(-1)


def drawn(num):
    """New noise of one round."""
    shapes = {"code": (num, Z), "prior": (num, Z), "fresh": (num, Z)}
    return {name: torch.randn(shape) for name, shape in shapes.items()} | {"pixels": torch.rand(num, 784)}


def step(recorded):
    """A round: the critics, then the model, each with Adam."""
    arrays = np.load(recorded)
    model, x = ASVAE(arrays), torch.from_numpy(arrays["image"])
    critics, players = (torch.optim.Adam(p, lr=1e-4, fused=True) for p in (model.critics, model.model))

    def once():
        for optimiser, loss_of in ((critics, model.critic_loss), (players, model.model_loss)):
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(x, drawn(len(x)))
            loss.backward(inputs=optimiser.param_groups[0]["params"])
            optimiser.step()
        return loss.item()

    return worker.repeated(once)


def check(recorded):
    """Losses and norms of gradients of both players with recorded weights and noise."""
    arrays = np.load(recorded)
    model, x, found = ASVAE(arrays), torch.from_numpy(arrays["image"]), {}
    noise = {name: torch.from_numpy(arrays[name]) for name in ("code", "prior", "fresh", "pixels")}
    for name, variables, loss_of in (
        ("critic", model.critics, model.critic_loss), ("model", model.model, model.model_loss),
    ):  # fmt: skip
        loss = loss_of(x, noise)
        gradients = torch.autograd.grad(loss, variables)
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        found |= {f"loss_{name}": loss.item(), f"gradient_norm_{name}": norm}
    return found


if __name__ == "__main__":
    worker.serve({"step": step}, {"check": check}, {"torch": torch.__version__})
