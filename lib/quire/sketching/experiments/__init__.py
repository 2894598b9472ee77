"""What the chapter measures, as functions that return tidy tables."""
