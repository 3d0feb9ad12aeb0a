import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import ali, asvae, dcgan
from tfvae.networks import critic, linear, mlp
from tfvae.probability import families, noise
from tfvae.probability.known_gaussians import LinearPair

# q(x), and both ways in one dimension: x | z ~ N(0.8 z + 0.3, e^0.2), z | x ~ N(0.4 x − 0.2, e^−0.5).
MEAN, VARIANCE = np.array([0.5]), np.array([[1.3]])
VALUES = {"p_x": ([[0.8]], [0.3], [0.2]), "q_z": ([[0.4]], [-0.2], [-0.5])}


def linear_model(half="full", kind="mlp", **options):
    """Its variables in the order in which `closed_form` takes them."""
    config = asvae.Config(
        1,
        linear.Config(),
        "gaussian",
        half=half,
        critic=kind,
        critic_network=critic.Config(hidden=(4,), joint=(4,)),
        **options,
    )
    model = config.build(DataInfo((1,), 0, 100, 0))
    for name, layer in (("p_x", model.p_x_given_z.trunk), ("q_z", model.q_z_given_x.trunk)):
        for variable, value in zip((layer.matrix, layer.offset, layer.log_variance), VALUES[name]):
            variable.assign(value)
    return model


def variables_of(model):
    layers = model.p_x_given_z.trunk, model.q_z_given_x.trunk
    return [v for layer in layers for v in (layer.matrix, layer.offset, layer.log_variance)]


def joints(values):
    """Means and covariances of p(x, z) and q(x, z), as tensors of the six values [0-dimensional]."""
    a, b, s, c, d, r = values
    one = tf.ones_like(a)
    m, v = tf.cast(MEAN[0], a.dtype), tf.cast(VARIANCE[0, 0], a.dtype)
    p = tf.stack([b, 0.0 * b]), tf.stack([tf.stack([a * a + tf.exp(s), a]), tf.stack([a, one])])
    q = tf.stack([m * one, c * m + d]), tf.stack([tf.stack([v * one, c * v]), tf.stack([c * v, c * c * v + tf.exp(r)])])
    return p, q


def kl(of, other):
    precision, difference = tf.linalg.inv(other[1]), other[0] - of[0]
    squares = tf.tensordot(difference, tf.linalg.matvec(precision, difference), 1)
    return 0.5 * (
        tf.linalg.trace(precision @ of[1]) + squares - 2.0 + tf.linalg.logdet(other[1]) - tf.linalg.logdet(of[1])
    )


def closed_form_gradient(model, half):
    values = [tf.Variable(float(tf.reshape(v, [])), dtype=tf.float64) for v in variables_of(model)]
    with tf.GradientTape() as tape:
        p, q = joints(values)
        divergence = {"r": lambda: kl(q, p), "g": lambda: kl(p, q), "full": lambda: kl(p, q) + kl(q, p)}[half]()
    return np.array(tape.gradient(divergence, values))


def log_gaussian(points, mean, covariance):
    difference = points - mean
    squares = tf.reduce_sum(difference * tf.transpose(tf.linalg.solve(covariance, tf.transpose(difference))), axis=-1)
    return -0.5 * (squares + tf.linalg.logdet(covariance) + len(mean) * np.log(2 * np.pi).astype("float32"))


def with_true_critics(model):
    """The model with f1* and f2* of its parameters as they are now, differentiable in x and z."""
    p, q = (
        [tf.cast(tf.stop_gradient(v), tf.float32) for v in of]
        for of in joints([tf.reshape(v, []) for v in variables_of(model)])
    )

    def marginal(points, of, i):
        return log_gaussian(points, of[0][i : i + 1], of[1][i : i + 1, i : i + 1])

    def f1(x, z, log_q, **options):
        return log_gaussian(tf.concat([x, z], -1), *q) - marginal(x, p, 0) - marginal(z, p, 1)

    def f2(x, z, log_q, **options):
        return log_gaussian(tf.concat([x, z], -1), *p) - marginal(x, q, 0) - marginal(z, q, 1)

    model.f1, model.f2 = f1, f2
    return model


