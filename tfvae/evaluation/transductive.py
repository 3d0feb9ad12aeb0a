"""A transductive support vector machine: the boundary avoids the unlabelled points as well.

∇TSVM of Chapelle & Zien 2005, "Semi-supervised classification by low density separation", section 3, one class against
the rest, with f(x) = w·(φ(x) − mean of φ over the unlabelled) + b:

    ½ ‖w‖² + C mean_l max(0, 1 − y_l f(x_l))² + C* mean_u exp(−3 f(x_u)²),    b = 2 π − 1,

where π is the class's share. Because the features are centred on the unlabelled points, this b is the balance
constraint mean_u f(x_u) = mean of y (their eq. 4) exactly. C* rises from near 0 to C in steps, each started from the
last solution.
"""

import dataclasses

import numpy as np
import threadpoolctl
from scipy import optimize
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler

from tfvae import ranges

_STEEPNESS = 3.0
# Of the least squares that a guess becomes, a share of the features' mean square.
_RIDGE = 1e-3


@dataclasses.dataclass
class Config:
    """Settings of a `TransductiveSVM`.

    Args:
        kernel: `linear` on standardised inputs, or `rbf` by Nyström features of them.
        cost: C, weight of the labelled points.
        unlabelled_cost: C* at the end of the annealing, as a multiple of C; 0 leaves an inductive SVM.
        anneal_steps: C* doubles in each step until it reaches its end.
        gamma: of the RBF kernel on standardised inputs, as a multiple of 1 / (number of inputs).
        components: Nyström features.
        max_iter: iterations of L-BFGS a step.
        seed: of the Nyström landmarks.
    """

    kernel: str = ranges.field("rbf", ranges.Choices(("linear", "rbf")))
    cost: float = ranges.field(100.0, ranges.Interval(1e-12, 1e12))
    unlabelled_cost: float = ranges.field(1.0, ranges.WEIGHTS)
    anneal_steps: int = ranges.field(10, ranges.Interval(1, 1000))
    gamma: float = ranges.field(1.0, ranges.POSITIVE)
    components: int = ranges.field(1000, ranges.WIDTHS)
    max_iter: int = ranges.field(100, ranges.POSITIVE_COUNTS)
    seed: int = ranges.field(0, ranges.SEEDS)


def objective(w, labelled, sign, unlabelled, bias, cost, unlabelled_cost):
    """Value and gradient of the objective (see the head of this file), summed over K problems on the same points.

    Args:
        w: [D, K].
        labelled: [L, D], features, centred on the unlabelled points.
        sign: [L, K], +1 or −1.
        unlabelled: [U, D], centred.
        bias: b, [K].
        cost, unlabelled_cost: C and C*.

    Returns:
        (scalar, [D, K]).
    """
    margin = np.maximum(0.0, 1.0 - sign * (labelled @ w + bias))  # [L, K]
    f = unlabelled @ w + bias  # [U, K]
    bump = np.exp(-_STEEPNESS * f**2)
    value = 0.5 * np.sum(w**2) + cost / len(sign) * np.sum(margin**2) + unlabelled_cost / len(f) * np.sum(bump)
    gradient = (
        w
        - 2.0 * cost / len(sign) * (labelled.T @ (sign * margin))
        - 2.0 * _STEEPNESS * unlabelled_cost / len(f) * (unlabelled.T @ (f * bump))
    )
    return value, gradient


def _least_squares(features, targets):
    """w [D, K] of the smallest ‖features w − targets‖² + a small ridge."""
    gram = features.T @ features
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return np.linalg.solve(gram + ridge, features.T @ targets)


