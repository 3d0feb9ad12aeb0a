"""Pictures of the report: one file for what belongs together, with its `PANELS`."""
