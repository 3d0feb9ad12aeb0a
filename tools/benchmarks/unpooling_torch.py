"""Pooling and unpooling by a given or drawn map in eager PyTorch."""

import torch
import torch.nn.functional as functional
import worker


def pool_and_unpool(shape, block, sampled, backward, way):
    """One call: draw a map where it is sampled, pool, unpool, and the gradient in the maps where it is asked for."""
    torch.manual_seed(0)
    batch, height, width, channels = shape
    h, w = height // block, width // block
    drawn = [batch, channels, h, w] if way == "gather" else [batch, h, w, channels]
    maps = torch.randn([batch, channels, height, width] if way == "gather" else shape, requires_grad=backward)
    weight = torch.randn_like(maps)
    given = torch.randint(0, block**2, drawn)
    # The flat index of the first cell of every block, for `gather` and `max_unpool2d`.
    corner = (torch.arange(h)[:, None] * block * width + torch.arange(w) * block)[None, None]
    cells = torch.arange(block**2).reshape(1, 1, block, 1, block, 1)

    def gathered(position):
        index = corner + position // block * width + position % block
        pooled = maps.flatten(2).gather(2, index.flatten(2)).reshape(batch, channels, h, w)
        return functional.max_unpool2d(pooled, index, block)

    def masked(position):
        mask = (position[:, :, None, :, None] == cells).float()
        pooled = (maps.reshape(batch, h, block, w, block, channels) * mask).sum((2, 4))
        return (pooled[:, :, None, :, None] * mask).reshape(shape)

    unpool = gathered if way == "gather" else masked

    def call():
        unpooled = unpool(torch.randint(0, block**2, drawn) if sampled else given)
        if backward:
            torch.autograd.grad(unpooled, maps, weight)

    if not backward:
        call = torch.no_grad()(call)
    return worker.repeated(call)


if __name__ == "__main__":
    worker.serve({"pool_and_unpool": pool_and_unpool}, {}, {"torch": torch.__version__})