@pytest.mark.parametrize("half", ["r", "g", "full"])
@pytest.mark.parametrize("kind", ["mlp", "residual"])
def test_the_model_goes_down_the_divergence_of_the_joints(half, kind):
    """With the true critics held: -r KL(q ‖ p), -g KL(p ‖ q), both together their sum.

    A residual f2 leaves the gradient of log q(z | x) in x out, which the objective's own takes off again.
    """
    model, num = with_true_critics(linear_model(half)), 400_000
    if kind == "residual":
        true_f2 = model.f2
        layer = model.q_z_given_x.trunk
        values = [tf.constant(np.array(v)) for v in (layer.matrix, layer.offset, layer.log_variance)]

        def f2(x, z, log_q, **options):
            mean = tf.matmul(x, values[0]) + values[1]
            own = families.DiagGaussian(mean, tf.zeros_like(mean) + values[2]).log_prob(z)
            return true_f2(x, z, log_q) - own + tf.stop_gradient(log_q)

        model.residual, model.f2 = True, f2
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(MEAN, np.sqrt(VARIANCE[0]), size=[num, 1]), tf.float32)
    with tf.GradientTape() as tape:
        loss = model.model_step({"unlabelled": {"image": x}}, noise.seed(3)).loss
    found = [0.0 if g is None else float(tf.reduce_sum(g)) for g in tape.gradient(loss, variables_of(model))]
    np.testing.assert_allclose(found, closed_form_gradient(model, half), atol=0.02)


def test_the_residual_first_half_is_a_vae_term_by_term():
    model = linear_model("r", "residual")
    batch = {"unlabelled": {"image": tf.constant([[0.3], [1.2]])}}
    with tf.GradientTape(persistent=True) as tape:
        step = model.model_step(batch, noise.seed(1))
        loss_of_vae = -tf.reduce_mean(step.terms["train_bound"])
    both = [tape.gradient(loss, variables_of(model)) for loss in (step.loss, loss_of_vae)]
    for ours, of_vae in zip(*both):
        np.testing.assert_allclose(ours, of_vae, atol=1e-6)


