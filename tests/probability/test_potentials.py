import numpy as np
import pytest
import tensorflow as tf

from tfvae.probability.potentials import POTENTIALS, Potential


def test_potentials_at_points_worked_out_by_hand():
    # U1 at (2, 0): the ring term is 0, one bump is 1, the other exp(−½ (4/0.6)²) ≈ 0.
    # U2 at (1, 1): w1(1) = 1, so 0.  U3 there: w2(1) = 3, bumps 1 and ≈ 0.  U4: w3(1) = 1.5, bumps 1 and ≈ 1e-4.
    at = {name: float(u(tf.constant(1.0), tf.constant(1.0))) for name, u in POTENTIALS.items()}
    assert float(POTENTIALS["u1"](tf.constant(2.0), tf.constant(0.0))) == pytest.approx(0.0, abs=1e-5)
    assert at["u2"] == pytest.approx(0.0, abs=1e-6)
    assert at["u3"] == pytest.approx(0.0, abs=1e-6)
    assert at["u4"] == pytest.approx(-np.log(1 + np.exp(-0.5 * (1.5 / 0.35) ** 2)), abs=1e-5)


@pytest.mark.parametrize("name", POTENTIALS)
def test_normaliser_does_not_depend_on_the_grid(name):
    potential = Potential(name)
    points, cell = potential.grid(200)
    coarse = float(tf.reduce_logsumexp(potential.log_prob(points)) + np.log(cell))
    assert coarse == pytest.approx(potential.log_normaliser(), abs=0.02)


@pytest.mark.parametrize("name", POTENTIALS)
def test_gradient_is_finite_everywhere(name):
    z = tf.Variable(Potential(name).grid(40)[0])
    with tf.GradientTape() as tape:
        log_p = Potential(name).log_prob(z)
    assert np.isfinite(tape.gradient(log_p, z)).all()
