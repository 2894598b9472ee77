"""Nano models: units and ports (``units``), and many small models at once (``population``)."""
