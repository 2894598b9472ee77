"""The algorithms as compiled programs, and the messages read from them."""
