"""Schedules and plans that are looked for, and proofs of how good they are.

``bounds`` (lower bounds and certificates), ``rankings`` (which module of which microbatch first),
``order_annealing`` (exchanges on the critical path), ``steps`` (both, for one step), ``plans``
(segments, pieces and layers chosen on validation batches), ``deadlines`` (a schedule made while the
step before runs).
"""
