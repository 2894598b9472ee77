"""Questions to a population of runs: columns, ten functions on them, and the same as SQL."""
