"""VAE on binarised MNIST whose q(z | x) is a planar flow."""

from tfvae.configs import vae_mnist


def get_config(size="full"):
    """Rezende & Mohamed 2015, table 2: 80 planar layers behind a Gaussian; the networks and settings of `vae_mnist`."""
    experiment = vae_mnist.get_config(size)
    experiment.model.posterior = "planar"
    experiment.model.flow_length = 5 if size == "tiny" else 80
    return experiment
