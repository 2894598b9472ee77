"""Power: a node as a state machine (`node`), and the clock of a device at its cap (`clock`)."""
