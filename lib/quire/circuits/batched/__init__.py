"""Many variants of a circuit in one compiled program.

Read ``parameters`` (what may vary), ``grid`` (the steps), ``reduced`` (the equations left at the
devices' ports), ``transient`` (the program), ``gradients`` (derivatives through it),
``monte_carlo`` (draws, chunks, threads).
"""
