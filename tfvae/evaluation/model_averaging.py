"""Predictions averaged over posterior draws of what images share, which a chain kept beside the weights it wrote.

Pu 2017, section 3.5.4.
"""

import numpy as np

from tfvae.evaluation.batched import at_once, map_rows


def decision_values(model, data, rows, draws, batch_size=200):
    """Decision values of the classes, averaged over draws and over the codes that each of them infers: [N, C].

    Args:
        model: a `tfvae.models.dgdn_sampled.SampledDGDN` with classifiers; it has its own weights again afterwards.
        data: `tfvae.data.load.Data`.
        rows: `Examples`.
        draws: (step, {name: array}) as `tfvae.run.opening.kept_draws` yields them.
        batch_size: rows in a call.

    Raises:
        ValueError: if there are no draws.
    """
    own, usual = model.read(), [np.asarray(variable) for variable in model.deconvnet.usual]
    total, count = 0.0, 0
    try:
        for _, draw in draws:
            model.write(model.of_draw(draw), usual)
            total += map_rows(
                lambda image, _: model.head.decision(model.codes(image)[0]), data, rows, at_once(model, batch_size)
            )
            count += 1
    finally:
        model.write(own, usual)
    if not count:
        raise ValueError("The run kept no draws: train with `model.kept` above 0, beyond `model.burn_in`.")
    return total / count
