"""The same model in PyTorch, eager, written from the equations of Maaløe et al. 2016."""

import math

import numpy as np
import torch
import worker
from torch import nn
from torch.nn import functional as F

X, A, Z, K, HIDDEN, BATCH = 444, 100, 100, 10, 500, 100


class Network(nn.Module):
    """Two hidden layers on parents side by side."""

    def __init__(self, widths, num_params):
        super().__init__()
        self.widths = widths
        self.layers = nn.ModuleList(
            [nn.Linear(sum(widths), HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, num_params)]
        )

    def forward(self, *parents):
        return self.rest(self.layers[0](torch.cat(parents, -1)))

    def factored(self, *parents):
        """The same with parents that broadcast: each has its part of the product formed once."""
        first = self.layers[0]
        products = [F.linear(p, w) for p, w in zip(parents, first.weight.split(self.widths, dim=1))]
        return self.rest(sum(products[1:], products[0]) + first.bias)

    def rest(self, h):
        for layer in self.layers[1:]:
            h = layer(F.relu(h))
        return h


class ADGM(nn.Module):
    """p(y) p(z) p(a|z,y) p(x|y,z) with q(a|x) q(y|a,x) q(z|a,y,x).

    Args:
        classes: how the sum over classes is formed: `loop`, a pass for each class; `vectorised`, one pass over images
            repeated for each class; `factored`, one pass whose first layers see each image once.
        alpha: weight of the classifier.
    """

    def __init__(self, classes="vectorised", alpha=1.0):
        super().__init__()
        self.classes = classes
        self.alpha = alpha
        self.p_x_given_yz = Network([K, Z], X)
        self.p_a_given_zy = Network([Z, K], 2 * A)
        self.q_a_given_x = Network([X], 2 * A)
        self.q_y_given_ax = Network([A, X], K)
        self.q_z_given_ayx = Network([A, K, X], 2 * Z)

    def forward(self, batch, noise):
        """The loss: −mean L(x_l, y_l) − α mean log q(y_l|a,x_l) − mean U(x_u)."""
        x_l, y_l, x_u = batch
        x = torch.cat([x_l, x_u])
        loc, log_variance = self.q_a_given_x(x).float().chunk(2, -1)
        a = loc + torch.exp(0.5 * log_variance) * noise["a"]
        log_q_a = log_normal(a, loc, log_variance)
        log_q_y = F.log_softmax(self.q_y_given_ax(a, x).float(), -1)
        n = len(x_l)
        y = F.one_hot(y_l, K).float()
        labelled = self.bound(x_l, y, a[:n], log_q_a[:n], noise["labelled_z"])
        table = self.table(x_u, a[n:], log_q_a[n:], noise["unlabelled_z"])  # [B, K]
        log_q = log_q_y[n:]
        unlabelled = (log_q.exp() * (table - log_q)).sum(-1)
        return -labelled.mean() - self.alpha * (y * log_q_y[:n]).sum(-1).mean() - unlabelled.mean()

    def table(self, x, a, log_q_a, noise):
        """The bound on log p(x, y) for every class: [B, K]."""
        b, eye = len(x), torch.eye(K)
        if self.classes == "loop":
            columns = [self.bound(x, eye[k].expand(b, K), a, log_q_a, noise[:, k]) for k in range(K)]
            return torch.stack(columns, 1)
        if self.classes == "vectorised":
            x, a, log_q_a = (rows.repeat_interleave(K, 0) for rows in (x, a, log_q_a))
            return self.bound(x, eye.repeat(b, 1), a, log_q_a, noise.reshape(b * K, Z)).view(b, K)
        x, a, log_q_a = (rows.unsqueeze(1) for rows in (x, a, log_q_a))
        return self.bound(x, eye, a, log_q_a, noise, apply=Network.factored)

    def bound(self, x, y, a, log_q_a, noise, apply=Network.forward):
        """log p(x, y, a, z) − log q(a, z | x, y) at one draw."""
        loc, log_variance = apply(self.q_z_given_ayx, a, y, x).float().chunk(2, -1)
        z = loc + torch.exp(0.5 * log_variance) * noise
        logits = apply(self.p_x_given_yz, y, z).float()
        log_p_x = -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)
        log_p_a = log_normal(a, *apply(self.p_a_given_zy, z, y).float().chunk(2, -1))
        log_p_z = -0.5 * (z * z + math.log(2 * math.pi)).sum(-1)
        return log_p_x + log_p_a + log_p_z - math.log(K) - log_normal(z, loc, log_variance) - log_q_a


def log_normal(v, loc, log_variance):
    square = (v - loc) ** 2 * torch.exp(-log_variance)
    return -0.5 * (math.log(2 * math.pi) + log_variance + square).sum(-1)


def draw():
    """The noise of a step."""
    return {
        "a": torch.randn(2 * BATCH, A), "labelled_z": torch.randn(BATCH, Z), "unlabelled_z": torch.randn(BATCH, K, Z),
    }  # fmt: skip


def step(recorded, classes, fused=False, bfloat16=False):
    """Forward, backward and Adam on one batch."""
    arrays = np.load(recorded)
    model, batch = restored(arrays, classes)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-4, fused=fused)

    def once():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model(batch, draw())
        loss.backward()
        optimiser.step()
        return loss.item()

    return worker.repeated(once)


def check(recorded, classes):
    """The loss and the norm of its gradient with recorded weights and noise."""
    arrays = np.load(recorded)
    model, batch = restored(arrays, classes)
    noise = {
        "a": torch.from_numpy(np.concatenate([arrays["labelled_a"], arrays["unlabelled_a"]])),
        "labelled_z": torch.from_numpy(arrays["labelled_z"][:, 0]),
        "unlabelled_z": torch.from_numpy(arrays["unlabelled_z"]),
    }
    loss = model(batch, noise)
    loss.backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    return {"loss": loss.item(), "gradient_norm": norm}


def restored(arrays, classes):
    """The model with recorded weights, and the recorded batch."""
    model = ADGM(classes, float(arrays["alpha"]))
    with torch.no_grad():
        for name, network in model.named_children():
            for i, layer in enumerate(network.layers):
                layer.weight.copy_(torch.from_numpy(arrays[f"{name}/{2 * i}"].T))
                layer.bias.copy_(torch.from_numpy(arrays[f"{name}/{2 * i + 1}"]))
    names = ("labelled_image", "label", "unlabelled_image")
    return model, tuple(torch.from_numpy(arrays[name]) for name in names)


if __name__ == "__main__":
    worker.serve({"step": step}, {"check": check}, {"torch": torch.__version__})
