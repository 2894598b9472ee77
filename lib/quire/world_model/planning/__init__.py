"""Planning under barriers: the least change of an input that keeps a state safe (``barriers``)."""
