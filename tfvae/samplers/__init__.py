"""Learning by chains: `Learner`, and one way to sample a file."""
