"""Operating points, sweeps and steps in time.

Read ``linear_solvers``, ``newton`` (one point), ``results``, ``steady`` (operating point, DC and AC
sweeps), ``transient`` (steps in time).
"""
