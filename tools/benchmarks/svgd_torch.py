"""The SVGD direction in eager PyTorch: products of matrices, and the median by `kthvalue`."""

import svgd_data
import torch
import worker


def phi(z, scores):
    """Σ_j [k(x_j, x_i) s_j + ∇ k] / S of [B, S, Z]."""
    num = z.shape[1]
    squares = (z**2).sum(-1)
    distances = (squares[:, :, None] + squares[:, None] - 2.0 * z @ z.transpose(1, 2)).clamp_min(0.0)
    rank = num + (num * (num - 1) - 2) // 2 // 2 * 2 + 1
    h = distances.flatten(1).kthvalue(rank, dim=1).values[:, None, None]
    k = torch.exp(-distances / h) / num
    return k @ scores + 2.0 / h * (k.sum(-1, keepdim=True) * z - k @ z)


def made(points, particles, dim):
    return map(torch.tensor, svgd_data.particles_and_scores(points, particles, dim))


def direction(points, particles, dim):
    z, scores = made(points, particles, dim)
    return worker.repeated(torch.no_grad()(lambda: phi(z, scores)))


def score_and_direction(points, particles, dim):
    z, _ = made(points, particles, dim)
    weights, image = svgd_data.decoder(dim)
    w1, w2, w3 = map(torch.tensor, weights)
    x = torch.tensor(image[:points])
    z.requires_grad_()

    def call():
        logits = torch.tanh(torch.tanh(z @ w1) @ w2) @ w3
        log_p = -(torch.nn.functional.softplus(logits) - x * logits).sum() - 0.5 * (z**2).sum()
        (score,) = torch.autograd.grad(log_p, z)
        with torch.no_grad():
            phi(z, score)

    return worker.repeated(call)


def norm(**sizes):
    z, scores = made(**sizes)
    return float(phi(z, scores).norm())


def memory(**sizes):
    return worker.memory_mib(lambda: direction(**sizes))


if __name__ == "__main__":
    cases = {"direction": direction, "score_and_direction": score_and_direction}
    worker.serve(cases, {"norm": norm, "memory": memory}, {"torch": torch.__version__})
