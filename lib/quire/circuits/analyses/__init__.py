"""Analyses: read ``linear_solvers``, ``newton`` (one point), ``results``, ``steady`` (operating
point, DC and AC sweeps), ``transient`` (steps in time).
"""
