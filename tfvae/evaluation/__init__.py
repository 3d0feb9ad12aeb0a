"""What a trained model can do, measured on test rows: one file a question, and its rivals."""
