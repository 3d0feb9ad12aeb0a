"""A run directory, and a trained run opened from it."""
