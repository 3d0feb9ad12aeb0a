"""Programs: flags, parts and one call."""
