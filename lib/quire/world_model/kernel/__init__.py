"""The safety kernel: a process of its own that must grant every action, and logs before it answers.

Read in this order: ``canonical`` (one text for one value), ``ed25519``, ``tokens``, ``ledger``
(Merkle tree of what was decided), ``policy`` (who may do what), ``server`` (the process),
``client`` (start, ask, stop; the circuit breaker), ``obligations`` (may a rule be changed?),
``modifications`` (may code be changed?), ``gauntlet`` (attempts to get past all this).
Nothing in ``server`` and below it needs more than the standard library.
"""
