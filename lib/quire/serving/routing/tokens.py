"""How long a request will be before anybody counts its tokens: bytes over a learnt ratio."""

from typing import Any

import numpy as np

from quire.checks import between, non_negative, positive, real_array


class TokenEstimator:
    """Bytes per token of each category, learnt by an exponential average.

    Parameters
    ----------
    ratio
        Bytes per token to begin with.
    rate
        Weight of each observation, between 0 and 1.
    """

    def __init__(self, ratio: Any = 4.0, rate: Any = 0.05) -> None:
        self.first = positive("ratio", ratio)
        self.rate = between("rate", rate, 0, 1)
        self.ratios: dict[str, float] = {}

    def estimate(self, size: Any, answer: Any, category: str = "") -> float:
        """Return total tokens: ``size`` bytes over the ratio, and the answer's limit."""
        ratio = self.ratios.get(category, self.first)
        return non_negative("size", size) / ratio + non_negative("answer", answer)

    def observe(self, size: Any, tokens: Any, category: str = "") -> None:
        """Learn from a prompt of ``size`` bytes that had ``tokens`` tokens."""
        seen = positive("size", size) / positive("tokens", tokens)
        was = self.ratios.get(category, self.first)
        self.ratios[category] = (1 - self.rate) * was + self.rate * seen


def estimates(
    size: Any,
    tokens: Any,
    answer: Any,
    categories: list[str],
    *,
    ratio: Any = 4.0,
    rate: Any = 0.05,
) -> np.ndarray:
    """Return the estimate of each request, every one learnt from after it.

    Parameters
    ----------
    size, tokens, answer
        Bytes and tokens of each prompt, tokens of each answer.
    categories
        Of each request.
    ratio, rate
        Of the estimator; a rate of 0 learns nothing.

    Raises
    ------
    ValueError
        When the arrays differ in length.
    """
    columns = [
        real_array(name, each, 1, above=0.0)
        for name, each in (("size", size), ("tokens", tokens), ("answer", answer))
    ]
    if len({c.size for c in columns} | {len(categories)}) != 1:
        raise ValueError("size, tokens, answer, categories: must be of one length")
    learns = TokenEstimator(ratio, rate) if rate else TokenEstimator(ratio)
    found = np.zeros(columns[0].size)
    for r, (b, t, a) in enumerate(zip(*columns, strict=True)):
        found[r] = learns.estimate(b, a, categories[r])
        if rate:
            learns.observe(b, t, categories[r])
    return found
