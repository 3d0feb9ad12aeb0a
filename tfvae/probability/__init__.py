"""Distributions, kernels, samplers and stateless noise."""
