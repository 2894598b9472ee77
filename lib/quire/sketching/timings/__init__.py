"""What published timings say: medians of the authors' tables, fits, flips and machine rates."""
