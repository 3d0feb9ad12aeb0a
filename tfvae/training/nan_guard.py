"""When a number is not finite any more: find the step at which it began, keep the evidence, name a likely cause.

Metrics tell only that some step went wrong, and by then the variables are spoilt. Every step is a function of the seed
and its number, so the steps since the last good checkpoint are done again, this time looking at everything.
"""

import functools
import io
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from tfvae.storage import atomic
from tfvae.training import devices

_HISTORY = 20
_EXPLODED = 100.0


class NonFiniteError(ValueError):
    """A loss, term or gradient is NaN or infinite."""


class Finding(NamedTuple):
    """What a step looked like before its update.

    step: its number, from 0.
    batch: stream -> entry -> array; of replicas, one after the other.
    terms: name -> array, with the loss: `loss`, or `loss_<player>` of several.
    norms: path of a variable -> norm of its gradient.
    weight_norm: norm of all trainable variables.
    player: the first whose terms or gradients are not finite, which are the ones here; "" for none, or one alone.
    """

    step: int
    batch: dict
    terms: dict
    norms: dict
    weight_norm: float
    player: str = ""

    def bad(self):
        """What is not finite, in the order input, terms, loss, gradients: the first is where it began."""
        inputs = [f"{s}/{e}" for s, stream in self.batch.items() for e, x in stream.items() if not _finite(x)]
        terms = [name for name, value in self.terms.items() if not _finite(value)]
        norms = [path for path, norm in self.norms.items() if not math.isfinite(norm)]
        return {"input": inputs, "term": sorted(terms, key=_is_loss), "gradient": norms}

    def losses(self):
        """name -> mean of every loss."""
        return {name: float(np.mean(value)) for name, value in self.terms.items() if _is_loss(name)}

    @property
    def gradient_norm(self):
        return math.sqrt(sum(norm**2 for norm in self.norms.values()))


class NanGuard:
    """Raises a `NonFiniteError` that explains itself.

    Args:
        state: `TrainingState`.
        data: `tfvae.data.load.Data`.
        settings: `tfvae.settings.Config`.
        chain: `Chain` of a model that is learned by one.
    """

    def __init__(self, state, data, settings, chain=None):
        self.state = state
        self.data = data
        self.settings = settings
        self.chain = chain

    def training(self, logs):
        """Called after the step at which a training metric was not finite any more."""
        until = self.state.step
        seen = [name for name, value in logs.items() if not math.isfinite(value)]
        logging.error(
            "%s not finite after step %d: repeating the steps since the last checkpoint.", ", ".join(seen), until
        )
        finding, history = self._replay(until)
        bad = finding.bad()
        repeated = any(bad.values())
        what = next((f"{kind} {names[0]!r}" for kind, names in bad.items() if names), f"term {seen[0]!r}")
        cause = "the fault did not appear again when the steps were repeated: suspect the machine (memory, heat)"
        if repeated:
            cause = _cause(bad, finding, history, self.settings)
        if finding.player and not bad["input"]:
            what += f" of the player {finding.player!r}"
        kept = self.state.checkpoints.steps()
        report = {
            "step": finding.step, "epoch": finding.step // self.state.steps_per_epoch + 1, "player": finding.player,
            "first_bad": what, "bad": bad, "likely_cause": cause, "repeated": repeated, "last_checkpoint": kept[-1],
            "history": history[-_HISTORY:], "gradient_norms": finding.norms,
            "terms": {name: _summary(x) for name, x in finding.terms.items()},
        }  # fmt: skip
        self._dump(report, finding)
        raise NonFiniteError(
            f"Training stopped: the {what} of step {finding.step} is not finite. Likely cause: {cause}. The batch, the "
            f"terms and the gradient norms are in {self.state.directory.nan_dump}; the checkpoint after step "
            f"{kept[-1]} is good."
        )

    def validation(self, logs):
        """Called after an epoch whose validation metrics are not finite although those of training are."""
        seen = [name for name, value in logs.items() if not math.isfinite(value)]
        cause = "a validation row unlike all training rows, or averages of the batch normalisation that overflowed"
        self._dump({"step": self.state.step, "first_bad": seen[0], "bad": seen, "likely_cause": cause, "logs": logs})
        raise NonFiniteError(
            f"Training stopped: {seen[0]!r} is not finite after step {self.state.step}, the training terms are. "
            f"Likely cause: {cause}. See {self.state.directory.nan_dump}; no checkpoint was saved since step "
            f"{self.state.checkpoints.steps()[-1]}."
        )

    def _replay(self, until):
        """The first bad step before `until`, or the last one, and the loss and gradient norm of the steps before it."""
        state, model = self.state, self.state.model
        strategy = model.distribute_strategy
        state.restore(state.checkpoints.newest())
        rounds = _watched_rounds(model, strategy) if self.chain is None else _watched_steps(self.chain)
        history = []
        batches = iter(devices.training_batches(strategy, self.data, self.settings.seed, state.step))
        for step in range(state.step, until):
            batch = next(batches)
            finding = _finding(step, batch, *rounds(model.names_at(step))(batch), strategy)
            if any(finding.bad().values()):
                break
            norms = {"gradient_norm": finding.gradient_norm, "weight_norm": finding.weight_norm}
            history.append({"step": step, **finding.losses(), **norms})
        return finding, history

    def _dump(self, report, finding=None):
        folder = self.state.directory.nan_dump
        try:
            folder.mkdir(exist_ok=True)
            atomic.write_json(folder / "report.json", _speakable(report))
            if finding:
                entries = {f"{s}.{e}": x for s, stream in finding.batch.items() for e, x in stream.items()}
                atomic.write_bytes(folder / "batch.npz", _npz(entries))
                atomic.write_bytes(folder / "terms.npz", _npz(finding.terms))
        except OSError as error:
            logging.error("Could not write the dump to %s: %s.", folder, error)


