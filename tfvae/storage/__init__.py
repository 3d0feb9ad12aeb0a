"""Files that are whole or not there: atomic writes, checkpoints, the metrics log."""
