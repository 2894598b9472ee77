"""What the exercises of the chapter give to their reader; no answer stands here."""

import numpy as np


def overconfident_sample() -> tuple[np.ndarray, np.ndarray]:
    """Return the forecasts and outcomes of exercise 2: 4,000 verdicts of an overconfident agent."""
    random = np.random.default_rng(20260323)
    honest = random.beta(2, 1.2, 4000)
    outcomes = (random.random(4000) < honest).astype(int)
    odds = np.log(honest / (1 - honest)) / 0.5
    return 1 / (1 + np.exp(-odds)), outcomes
