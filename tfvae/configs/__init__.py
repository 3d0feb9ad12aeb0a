"""Presets: values only, found by their file names."""
