"""Certificates: ``issue`` puts one together, ``verifier`` checks it and needs nothing of this library."""
