"""A model's methods as compiled functions, traced once a model however often it is evaluated."""

import weakref

import tensorflow as tf

_COMPILED = weakref.WeakKeyDictionary()


def compiled(model, method):
    """`model.<method>` as a `tf.function`; Python arguments such as `num_samples` are static.

    The same object is returned for the same model, so that an evaluation every epoch does not trace anew.
    """
    functions = _COMPILED.setdefault(model, {})
    if method not in functions:
        # The function must not keep the model alive, or the dictionary would never let go of either.
        reference = weakref.ref(model)
        functions[method] = tf.function(lambda *args, **kwargs: getattr(reference(), method)(*args, **kwargs))
    return functions[method]


def mean_of(model, encoder):
    """The mean of the distribution that `model.<encoder>(image)` returns, compiled as `compiled` does."""
    functions = _COMPILED.setdefault(model, {})
    if (encoder, "mean") not in functions:
        reference = weakref.ref(model)
        functions[encoder, "mean"] = tf.function(lambda image: getattr(reference(), encoder)(image).mean())
    return functions[encoder, "mean"]