def _npz(arrays):
    """The content of a file of NumPy's."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _watched_rounds(model, strategy):
    """names of players -> their round, compiled: batch -> (norm of the weights, player -> what its steps look like)."""

    @functools.cache
    def of(names):
        def watched(batch):
            looks = {}

            def watch(player, objective_of, variables):
                with tf.GradientTape() as tape:
                    objective = objective_of()
                gradients = tape.gradient(objective.loss, variables)
                norms = [tf.constant(0.0) if g is None else tf.norm(tf.convert_to_tensor(g)) for g in gradients]
                of_variables = {v.path: norm for v, norm in zip(variables, norms, strict=True)}
                loss = "loss" if len(names) == 1 else f"loss_{player}"
                looks.setdefault(player, []).append(({loss: objective.loss, **objective.terms}, of_variables))

            weights = tf.linalg.global_norm([tf.convert_to_tensor(v) for v in model.trainable_variables])
            model.round(batch, names, watch)
            return weights, looks

        return tf.function(lambda batch: strategy.run(watched, args=(batch,)))

    return of


def _watched_steps(chain):
    """As `_watched_rounds`: what a chain reports, and the norm of every field of the state that a step leads to."""

    def watched(batch):
        chain.step(batch)
        reported = chain.learner.report(chain.state)  # What it returns are means, spoilt for good.
        norms = {path: tf.norm(tf.cast(variable, tf.float64)) for path, variable in chain.variables.items()}
        of_state = {f"state/{path}": norm for path, norm in norms.items()}
        return tf.linalg.global_norm(list(norms.values())), {"chain": [({**of_state, **reported}, {})]}

    return lambda names: watched


def _finding(step, batch, weight_norm, looks, strategy):
    """What was looked at, of all players, or of the first whose step is not finite."""

    def gathered(value):
        parts = [np.asarray(part, None) for part in strategy.experimental_local_results(value)]
        return np.concatenate([np.atleast_1d(part) for part in parts])

    found = Finding(
        step=step,
        batch={s: {entry: gathered(x) for entry, x in stream.items()} for s, stream in batch.items()},
        terms={}, norms={}, weight_norm=float(np.max(gathered(weight_norm))),
    )  # fmt: skip
    for player, steps in looks.items():
        several = len(looks) > 1
        for terms, norms in steps:
            of_step = found._replace(
                terms={name: gathered(value) for name, value in terms.items()},
                norms={path: float(np.max(gathered(norm))) for path, norm in norms.items()},
                player=player if several else "",
            )
            if any(of_step.bad().values()):
                return of_step
            found = found._replace(terms={**found.terms, **of_step.terms}, norms={**found.norms, **of_step.norms})
    return found


def _is_loss(name):
    return name == "loss" or name.startswith("loss_")


def _cause(bad, finding, history, settings):
    """The most likely reason, in words that say what to do."""
    if bad["input"]:
        return f"the data itself: {bad['input'][0]} has values that are not finite"
    if not finding.norms:  # A chain has no rate.
        return f"{_kind_of(finding.terms[bad['term'][0]])} in that term of the chain"
    path = f"training.players.{finding.player}" if finding.player in settings.players else "training"
    rate = f"`{path}.learning_rate` ({settings.of_player(finding.player).learning_rate})"
    diverged = _divergence(finding, history)
    if diverged:
        return f"training diverged: {diverged}; lower {rate} or set `{path}.clip_norm`"
    if settings.precision == "mixed_float16":
        return "an overflow of float16, which ends at 65504; use `training.precision=mixed_bfloat16`"
    if bad["term"]:
        kind = _kind_of(finding.terms[bad["term"][0]])
        return f"{kind} in that term; a lower {rate} often avoids it"
    return "the loss is finite but its derivative is not: a square root, log, norm or division at 0"


def _kind_of(value):
    if np.isnan(value).any():
        return "a NaN: 0/0, log or square root of a negative number"
    return "an infinity: log 0, exp of a large number or a division by 0"


def _divergence(finding, history):
    """What grew a hundredfold since the last good checkpoint; empty for nothing."""
    if not history:
        return ""
    weights = history[0]["weight_norm"], finding.weight_norm
    early = float(np.median([entry["gradient_norm"] for entry in history[: len(history) // 2 + 1]]))
    gradients = early, history[-1]["gradient_norm"]
    for what, (before, after) in {"weights": weights, "gradient": gradients}.items():
        if after > _EXPLODED * max(before, 1e-12):
            return f"the norm of the {what} rose from {before:.3g} to {after:.3g}"
    return ""


def _finite(value):
    return np.issubdtype(np.asarray(value).dtype, np.integer) or bool(np.isfinite(value).all())


def _summary(value):
    value = np.asarray(value, np.float64)
    finite = value[np.isfinite(value)]
    middle = {"min": finite.min(), "mean": finite.mean(), "max": finite.max()} if finite.size else {}
    return {"rows": value.size, "not_finite": int(value.size - finite.size), **middle}


def _speakable(value):
    """JSON has no NaN: such numbers become words."""
    if isinstance(value, dict):
        return {name: _speakable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_speakable(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return value.item() if isinstance(value, np.generic) else value
