"""From rows as they are stored to observations as a model sees them, and back to pictures.

One function for training and serving: `Transform.observe` draws noise when it is given a seed and is exact without one.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae import ranges
from tfvae.data import augmentation, contrast
from tfvae.probability import noise

NOISES = ("none", "binarise", "dequantise")
SCALES = ("unit", "channel_std", "standardise", "raw")
CONTRASTS = {"none": None, "global": contrast.global_normalised, "local": contrast.local_normalised}

# Of a picture whose contrast was normalised, that many deviations are black to white: its own levels are lost.
_SHOWN_DEVIATIONS = 6.0


@dataclasses.dataclass
class Config:
    """How gray levels become observations.

    Args:
        noise: `binarise` draws each pixel from a Bernoulli of its intensity, anew each time it is seen; `dequantise`
            adds uniform noise of one gray level; `none`.
        scale: `unit` divides by 255 (256 when dequantised); `channel_std` divides gray levels by each channel's
            standard deviation; `standardise` subtracts the mean too; `raw` leaves points as they are.
        min_pixel_std: pixels whose intensity (0..1) varies less over the training rows are dropped; 0 keeps all.
        contrast: `global` gives every image mean 0 and deviation 1; `local` every pixel, by what is around it.
        whiten: ZCA of the training rows after the contrast; it is fitted anew whenever the data are loaded, because its
            matrix has D² entries.
        whiten_epsilon: added to the variances of the principal components.
        translate: in training images are moved by at most so many pixels each way.
        flip: in training images are mirrored at random.
        flatten: observations are vectors [D] rather than [H, W, C].
    """

    noise: str = ranges.field("none", ranges.Choices(NOISES))
    scale: str = ranges.field("unit", ranges.Choices(SCALES))
    min_pixel_std: float = ranges.field(0.0, ranges.Interval(0, 0.5))  # No deviation in [0, 1] is larger.
    contrast: str = ranges.field("none", ranges.Choices(CONTRASTS))
    whiten: bool = False
    whiten_epsilon: float = ranges.field(0.1, ranges.POSITIVE)
    translate: int = ranges.field(0, ranges.SIDES._replace(least=0))
    flip: bool = False
    flatten: bool = True

    def validate(self):
        """Raises ValueError for what no transform can do."""
        if (self.contrast != "none" or self.whiten) and (self.noise, self.scale) != ("none", "unit"):
            raise ValueError(
                "`transform.contrast` and `transform.whiten` set the scale themselves, and are no place for noise: "
                f"they need `transform.noise=none` and `transform.scale=unit`, got {self.noise!r} and {self.scale!r}."
            )
        if self.noise == "binarise" and self.scale != "unit":
            raise ValueError(f"Binarised images have scale 'unit', got `transform.scale={self.scale}`.")
        if self.min_pixel_std and not self.flatten:
            raise ValueError("Dropping pixels leaves vectors: set `transform.flatten=True` or `min_pixel_std=0`.")


class Transform:
    """A transform fitted on training rows.

    Attributes:
        raw_shape: shape of one stored row, (H, W, C) or (D,).
        image_shape: shape of one observation.
    """

    def __init__(self, config, state, whitening=None):
        ranges.check(config, "data.transform")
        self.whitening = whitening
        self.config = config
        self.raw_shape = tuple(int(n) for n in state["raw_shape"])
        if config.translate >= max(self.raw_shape[:2], default=0) > 0:
            raise ValueError(
                f"`data.transform.translate`={config.translate} would move images of the shape {self.raw_shape} out of "
                "sight: set it below their sides."
            )
        self.kept = np.asarray(state["kept"], np.int32)
        self.offset = np.asarray(state["offset"], np.float32)
        self.divisor = np.asarray(state["divisor"], np.float32)
        self.background = np.asarray(state["background"], np.float32)
        self.drops = len(self.kept) < np.prod(self.raw_shape)
        self.image_shape = (len(self.kept),) if config.flatten else self.raw_shape

    @classmethod
    def fit(cls, config, image):
        """Fits on stored training rows [N, ...]: no statistic of any other rows is ever used."""
        ranges.check(config, "data.transform")
        raw_shape = image.shape[1:]
        flat = image.reshape(len(image), -1)
        kept = np.arange(flat.shape[1])
        background = np.zeros(flat.shape[1], np.float32)
        if config.min_pixel_std:
            intensity_std = _in_chunks(np.std, flat) / 255.0
            kept = np.flatnonzero(intensity_std >= config.min_pixel_std)
            background = _in_chunks(np.mean, flat) / 255.0
            if not len(kept):
                raise ValueError(
                    f"No pixel's intensity (0..1) varies by `min_pixel_std`={config.min_pixel_std}; lower it."
                )
        levels = 256.0 if config.noise == "dequantise" else 255.0
        offset, divisor = np.zeros(raw_shape[-1:]), np.full(raw_shape[-1:], levels)
        if config.scale == "raw":
            divisor = np.ones(raw_shape[-1:])
        elif config.scale in ("channel_std", "standardise"):
            channels = image.reshape(-1, raw_shape[-1])
            divisor = np.maximum(_channel(np.std, channels), 1e-6)
            offset = _channel(np.mean, channels) if config.scale == "standardise" else offset
        state = {
            "raw_shape": list(raw_shape), "kept": kept.tolist(), "offset": offset.tolist(),
            "divisor": divisor.tolist(), "background": background.tolist(),
        }  # fmt: skip
        return cls(config, state).whitened_on(image)

    def whitened_on(self, image):
        """The same transform, its whitening fitted on training rows; itself where there is none.

        Raises:
            ValueError: for rows that are no images.
        """
        of_images = self.config.contrast != "none" or self.config.whiten or self.augments
        if of_images and len(self.raw_shape) != 3:
            raise ValueError(f"Contrast, whitening and augmentation are of images, got rows of shape {self.raw_shape}.")
        if self.config.whiten:
            self.whitening = contrast.Whitening.fit(image, self.config.whiten_epsilon, self._normalised)
        return self

    @property
    def augments(self):
        """Whether training images are moved or mirrored."""
        return self.config.translate > 0 or self.config.flip

    def state(self):
        """JSON values from which `Transform(config, state)` is made again."""
        return {
            "raw_shape": list(self.raw_shape), "kept": self.kept.tolist(), "offset": self.offset.tolist(),
            "divisor": self.divisor.tolist(), "background": self.background.tolist(),
        }  # fmt: skip

    def augment(self, raw, seed):
        """Stored images moved and mirrored at random, for training alone."""
        move_seed, flip_seed = noise.split(seed, 2)
        if self.config.translate:
            raw = augmentation.translated(raw, self.config.translate, move_seed)
        return augmentation.flipped(raw, flip_seed) if self.config.flip else raw

    def observe(self, raw, seed=None):
        """Observations of stored rows.

        Args:
            raw: [B, *raw_shape], gray levels 0..255 of any dtype (points for `raw`).
            seed: int32 [2] for the noise; None for the expected observation, which is exact and repeatable.

        Returns:
            float32 [B, *image_shape].
        """
        x = tf.cast(raw, tf.float32)
        if self.config.noise == "dequantise":
            x += 0.5 if seed is None else noise.uniform(tf.shape(x), seed)
        x = (x - self.offset) / self.divisor
        if self.config.contrast != "none" or self.whitening is not None:
            x = self._normalised(raw)
            x = self.whitening.apply(x) if self.whitening is not None else x
        if self.config.flatten:
            x = tf.reshape(x, [-1, int(np.prod(self.raw_shape))])
        if self.drops:
            x = tf.gather(x, self.kept, axis=1)
        if self.config.noise == "binarise" and seed is not None:
            x = tf.cast(noise.uniform(tf.shape(x), seed) < x, tf.float32)
        return x

    def picture(self, x):
        """Pictures of observations or of a model's means, dropped pixels put back: float32 [B, H, W, C] in [0, 1]."""
        x = tf.cast(x, tf.float32)
        if self.drops:
            where = np.zeros(int(np.prod(self.raw_shape)), np.int32)
            where[self.kept] = np.arange(len(self.kept))
            is_kept = np.zeros(len(where), bool)
            is_kept[self.kept] = True
            x = tf.where(is_kept, tf.gather(x, where, axis=1), self.background)
        x = tf.reshape(x, [-1, *self.raw_shape])
        if self.config.scale == "raw":
            return x
        x = self.whitening.undo(x) if self.whitening is not None else x
        if self.config.contrast != "none":
            return tf.clip_by_value(0.5 + x / _SHOWN_DEVIATIONS, 0.0, 1.0)
        levels = 256.0 if self.config.noise == "dequantise" else 255.0
        return tf.clip_by_value((x * self.divisor + self.offset) / levels, 0.0, 1.0)

    def _normalised(self, raw):
        """Intensities 0..1, or images of normalised contrast where that was asked for."""
        x = tf.cast(raw, tf.float32)
        normalise = CONTRASTS[self.config.contrast]
        return normalise(x) if normalise else x / 255.0


def _in_chunks(statistic, flat, columns=64):
    """A statistic a column without a float64 copy of all rows."""
    return np.concatenate([statistic(flat[:, i : i + columns], axis=0) for i in range(0, flat.shape[1], columns)])


def _channel(statistic, channels):
    return np.array([statistic(channels[:, c].astype(np.float32), dtype=np.float64) for c in range(channels.shape[1])])
