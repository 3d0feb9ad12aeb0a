"""The command line of every program: help, versions, presets by name, and errors in a line."""
