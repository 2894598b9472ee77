"""The safety kernel: a process of its own that must grant every action, and logs before it answers.

Read in this order: ``canonical`` (one text for one value), ``ed25519``, ``tokens``, ``ledger``
(Merkle tree of what was decided), ``targets`` (where a text leads that is read as a path),
``policy`` (who may do what), ``server`` (the process), ``client`` (start, ask, stop; the circuit
breaker), ``nonces`` (what a device remembers), ``obligations`` (may a rule be changed?),
``modifications`` (may code be changed?), ``proposals`` (changes to try), ``gauntlet`` (attempts to
get past all this). The kernel's process needs no more than the standard library.
"""
