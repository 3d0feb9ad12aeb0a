"""Pictures of a model, and the page about a run."""
