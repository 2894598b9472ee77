"""Causal graphs, identification, counterfactuals, and questions asked in words."""
