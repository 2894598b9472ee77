"""What the server does with updates.

Read ``updates`` (arithmetic), ``averaging`` (the rivals), ``proxies``, ``ggrs`` and ``servers``.
"""
