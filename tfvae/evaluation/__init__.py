"""What a trained model can do, measured on test rows, and the report."""
