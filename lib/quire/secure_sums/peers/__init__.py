"""What talks to somebody else's package; each file imports its package only when it is called."""
