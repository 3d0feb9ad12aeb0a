"""Images of every cluster, from a model whose prior is a mixture (Pu 2017, figure 3.10)."""

import numpy as np
import tensorflow as tf

from tfvae.capabilities import Capability
from tfvae.evaluation import clustering
from tfvae.reports import generation
from tfvae.reports.panel import Panel, Panels, some_rows

_IMAGES = 12  # Of a cluster.


def draw(model, data, metrics, seed):
    """A line a cluster, the largest first: what the middle of the cluster decodes to, then its surest images."""
    del metrics
    rows = some_rows(data, seed)
    if not (model.can(Capability.CLUSTER) and len(rows) and generation.has_pictures(data)):
        return []
    lines = lines_of(model, data, rows)
    caption = (
        "A line for every cluster, the largest first: left the image of its mean, then the held-out images that are "
        "most surely of it. No label was used (Pu 2017, figure 3.10)."
    )
    picture = generation.png(generation.grid(np.concatenate(lines), 1 + _IMAGES), min_width=420)
    return [Panel("Clusters", caption, picture, pixels=True)]


def lines_of(model, data, rows, num=_IMAGES):
    """Of every cluster that a row is of [1 + num, H, W, C] pictures in [0, 1], blank where it has fewer rows."""
    probs = clustering.responsibilities(model, data, rows)
    found, surest = probs.argmax(axis=1), probs.max(axis=1)
    members = {j: np.flatnonzero(found == j) for j in np.unique(found)}
    middles = data.transform.picture(model.decode(tf.convert_to_tensor(model.p_s.means)).mean()).numpy()
    pictures = data.transform.picture(data.observe(rows)).numpy()
    lines = []
    for j in sorted(members, key=lambda j: -len(members[j])):
        chosen = members[j][np.argsort(-surest[members[j]], kind="stable")[:num]]
        blank = np.ones([num - len(chosen), *pictures.shape[1:]], pictures.dtype)
        lines.append(np.concatenate([middles[j][None], pictures[chosen], blank]))
    return lines


PANELS = Panels("inside", draw, rank=17)
