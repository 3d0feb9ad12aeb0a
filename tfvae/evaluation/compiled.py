"""A model's methods as compiled functions, traced once a model however often it is evaluated."""

import functools
import weakref

import tensorflow as tf

_COMPILED = weakref.WeakKeyDictionary()


def compiled(model, method):
    """`model.<method>` as a `tf.function`; Python arguments such as `num_samples` are static.

    The same object is returned for the same model, so that an evaluation every epoch does not trace anew.
    """
    return _function(model, method, _call)


def function_of(model, function):
    """`function(model, ...)` compiled, as `compiled` does with a method."""
    return _function(model, function, _apply)


def mean_of(model, encoder):
    """The mean of the distribution that `model.<encoder>(image)` returns, compiled as `compiled` does."""
    return _function(model, encoder, _mean)


def _function(model, method, call):
    functions = _COMPILED.setdefault(model, {})
    if (method, call) not in functions:
        # The function must not keep the model alive, or the dictionary would never let go of either. A partial rather
        # than a closure: TensorFlow counts the traces of all closures with one code together, and warns in vain.
        functions[method, call] = tf.function(functools.partial(call, weakref.ref(model), method))
    return functions[method, call]


def _call(reference, method, *args, **kwargs):
    return getattr(reference(), method)(*args, **kwargs)


def _apply(reference, function, *args):
    return function(reference(), *args)


def _mean(reference, encoder, image):
    return getattr(reference(), encoder)(image).mean()
