"""Learning: exact ``statistics`` and untraining, ``silverbox``, ``tanks``, ``exchanger``."""
