"""Two ways to write a circuit's equations.

Read ``topology`` (faults of the graph), ``mna`` (nodes, as SPICE does), ``assembly`` (device
ports), ``branch`` (branch currents, the paper's family), ``companions`` (steps in that form).
"""
