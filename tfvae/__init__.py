"""Deep generative models for many images and few labels."""

__version__ = "0.2.0"
