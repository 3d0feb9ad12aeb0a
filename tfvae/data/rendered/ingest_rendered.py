"""Rendered images -> shards with a manifest; every image is a function of (seed, number)."""

import contextlib
import functools
import multiprocessing
import os

from tfvae import batch as batches
from tfvae.data import ingest, manifest, records
from tfvae.data.rendered import blender, scenes
from tfvae.data.rendered.objects import CLASS_NAMES

SPLITS = ("train", "validation", "test")


def ingest_rendered(
    output, counts, seed=0, *, records_per_shard=1000, overwrite=False, report=print, processes=0, resume=True
):
    """Renders images of ten classes and writes them as shards, labelled and with the factors of each.

    Args:
        output: the folder of the shards.
        counts: split -> images, classes in turn; the numbers of `train` come first, then those of `validation`.
        seed: of all scenes.
        records_per_shard: the most records in one file.
        overwrite: whether shards that are already there are replaced.
        report: called with a line of what was written.
        processes: that render side by side; 0 for one a core.
        resume: whether shards that are whole are kept when it is stopped, and taken over by the next call with the
            same arguments.

    Returns:
        `tfvae.data.manifest.Manifest`.

    Raises:
        ValueError: where Blender is not installed, for counts that make no set, or an output that must not be written.
    """
    blender.require()
    if set(counts) - set(SPLITS) or min(counts.values()) < 0 or not counts.get("train"):
        raise ValueError(f"`counts` gives images of {SPLITS}, `train` at least one, got {counts}.")
    output = ingest.checked_output(None, output, records_per_shard, overwrite)
    parts, first = [], 0
    for split in SPLITS:
        num = counts.get(split, 0)
        parts += [
            ingest.Part(name, (first + start, first + end))
            for name, start, end in ingest.shard_names(f"{split}-{batches.LABELLED}", num, records_per_shard)
        ]
        first += num
    settings = {"rendered": dict(counts), "seed": seed, "blender": blender.version()}

    def described(shards):
        shape, total = (blender.SIDE, blender.SIDE, 1), sum(counts.values())
        return manifest.Manifest(
            shape, CLASS_NAMES, tuple(shards), manifest.count(shards), class_counts=_class_counts(counts),
            settings=settings, entries={batches.FACTORS: total}, names={batches.FACTORS: tuple(sorted(scenes.FACTORS))},
        )  # fmt: skip

    key = ingest.digest([settings, [tuple(part) for part in parts]])
    with _side_by_side(processes or os.cpu_count()) as spread:
        records_of = functools.partial(_rendered, seed)
        made = ingest.write(output, parts, records_of, described, spread, resume and key)
    report(f"wrote {sum(made.counts.values())} records in {len(made.shards)} shards ({made.storage}) to {output}")
    return made


@contextlib.contextmanager
def _side_by_side(processes):
    """`map` over fresh processes: Blender has one scene a process."""
    if processes == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap


@functools.cache
def _studio():
    """The studio of this process."""
    return blender.Studio()


def _rendered(seed, numbers):
    for number in range(*numbers):
        scene = scenes.scene(seed, number)
        yield records.serialise(
            _studio().render(scene), scene.label, file_name=f"rendered-{seed}-{number}", factors=scene.factors
        )


def _class_counts(counts):
    """Class name -> split -> images: classes take turns by the number of an image."""
    found, first = {name: dict.fromkeys(SPLITS, 0) for name in CLASS_NAMES}, 0
    for split in SPLITS:
        for number in range(first, first + counts.get(split, 0)):
            found[CLASS_NAMES[number % len(CLASS_NAMES)]][split] += 1
        first += counts.get(split, 0)
    return found
