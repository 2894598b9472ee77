"""Composition: ``port_hamiltonian`` models, ``discrete_gradient`` steps, ``signals``."""
