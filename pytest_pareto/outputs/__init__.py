"""Outputs of samples: kept as images, and drawn before and after a regression side by side."""
