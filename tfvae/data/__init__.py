"""Images, labels and captions from files to batches of streams."""
