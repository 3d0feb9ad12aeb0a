"""What every command shares: help, wrong flags, presets by name, and a quiet start."""
