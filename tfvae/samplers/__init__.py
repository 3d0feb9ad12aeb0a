"""Learning without gradients: chains whose steps are pure functions of a state."""
