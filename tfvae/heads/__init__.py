"""Explanations of a target from the code: `log_prob(z, target)` and `predict(z)`."""
