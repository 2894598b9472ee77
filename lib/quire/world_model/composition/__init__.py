"""Composition: ``port_hamiltonian`` models, their ``discrete_gradient`` steps, ``signals`` between others."""