def test_the_generating_half_never_encodes_an_image():
    model = linear_model("g", "residual")
    losses = [
        model.model_step({"unlabelled": {"image": tf.constant(x)}}, noise.seed(1)).loss for x in ([[0.3]], [[90.0]])
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", ["residual", "mlp"])
def test_critics_come_up_to_the_true_log_ratios(kind):
    """One dimension, the model held: after a few hundred steps both critics correlate with what they stand for."""
    keras.utils.set_random_seed(0)
    config = critic.Config(hidden=(), joint=(64, 64))
    model = linear_model("full", kind)
    model = asvae.Config(1, linear.Config(), "gaussian", critic=kind, critic_network=config).build(model.info)
    for variable, value in zip(variables_of(model), [v for of in VALUES.values() for v in of]):
        variable.assign(value)
    player, adam = model.players()["critic"], keras.optimizers.Adam(5e-3)
    adam.build(player.variables)

    def images(seed, num=512):
        return MEAN[0].astype("float32") + np.sqrt(VARIANCE[0, 0]).astype("float32") * noise.normal([num, 1], seed)

    @tf.function
    def step(seed):
        with tf.GradientTape() as tape:
            loss = player.objective({"unlabelled": {"image": images(noise.fold_in(seed, 9))}}, seed).loss
        adam.apply(tape.gradient(loss, player.variables), player.variables)

    for t in range(500):
        step(noise.seed(t))
    laws = [layer.law() for layer in (model.p_x_given_z.trunk, model.q_z_given_x.trunk)]
    x = images(noise.seed(-1), 2000)
    pairs = model.pairs(x, noise.seed(-2))
    true = LinearPair(*laws, mean=MEAN, covariance=VARIANCE).log_ratios(np.array(x), np.array(pairs.z_of_x))
    log_q = model.encode(x).log_prob(pairs.z_of_x)
    for f, truth in zip((model.f1, model.f2), true):
        assert np.corrcoef(f(x, pairs.z_of_x, log_q), truth)[0, 1] > 0.95


def test_negatives_have_the_code_or_image_of_another():
    """Eqs. (5.3) and (5.4): products of marginals."""
    seen = {}

    class Watched(asvae.ASVAE):
        def f1(self, x, z, log_q, **options):
            seen["f1"] = x, z
            return super().f1(x, z, log_q, **options)

        def f2(self, x, z, log_q, **options):
            seen["f2"] = x, z
            return super().f2(x, z, log_q, **options)

    model = Watched(linear_model().config, DataInfo((1,), 0, 100, 0))
    pairs = model.pairs(tf.constant([[1.0], [2.0], [3.0]]), noise.seed(0))
    model.logits(pairs, noise.seed(1), training=False)
    x, z = seen["f1"]
    np.testing.assert_array_equal(x, tf.concat([pairs.x, pairs.x_of_z], 0))
    np.testing.assert_array_equal(z[:3], pairs.z_of_x)
    assert not np.isin(z[3:], pairs.z).any()
    x, z = seen["f2"]
    np.testing.assert_array_equal(x, tf.concat([pairs.x_of_z, pairs.x], 0))
    np.testing.assert_array_equal(z, tf.concat([pairs.z, pairs.z_of_x[2:], pairs.z_of_x[:2]], 0))


def test_a_relaxed_pixel_is_a_bernoulli_draw_and_has_a_gradient():
    logits = tf.fill([20_000, 1], 0.7)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        hard = families.reparameterised(families.BernoulliVector(logits), noise.seed(0), hard=True)
    assert set(np.unique(hard)) == {0.0, 1.0}
    np.testing.assert_allclose(np.mean(hard), tf.sigmoid(0.7), atol=0.01)
    assert np.mean(tape.gradient(hard, logits)) > 0.1
    relaxed = families.reparameterised(families.BernoulliVector(logits), noise.seed(0), temperature=0.1)
    np.testing.assert_array_equal(relaxed > 0.5, hard > 0.5)


def test_cells_of_a_gaussian_have_the_mass_of_its_distribution():
    p_x = families.DiagGaussian(tf.constant([[0.2, 0.9]]), tf.constant([[-2.0, -14.0]]))
    levels = tf.constant([[(i + 0.5) / 256, 0.9] for i in range(256)], tf.float32)
    total = np.exp(families.log_prob_of_cells(p_x, levels, 1 / 256))
    first, second = scipy.stats.norm(0.2, np.exp(-1)), scipy.stats.norm(0.9, np.exp(-7))
    beside = second.cdf(0.9 + 1 / 512) - second.cdf(0.9 - 1 / 512)
    np.testing.assert_allclose(np.sum(total), (first.cdf(1.0) - first.cdf(0.0)) * beside, atol=1e-4)
    far = families.log_prob_of_cells(p_x, tf.constant([[0.2, 0.1]]), 1 / 256)
    assert np.isfinite(far) and far < -1000


@pytest.mark.parametrize("option", ["batch_norm", "dropout", "spectral_norm"])
def test_options_of_a_critic(option, rng):
    config = critic.Config(hidden=(6,), joint=(6,), **{option: 0.5 if option == "dropout" else True})
    f = critic.Critic(config, (8, 8, 1), 3, name="f")
    x, z = (tf.constant(rng.normal(size=shape), tf.float32) for shape in ([4, 8, 8, 1], [4, 3]))
    first, again, other = (f(x, z, seed=noise.seed(s), training=True) for s in (1, 1, 2))
    if option == "dropout":
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 0
        np.testing.assert_array_equal(f(x, z), f(x, z, seed=noise.seed(1)))
    elif option == "spectral_norm":
        for _ in range(50):
            f(x, z, training=True)
        kernel = f.out._divided(tf.convert_to_tensor(f.out.kernel), False)
        np.testing.assert_allclose(np.linalg.norm(kernel, 2), 1.0, rtol=1e-3)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (asvae.Config(half="left"), "model.half"),
        (asvae.Config(critic="other"), "model.critic"),
        (asvae.Config(x_draws="hard"), "model.x_draws"),
        (asvae.Config(critic_steps=0), "critic_steps"),
        (asvae.Config(posterior="cauchy"), "model.posterior"),
        (asvae.Config(critic_network=critic.Config(joint=())), "joint"),
        (ali.Config(game="chess"), "model.game"),
        (dcgan.Config(x_draws="hard"), "model.x_draws"),
    ],
)
def test_wrong_settings_are_told(config, words):
    with pytest.raises(ValueError, match=words):
        config.build(DataInfo((6,), 0, 100, 0))


def test_a_draw_without_a_gradient_is_refused():
    model = asvae.Config(2, mlp.Config(hidden=(4,)), "discretised_logistic").build(DataInfo((6,), 0, 100, 0))
    with pytest.raises(ValueError, match="has no gradient"):
        model.prepare({"unlabelled": {"image": tf.zeros([3, 6])}})


def test_real_vectors_may_have_a_flow_as_likelihood():
    model = asvae.Config(2, mlp.Config(hidden=(4,)), "planar").build(DataInfo((2,), 0, 100, 0))
    batch = {"unlabelled": {"image": tf.zeros([3, 2])}}
    model.prepare(batch)
    player = model.players()["model"]
    with tf.GradientTape() as tape:
        loss = player.objective(batch, noise.seed(0)).loss
    assert np.isfinite(loss) and all(g is not None for g in tape.gradient(loss, player.variables))