class TransductiveSVM:
    """One problem a class, all solved together; the class with the largest f(x) is predicted.

    Args:
        config: `Config`.
    """

    def __init__(self, config=None):
        self.config = config or Config()
        ranges.check(self.config)

    def fit(self, labelled, label, unlabelled, guess=None):
        """Fits all classes.

        Args:
            labelled: [L, D].
            label: [L], integers; every class at least once.
            unlabelled: [U, D]; these are the points the boundary avoids.
            guess: [U], classes of these from elsewhere, such as a graph, from whose least squares solution the descent
                starts; None to start from the inductive SVM, from which C* rises.

        Returns:
            self.

        Raises:
            ValueError: for fewer than two classes or no unlabelled points.
        """
        self.classes, counts = np.unique(label, return_counts=True)
        if len(self.classes) < 2 or not len(unlabelled):
            raise ValueError(
                f"A transductive SVM needs labels of two classes and unlabelled points, got {len(self.classes)} "
                f"classes and {len(unlabelled)} points."
            )
        self._fit_features(np.concatenate([labelled, unlabelled]))
        features = self._raw_features(unlabelled)
        self._centre = features.mean(axis=0)
        share = counts / counts.sum()
        # Two classes are one problem seen from both sides.
        wanted = self.classes[1:] if len(self.classes) == 2 else self.classes
        self._bias = 2.0 * share[-len(wanted) :] - 1.0
        phi_l, phi_u = self._features(labelled), features - self._centre
        sign = np.where(np.asarray(label)[:, None] == wanted, 1.0, -1.0)  # [L, K]
        if guess is None:
            self._weights = self._descend(
                np.zeros([phi_l.shape[1], sign.shape[1]]), phi_l, sign, phi_u, self._annealed()
            )
        else:
            guessed = np.where(np.asarray(guess)[:, None] == wanted, 1.0, -1.0)
            start = _least_squares(np.concatenate([phi_l, phi_u]), np.concatenate([sign, guessed]) - self._bias)
            self._weights = self._descend(start, phi_l, sign, phi_u, [self.config.cost * self.config.unlabelled_cost])
        return self

    def decision(self, points):
        """f(x) of every class: [N, K]."""
        f = self._features(points) @ self._weights + self._bias
        return np.concatenate([-f, f], axis=1) if len(self.classes) == 2 else f

    def predict(self, points):
        """The class of every point: [N]."""
        return self.classes[self.decision(points).argmax(axis=1)]

    def _annealed(self):
        """C* as it rises from 0 (the inductive SVM) to its end."""
        if not self.config.unlabelled_cost:
            return [0.0]
        rising = 2.0 ** np.arange(1 - self.config.anneal_steps, 1)
        return [0.0, *(self.config.cost * self.config.unlabelled_cost * rising)]

    def _descend(self, start, labelled, sign, unlabelled, unlabelled_costs):
        """w [D, K] after descents with one C* after another."""
        config, shape, w = self.config, start.shape, start.ravel()

        def flat_objective(flat, unlabelled_cost):
            args = (labelled, sign, unlabelled, self._bias, config.cost, unlabelled_cost)
            value, gradient = objective(flat.reshape(shape), *args)
            return value, gradient.ravel()

        # The products are too small to share: threads would only wait for each other, and for TensorFlow's.
        with threadpoolctl.threadpool_limits(1):
            for unlabelled_cost in unlabelled_costs:
                options = {"maxiter": config.max_iter}
                w = optimize.minimize(flat_objective, w, unlabelled_cost, "L-BFGS-B", jac=True, options=options).x
        return w.reshape(shape)

    def _fit_features(self, points):
        self._scaler = StandardScaler().fit(points)
        self._nystroem = None
        if self.config.kernel == "rbf":
            gamma = self.config.gamma / points.shape[1]
            components = min(self.config.components, len(points))
            self._nystroem = Nystroem(gamma=gamma, n_components=components, random_state=self.config.seed)
            self._nystroem.fit(self._scaler.transform(points))

    def _raw_features(self, points):
        scaled = self._scaler.transform(points)
        return np.asarray(self._nystroem.transform(scaled) if self._nystroem else scaled, np.float64)

    def _features(self, points):
        return self._raw_features(points) - self._centre
