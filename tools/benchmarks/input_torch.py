"""The same batches from PyTorch's DataLoader, row by row as its users write them; and by hand in NumPy."""

import io

import numpy as np
import PIL.Image
import torch
import worker
from torch.utils.data import DataLoader, Dataset

BATCH, NUM_LABELLED = 100, 100


class Rows(Dataset):
    """Images in memory: the kept pixels of a row, binarised anew."""

    def __init__(self, images, kept, label):
        self.image = torch.from_numpy(np.load(images).reshape(len(label), -1))
        self.kept = torch.from_numpy(np.flatnonzero(np.load(kept)))
        self.label = label

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return binarised(self.image[i], self.kept), self.label[i]


class Encoded(Rows):
    """PNGs in memory, decoded by PIL."""

    def __init__(self, images, kept, label):
        super().__init__(images, kept, label)
        self.png = [_png(row) for row in np.load(images)]

    def __getitem__(self, i):
        decoded = torch.from_numpy(np.array(PIL.Image.open(io.BytesIO(self.png[i]))))
        return binarised(decoded.reshape(-1), self.kept), self.label[i]


def binarised(row, kept):
    intensity = row[kept].float() / 255
    return (torch.rand(len(kept)) < intensity).float()


def mixed(images, kept, num_workers):
    """100 labelled and 100 bare rows a batch; the few labelled ones need no worker."""
    label = _labels(images)
    rows = Rows(images, kept, label)
    bare = _endless(rows, num_workers)
    labelled = _endless(torch.utils.data.Subset(rows, range(NUM_LABELLED)), 0)
    return worker.repeated(lambda: (next(labelled), next(bare)))


def png(images, kept, num_workers):
    """100 bare images a batch, each decoded when it is asked for."""
    batches = _endless(Encoded(images, kept, _labels(images)), num_workers)
    return worker.repeated(lambda: next(batches))


def by_hand(images, kept):
    """`mixed` without a loader: one gather and one draw of noise a batch, in this process."""
    image = np.load(images).reshape(len(_labels(images)), -1)
    kept = np.flatnonzero(np.load(kept))
    label, rng = _labels(images), np.random.default_rng(0)
    order = iter(())

    def once():
        nonlocal order
        rows = next(order, None)
        if rows is None:
            order = iter(rng.permutation(len(label))[: len(label) // BATCH * BATCH].reshape(-1, BATCH))
            rows = next(order)
        known = rng.permutation(NUM_LABELLED)
        intensity = image[np.concatenate([known, rows])][:, kept] / np.float32(255)
        return (rng.random(intensity.shape, np.float32) < intensity).astype(np.float32), label[known]

    return worker.repeated(once)


def _endless(rows, num_workers):
    loader = DataLoader(
        rows, BATCH, shuffle=True, num_workers=num_workers, drop_last=True, persistent_workers=num_workers > 0
    )
    while True:
        yield from loader


def _labels(images):
    return np.arange(len(np.load(images, mmap_mode="r"))) % 10


def _png(row):
    file = io.BytesIO()
    PIL.Image.fromarray(row[..., 0]).save(file, "png")
    return file.getvalue()


if __name__ == "__main__":
    versions = {"torch": torch.__version__, "pillow": PIL.__version__, "numpy": np.__version__}
    worker.serve({"mixed": mixed, "png": png, "by_hand": by_hand}, {}, versions)
