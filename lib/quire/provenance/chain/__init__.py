"""Integrity: a hash chain with its head, Merkle trees with their proofs."""
