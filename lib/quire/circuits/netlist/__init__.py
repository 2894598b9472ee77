"""SPICE decks.

Read ``numbers``, ``lines``, ``waveforms``, ``elements`` (what a circuit is), ``models`` and
``cards`` (how each card is read), ``controls`` (dot cards), ``reader`` (the whole).
"""
