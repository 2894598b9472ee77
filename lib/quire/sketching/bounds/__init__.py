"""Lower bounds, the numerical minima that check them, and the cost of processor grids."""
