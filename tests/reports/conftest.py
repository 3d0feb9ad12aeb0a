"""The small models of the evaluation's tests."""

from tests.evaluation.conftest import digits, plain_data, small_sdgm, small_vae  # noqa: F401
