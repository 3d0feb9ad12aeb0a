"""p(z) p(x | z), and p(t | z) for every target t of an image that a head explains from the code."""

import abc

from tfvae.capabilities import Capability
from tfvae.heads import targets
from tfvae.heads.head import Head
from tfvae.heads.targets import TargetTerms
from tfvae.models.base import LatentVariableModel


class ModelWithHeads(LatentVariableModel, abc.ABC):
    """A latent-variable model whose code explains more than the image.

    Attributes:
        heads: target -> its `Head`.
        scales: target -> w N_x, of which its weight is made (`tfvae.heads.targets`).

    Args:
        info: `tfvae.batch.DataInfo`.
        target_scale: how N_x is read, one of `tfvae.heads.targets.TARGET_SCALES`.
        weigh_prior: whether the prior of a head's weights is multiplied by ξ too (`tfvae.heads.targets.prior_share`).
    """

    def __init__(self, info, *, target_scale, weigh_prior, **kwargs):
        super().__init__(info, **kwargs)
        self.size_of_image = targets.size_of_image(self.image_shape, target_scale)
        self.prior_share = targets.prior_share(weigh_prior, info.num_train, info.num_labelled)
        self.heads, self.scales = {}, {}

    @abc.abstractmethod
    def codes(self, image, num_samples=1, seed=None):
        """Draws of the code, [S, B, Z]; without a seed what stands for them, the same every time."""

    def add_head(self, target: str, head: Head, weight: float):
        """Explains a target, by the name of its entry in a batch, with the weight w."""
        self.heads[target] = head
        self.scales[target] = weight * self.size_of_image
        self.add_part(head)

    def capabilities(self):
        return super().capabilities() | {Capability.CODES}

    def initialise(self, images):
        super().initialise(images)
        for head in self.heads.values():
            head.initialise()

    def target_terms(self, s, batch, num_samples) -> TargetTerms:
        """Σ_t ξ_t log p(t | s) of codes s [S·B, Z], and log p of the heads' weights."""
        return targets.target_terms(self.heads, self.scales, s, batch, num_samples, self.prior_share)
