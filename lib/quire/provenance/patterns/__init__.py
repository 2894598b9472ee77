"""Patterns in a population of step sequences, and what sets failures apart."""
