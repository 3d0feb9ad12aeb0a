"""What draws of several Markov chains are worth."""

import numpy as np
import tensorflow_probability as tfp


def scale_reduction(draws):
    """R-hat of every unit of draws [S, J, ...] of J chains: [...] (Gelman et al. 2013, section 11.4)."""
    return np.asarray(tfp.mcmc.potential_scale_reduction(draws, independent_chain_ndims=1))


def effective_size(draws):
    """As many independent draws as those of all chains together are worth: [S, J, ...] -> [...]."""
    return np.asarray(tfp.mcmc.effective_sample_size(draws, cross_chain_dims=1))
