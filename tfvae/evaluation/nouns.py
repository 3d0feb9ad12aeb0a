"""What a row is in the words of those who made it: an image, a document, a point."""


def noun(data):
    """ "image", "document" (of word counts), "point" (of the plane), or "row".

    Args:
        data: `tfvae.data.load.Data`.
    """
    if data.words:
        return "document"
    shape = data.transform.raw_shape
    return "image" if len(shape) == 3 and min(shape) > 0 else "point" if tuple(shape) == (2,) else "row"


def plural(data):
    """ "images", "documents", "points" or "rows"."""
    return f"{noun(data)}s"


def counted(number, data, kind=""):
    """A number of them: "1 image", "1,200 test images"."""
    return f"{number:,} {f'{kind} ' if kind else ''}{noun(data)}{'' if number == 1 else 's'}"
