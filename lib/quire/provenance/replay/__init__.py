"""Mock replay of recorded runs, and the comparison of what comes out."""
