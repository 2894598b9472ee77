"""Somebody else's packages: drain3, rapidfuzz and scikit-learn."""
