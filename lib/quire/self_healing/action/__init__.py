"""See the reading order of :mod:`quire.self_healing`."""
