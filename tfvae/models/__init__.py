"""Generative models, one family a file, and the contract that all answer."""
