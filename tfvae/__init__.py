"""Deep generative models for many images and few labels.

    run = tfvae.train("sdgm_digits", "runs/digits")     # or tfvae.open("runs/digits")
    run.classify(["photo.png"]).labels

`tfvae.interface` says what each name below does; they are imported when they are first used, so that the commands
answer at once.
"""

import importlib

__version__ = "0.2.0"

_NAMES = {
    "open": "interface.Run",
    "load_export": "interface.Export",
    "train": "interface.train",
    "preset": "interface.preset",
    "Experiment": "experiment.Experiment",
}

__all__ = ["Experiment", "load_export", "open", "preset", "train"]


def __getattr__(name):
    if name not in _NAMES:
        raise AttributeError(f"module 'tfvae' has no attribute {name!r}; it has {', '.join(__all__)}.")
    module, _, attribute = _NAMES[name].partition(".")
    return getattr(importlib.import_module(f"tfvae.{module}"), attribute)


def __dir__():
    return sorted({*globals(), *__all__})
