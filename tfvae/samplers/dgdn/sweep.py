"""Sweeps over what is local to images and over what they share, made of the full conditionals."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import tensorflow as tf

from tfvae.layers import unpooling
from tfvae.probability import noise
from tfvae.samplers.dgdn import clusters, dictionary, maps, precisions, svm, tags, top
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import NONE, Data, Global, Local, Prior

# A tensor, or a NamedTuple of such.
Nest = TypeVar("Nest")

# A prior without clusters and tags.
_PLAIN = Prior()
# Numbers in the effects of all code places on the images of a chunk.
_MOST_NUMBERS = 2**26


class Swept(NamedTuple):
    """A local sweep's outcome.

    local: `Local`.
    moved: [pooled layers], the share of blocks that moved, weighted by |v| (`maps.moved`).
    mean:  [N, h, w, K], what the code was drawn around; the code itself where it has a spike.
    """

    local: Local
    moved: tf.Tensor
    mean: tf.Tensor


def first_local(geometry: Geometry, num: int | tf.Tensor, seed: tf.Tensor, prior: Prior = _PLAIN) -> Local:
    """`Local` of images that have had no turn: maps uniform, codes 0 (of which the first maps are the prior's)."""
    seeds = noise.split(seed, max(geometry.num_pooled, 1))
    drawn = [
        tf.cast(unpooling.uniform_position([num, *geometry.map_shape(layer)], outcomes, seeds[layer]), tf.uint8)
        for layer, outcomes in enumerate(geometry.outcomes)
    ]
    local = Local(tuple(drawn), tf.zeros([num, *geometry.code_shape]))
    if prior.clusters:
        local = local._replace(cluster=tf.zeros([num], tf.int32))
    if prior.tags:
        local = local._replace(strength=tf.ones([num, geometry.elements[-1]]))
    return local


def first_global(geometry: Geometry, num_classes: int, most: float, seed: tf.Tensor) -> Global:
    """`Global` from the dictionaries' prior, with precisions of 1 or less; no classifier knows anything."""
    seeds = noise.split(seed, geometry.num_layers)
    dictionaries = [
        noise.normal(geometry.dictionary_shape(layer), seeds[layer]) for layer in range(geometry.num_layers)
    ]
    return Global(
        dictionaries=tuple(dictionaries),
        noise_precision=tf.constant(min(1.0, most)),
        code_precision=tf.constant(1.0),
        usage=tf.fill([geometry.elements[-1]], 0.5),
        beta=tf.zeros([geometry.code_dim + 1, num_classes]),
        kappa=tf.constant(1.0),
    )


def residual_of(geometry: Geometry, shared: Global, local: Local, data: Data) -> tf.Tensor:
    """x − fit, [N, H, W, C]."""
    return data.image - geometry.fit(local.code, shared.dictionaries, geometry.masks(local.maps))


def local_sweep(
    geometry: Geometry, prior: Prior, shared: Global, local: Local, data: Data, seed: tf.Tensor, rows: int | None = None
) -> Swept:
    """θ, the maps of every layer from the lowest up, λ and the code: a `Swept`.

    Args:
        geometry: `Geometry`.
        prior: `Prior`.
        shared: `Global`.
        local: `Local` of N images.
        data: `Data` of these.
        seed: int32 [2].
        rows: of noise (`tfvae.probability.conjugate`); only without labels.
    """
    layer_seeds = noise.split(seed, geometry.num_pooled + 2)
    positions, masks, moved = list(local.maps), geometry.masks(local.maps), []
    values = geometry.pooled(local.code, shared.dictionaries, masks)
    residual = residual_of(geometry, shared, local, data)
    for layer in range(geometry.num_pooled):
        theta_seed, map_seed = noise.split(layer_seeds[layer], 2)
        block, outcomes = geometry.levels[layer].block, geometry.outcomes[layer]
        log_theta = maps.log_theta(positions[layer], outcomes, prior, block, theta_seed, rows)
        before = positions[layer]
        positions[layer], residual = maps.redraw(
            geometry, layer, values[layer], before, residual, log_theta, shared, masks, map_seed, rows
        )
        moved.append(maps.moved(before, positions[layer], values[layer]))
        masks = geometry.masks(positions)
    pulls = None
    if data.sign.shape[1] and prior.feedback:
        pulls = svm.pulls(local.code, data, shared, prior, layer_seeds[-2])
    cluster_seed = noise.fold_in(layer_seeds[-1], -1)  # A seed of its own: the others draw as they do without clusters.
    cluster = local.cluster
    if prior.spike:
        if prior.clusters:
            log_likelihoods = clusters.log_likelihoods(local.code, shared.mixture)
            cluster = clusters.assign(shared.mixture.sticks, log_likelihoods, cluster_seed, rows)
        odds = _log_odds(prior, shared, local, data, cluster)
        code, _ = top.spike_and_slab(geometry, shared, local.code, residual, masks, layer_seeds[-1], pulls, rows, odds)
        mean = code
    else:
        seen, around = top.likelihood(geometry, shared, data, positions, pulls), None
        if prior.clusters:
            assert isinstance(shared.mixture.components, clusters.Gaussians)
            log_evidence = clusters.log_evidence(*seen, shared.mixture.components)
            cluster = clusters.assign(shared.mixture.sticks, log_evidence, cluster_seed, rows)
            around = clusters.around(shared.mixture, cluster)
        of_code = top.posterior(seen, shared.code_precision, around)
        code, mean = top.code(geometry, of_code, layer_seeds[-1], rows)
    shares = tf.stack(moved) if moved else tf.zeros([0])
    code, mean = (tf.ensure_shape(s, local.code.shape) for s in (code, mean))
    return Swept(local._replace(maps=tuple(positions), code=code, cluster=cluster), shares, mean)


def _log_odds(prior: Prior, shared: Global, local: Local, data: Data, cluster: tf.Tensor) -> top.LogOdds:
    """Of `top.spike_and_slab`: by the usage of a map, of all images or of an image's cluster, and by its tags."""
    of_usage = tf.math.log(shared.usage) - tf.math.log1p(-shared.usage)
    if prior.clusters:
        of_usage = tf.transpose(clusters.log_odds_of_usage(shared.mixture, cluster))

    def log_odds(k: tf.Tensor, on: tf.Tensor) -> tf.Tensor:
        found = of_usage[k]
        if data.tags is not NONE and prior.feedback:
            assert prior.tags is not None
            found += tags.log_odds(k, on, tags.Topics(shared.phi, local.strength), data.tags, prior.tags.binary)
        return found

    return log_odds


def local_sweep_in_chunks(
    geometry: Geometry, prior: Prior, shared: Global, local: Local, data: Data, seed: tf.Tensor
) -> Swept:
    """`local_sweep` of as many images at a time as fit into memory; their number must be known."""
    num = data.image.shape[0]
    size = chunk_size(geometry, num)
    if size == num:
        return local_sweep(geometry, prior, shared, local, data, seed)

    def sweep(chunk: tuple[tf.Tensor, Local, Data]) -> Swept:
        number, of_local, of_data = chunk
        return local_sweep(geometry, prior, shared, of_local, of_data, noise.fold_in(seed, number))

    parts = tf.nest.map_structure(lambda t: tf.reshape(t, [num // size, size, *t.shape[1:]]), (local, data))
    spec = tf.nest.map_structure(lambda t: tf.TensorSpec([size, *t.shape[1:]], t.dtype), local)
    signature = Swept(spec, tf.TensorSpec([geometry.num_pooled]), spec.code)
    swept = tf.map_fn(sweep, (tf.range(num // size), *parts), fn_output_signature=signature)
    whole = tf.nest.map_structure(lambda t: tf.reshape(t, [num, *t.shape[2:]]), (swept.local, swept.mean))
    return Swept(whole[0], tf.reduce_mean(swept.moved, axis=0), whole[1])


def chunk_size(geometry: Geometry, num: int) -> int:
    """The largest divisor of `num` whose images' code effects fit into memory."""
    widest = max(geometry.num_pixels, *(level.maps[0] * level.maps[1] * k for level, k in zip(
        geometry.levels[:-1], geometry.elements)), 1)  # fmt: skip
    most = max(1, _MOST_NUMBERS // (widest * geometry.code_dim))
    return next(size for size in range(min(num, most), 0, -1) if num % size == 0)


def redraw_dictionaries(
    geometry: Geometry,
    shared: Global,
    local: Local,
    data: Data,
    seed: tf.Tensor,
    before: Sequence[dictionary.Statistics] | None = None,
    forgetting: float = 1.0,
) -> tuple[Global, tf.Tensor, tuple[dictionary.Statistics, ...]]:
    """All dictionaries | all else, from the top layer down.

    Args:
        geometry, shared, local, data: as of `local_sweep`.
        seed: int32 [2].
        before: `dictionary.Statistics` of every layer, of earlier minibatches; None without any.
        forgetting: their weight.

    Returns:
        (`Global`, residual, `Statistics` of every layer).
    """
    masks = geometry.masks(local.maps)
    statistics: list[dictionary.Statistics] = []
    residual = residual_of(geometry, shared, local, data)
    for layer in range(geometry.num_layers - 1, -1, -1):
        activations = geometry.activations(local.code, shared.dictionaries, masks)[layer]
        drawn, residual, of_layer = dictionary.redraw_compiled(
            geometry, layer, activations, residual, shared, local.maps, noise.fold_in(seed, layer),
            before[layer] if before else None, forgetting,
        )  # fmt: skip
        statistics.append(of_layer)
        changed = list(shared.dictionaries)
        changed[layer] = drawn
        shared = shared._replace(dictionaries=tuple(changed))
    return shared, residual, tuple(statistics[::-1])


class Statistics(NamedTuple):
    """Surrogate conditional sufficient statistics of all that images share.

    dictionaries: `dictionary.Statistics` of every layer.
    residual:     `precisions.Squares`.
    code:         the same.
    switched:     [2, K], as of `top.switched`.
    classifiers:  `svm.Statistics`.
    """

    dictionaries: tuple[dictionary.Statistics, ...]
    residual: precisions.Squares
    code: precisions.Squares
    switched: tf.Tensor
    classifiers: svm.Statistics

    @classmethod
    def zeros(cls, geometry: Geometry, num_classes: int) -> "Statistics":
        return cls(
            tuple(dictionary.Statistics.zeros(geometry, layer) for layer in range(geometry.num_layers)),
            precisions.Squares.zeros(),
            precisions.Squares.zeros(),
            tf.zeros([2, geometry.elements[-1]]),
            svm.Statistics.zeros(geometry.code_dim + 1, num_classes),
        )


class Shared(NamedTuple):
    """A global sweep's outcome.

    shared:        `Global`.
    local:         `Local`, with the scales that moved.
    statistics:    `Statistics` that it was drawn from.
    squared_error: [], mean square of the residual.
    """

    shared: Global
    local: Local
    statistics: Statistics
    squared_error: tf.Tensor


def global_sweep(
    geometry: Geometry,
    prior: Prior,
    shared: Global,
    local: Local,
    data: Data,
    seed: tf.Tensor,
    most: tf.Tensor | float | None = None,
    rescale_top: bool = False,
    before: Statistics | None = None,
    forgetting: float = 1.0,
    classified: tf.Tensor | None = None,
) -> Shared:
    """Classifiers, dictionaries, precisions and scales: a `Shared`.

    Args:
        geometry, prior, shared, local, data: as of `local_sweep`.
        seed: int32 [2].
        most: the largest noise precision; the prior's by default.
        rescale_top: whether the top layer's scale moves too; not with labels, the spike or statistics of before.
        before: `Statistics` of earlier minibatches; None without any.
        forgetting: their weight.
        classified: [N, h, w, K], the codes that classifiers learn of; None for those of `local`.
    """
    svm_seed, usage_seed, dictionary_seed, noise_seed, code_seed, scale_seed = noise.split(seed, 6)
    before = before or Statistics.zeros(geometry, data.sign.shape[1])

    def added(now: Nest, of_before: Nest) -> Nest:
        return tf.nest.map_structure(lambda new, old: new + tf.cast(forgetting, old.dtype) * old, now, of_before)

    classifiers = before.classifiers
    if data.sign.shape[1]:
        pull_seed, beta_seed = noise.split(svm_seed, 2)
        seen = local.code if classified is None else classified
        pulls = svm.pulls(seen, data, shared, prior, pull_seed)
        classifiers = added(svm.Statistics.of(seen, pulls), before.classifiers)
        beta, kappa = svm.beta(shared, prior, classifiers, beta_seed)
        shared = shared._replace(beta=beta, kappa=kappa)
    if prior.clusters:
        mixture_seed = noise.fold_in(usage_seed, 0)
        mixture = clusters.redraw(shared.mixture, local.code, local.cluster, prior.clusters, mixture_seed)
        shared = shared._replace(mixture=mixture)
    if prior.tags:
        topics, on = tags.Topics(shared.phi, local.strength), clusters.is_on(local.code)
        topics = tags.redraw(topics, on, data.tags, prior.tags, noise.fold_in(usage_seed, 1))
        shared, local = shared._replace(phi=topics.phi), local._replace(strength=topics.strength)
    switched = added(top.switched(local.code), before.switched)
    if prior.spike:
        shared = shared._replace(usage=top.usage(switched, prior, usage_seed))
    shared, residual, dictionaries = redraw_dictionaries(
        geometry, shared, local, data, dictionary_seed, before.dictionaries, forgetting
    )
    of_residual = added(precisions.Squares.of(residual), before.residual)
    of_code = added(precisions.Squares.of_code(local.code), before.code)
    scaled, scales = precisions.rescale(shared.dictionaries, scale_seed)
    shared = shared._replace(
        noise_precision=precisions.noise_precision(of_residual, prior, noise_seed, most),
        code_precision=_code_precision(of_code, prior, code_seed),
        dictionaries=scaled,
    )
    dictionaries = tuple(
        of_layer.scaled(of_elements, of_below)
        for of_layer, of_elements, of_below in zip(dictionaries, [*scales, None], [None, *scales])
    )
    if rescale_top:
        changed, code = precisions.rescale_top(shared.dictionaries, local.code, shared.code_precision, scale_seed)
        shared, local = shared._replace(dictionaries=changed), local._replace(code=code)
    statistics = Statistics(dictionaries, of_residual, of_code, switched, classifiers)
    return Shared(shared, local, statistics, tf.reduce_mean(residual**2))


def _code_precision(of_code: precisions.Squares, prior: Prior, seed: tf.Tensor) -> tf.Tensor:
    """γ_s; 1 where codes are drawn from clusters, which have precisions of their own."""
    if prior.clusters and not prior.clusters.of_usages:
        return tf.constant(1.0)
    return precisions.code_precision(of_code, prior, seed)
