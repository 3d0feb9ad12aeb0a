"""Parts of a model that explain targets, such as labels and captions, from its code."""
