"""What the chapter measures.

Read ``decks`` (against ngspice), ``elimination`` (operations, threads, reduction), ``winners``
(which solver wins where), ``variants`` (Monte Carlo and gradients).
"""
