"""What is measured: ``interference``, ``audit`` of a round, ``_sensitivity`` to edges."""
