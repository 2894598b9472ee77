"""SPICE decks.

Read ``numbers``, ``lines``, ``expressions`` and ``functions``, ``parameters`` (values put into
cards), ``waveforms``, ``elements`` (what a circuit is), ``models``, ``cards`` and ``controlled``
(how each card is read), ``controls`` (dot cards), ``commands``, ``reader`` (the whole).
"""
