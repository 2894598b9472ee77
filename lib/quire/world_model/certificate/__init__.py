"""Certificates: ``issue`` puts one together, ``verifier`` checks it and stands alone."""
