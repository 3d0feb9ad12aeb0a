"""What may be known of an example: a kind of entry a file, with its instance `ENTRY`; the file's name is the entry's.

Nothing else lists them. `tfvae.data.entry` says what a kind owns. Images are the exception to one instance a file: the
further images of an example, `image_b` or `image_depth`, are of the kind `image`.
"""

import functools
import importlib
import pkgutil

from tfvae import batch as batches
from tfvae.data.entry import Entry


def kinds() -> dict[str, Entry]:
    """Name -> the entry of each file, labels and captions before those that need asking for."""
    return _kinds(tuple(__path__))


def named(name: str) -> Entry:
    """The entry of this name; for an image one without a shape.

    Raises:
        ValueError: for a name that no kind has.
    """
    known = kinds()
    if name in known:
        return known[name]
    if batches.is_image(name):
        return known[batches.IMAGE].called(name)
    raise ValueError(
        f"There is no entry {name!r}: `data.entries` has {sorted(known)}, and `image_<name>` for more images."
    )


def wanted(config) -> list[Entry]:
    """The entries beside images that this `tfvae.data.load.Config` reads, where its data has them."""
    for name in config.entries:
        named(name)  # Refuses what is none.
    trained = [stream for stream, size in config.batch_sizes().items() if size]
    asked = {*config.entries, *(name for stream in trained for name in batches.STREAMS.get(stream, ()))}
    return [entry for name, entry in kinds().items() if name != batches.IMAGE and (entry.always or name in asked)]


@functools.cache
def _kinds(paths):
    # An extension may put a folder of its own on the path of this package.
    found = [importlib.import_module(f"{__name__}.{module.name}").ENTRY for module in pkgutil.iter_modules(paths)]
    for entry in found:
        if entry.stream:
            batches.STREAMS.setdefault(entry.stream, (batches.IMAGE, entry.name))
    order = [name for entries in batches.STREAMS.values() for name in entries]
    found.sort(key=lambda entry: (not entry.always, order.index(entry.name) if entry.name in order else len(order)))
    return {entry.name: entry for entry in found}
