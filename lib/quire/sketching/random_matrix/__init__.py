"""The random matrix Ω, each entry a function of (seed, row, column) alone."""
