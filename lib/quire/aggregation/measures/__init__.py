"""What is measured: ``interference``, ``audit`` of a round, responses to ``edges``."""
