import numpy as np
import pytest
import tensorflow as tf

from tfvae.evaluation import classification
from tfvae.metrics import METRICS
from tfvae.probability.potentials import Potential
from tfvae.reports import code_figures, curve_figures, figures, roles
from tfvae.reports.curve_figures import Line


def _pixels(png):
    return tf.io.decode_png(png, channels=3).numpy()


def _colours(png):
    """How many different colours a figure has: a blank one has one."""
    return len(np.unique(_pixels(png).reshape(-1, 3), axis=0))


def _share(png, colour):
    """The share of pixels of a colour, up to a rounding of it."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.mean(np.abs(_pixels(png).astype(int) - wanted).max(axis=-1) <= 2)


@pytest.fixture
def drawn(rng):
    probs = rng.dirichlet(np.ones(3), 60)
    label = rng.integers(0, 3, 60)
    codes = rng.normal(size=(60, 5))
    names = ("cat", "dog <&>", "$x")
    return {
        "decision_regions": lambda: figures.decision_regions(
            lambda p: np.stack([p[:, 0] > 0, p[:, 0] <= 0], axis=1).astype(float), codes[:, :2], codes[:4, :2],
            np.array([0, 1, 0, 1]), names[:2],
        ),
        "codes_pca": lambda: code_figures.codes_pca(codes, label, names),
        "codes_without_labels": lambda: code_figures.codes_pca(codes, np.full(60, -1), ()),
        "codes_of_all_roles": lambda: code_figures.codes_pca(codes, label, names, roles=np.resize(roles.ROLES, 60)),
        "one_unit": lambda: code_figures.codes_pca(codes[:, :1], label, names),
        "potential": lambda: figures.potential(Potential("u1").log_prob, codes[:, :2], title="U1"),
        "kl_per_unit": lambda: figures.kl_per_unit({"z": rng.random(20), "a": rng.random(5)}),
        "curves": lambda: curve_figures.curves(
            {"adgm": Line(([1, 2, 3], [0.5, 0.2, 0.1]), judged=2, rows=20), "m2": Line(([1], [0.4]), ([1], [0.3]))},
            METRICS["error"], "Error",
        ),
        "reliability": lambda: figures.reliability(classification.calibration(probs, label)),
        "confusion": lambda: figures.confusion(classification.confusion(probs, label), names),
        "errors": lambda: figures.errors({"ours": (0.02, (0.0, 0.1)), "rival": (0.1, (0.1, 0.1))}, ["ours"]),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "decision_regions", "codes_pca", "codes_without_labels", "codes_of_all_roles", "one_unit", "potential",
        "kl_per_unit", "curves", "reliability", "confusion", "errors",
    ],
)  # fmt: skip
def test_figures_are_drawn_and_repeat(drawn, name):
    png = drawn[name]()
    assert _colours(png) > 20
    assert min(_pixels(png).shape[:2]) > 150


def test_no_figure_is_left_in_pyplot(drawn):
    import matplotlib._pylab_helpers

    drawn["codes_pca"]()
    assert not matplotlib._pylab_helpers.Gcf.figs


def test_many_classes_and_long_names_still_fit():
    counts = np.eye(30, dtype=int)
    assert _colours(figures.confusion(counts, [f"a class with a long name {k}" for k in range(30)])) > 10


def test_regions_have_the_colours_of_their_classes():
    cloud = np.array([[-1.0, -1.0], [1.0, 1.0]])
    always_first = figures.decision_regions(lambda p: np.tile([1.0, 0.0], (len(p), 1)), cloud, cloud, np.array([0, 1]))
    always_second = figures.decision_regions(lambda p: np.tile([0.0, 1.0], (len(p), 1)), cloud, cloud, np.array([0, 1]))
    assert np.abs(_pixels(always_first).mean((0, 1)) - _pixels(always_second).mean((0, 1))).max() > 5


def test_principal_components_find_the_long_axis(rng):
    direction = np.array([0.6, 0.8, 0.0])
    codes = 5.0 * rng.normal(size=(300, 1)) * direction + 0.1 * rng.normal(size=(300, 3)) + 10.0
    projected, share = code_figures.principal_components(codes)
    assert share[0] > 0.99
    correlation = np.corrcoef(projected[:, 0], codes @ direction)[0, 1]
    assert abs(correlation) > 0.999


def test_ours_stands_out_among_rivals():
    errors = {"a": (0.1, (0.1, 0.1)), "b": (0.1, (0.1, 0.1))}
    assert _share(figures.errors(errors, ["a"]), figures.colour(0)) > 0.02
    assert _share(figures.errors(errors, []), figures.colour(0)) == 0.0


def test_the_judged_epoch_and_the_training_curve_are_drawn():
    """Both change what is seen: without them the picture is another."""
    line = Line(([1, 2, 3, 4], [-9.0, -8.0, -7.5, -7.7]))
    drawn = [
        curve_figures.curves({"run": each}, METRICS["bound"], "Bound")
        for each in (line, line._replace(judged=3), line._replace(training=([1, 2, 3, 4], [-9.0, -7.0, -6.0, -5.0])))
    ]
    assert len(set(drawn)) == 3


def test_a_labelled_code_looks_otherwise_than_an_unlabelled_one(rng):
    codes, label = rng.normal(size=(20, 3)), np.zeros(20, int)
    drawn = {role: code_figures.codes_pca(codes, label, ("a",), roles=np.full(20, role)) for role in roles.ROLES}
    assert len(set(drawn.values())) == 4


def test_dollars_in_captions_are_no_mathematics():
    png = figures.captioned(np.zeros([1, 4, 4, 3]), [("costs $_$ and $5", "$x")])
    assert png.startswith(b"\x89PNG")
