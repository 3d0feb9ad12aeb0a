"""Others on the same labels, without the model: one file a rival."""
