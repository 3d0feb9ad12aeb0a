"""Image files as a client sends them: a server decodes PNG and JPEG, training reads more."""

from pathlib import Path

from tfvae.data import images
from tfvae.serving import image_decoding
from tfvae.storage import reachable
from tfvae.storage.disk import PathLike


def encoded(path: PathLike) -> bytes:
    """What a server is sent of a file: a PNG or JPEG as it is, of what else training reads (WebP, BMP, GIF) a PNG.

    Raises:
        images.BadImage: for a file that is neither; a PNG or JPEG is judged by who decodes it.
        UnreachableError: where this machine cannot read the file.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise reachable.unreachable(error, path) from error
    if not content:
        raise images.BadImage("empty file")
    if content.startswith((image_decoding.PNG, image_decoding.JPEG)):
        return content
    return images.encode_png(images.read(path))
