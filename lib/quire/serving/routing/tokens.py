"""How long a request will be before anybody counts its tokens: bytes over a learnt ratio."""

from typing import Any

import numpy as np

from quire.checks import between, non_negative, positive, real_array

LARGEST = 1e15
"""No count of bytes or tokens is larger."""
LEAST_RATIO, LARGEST_RATIO = 1e-9, 1e9


class TokenEstimator:
    """Bytes per token of each category, learnt by an exponential average.

    Bytes and tokens are 1e15 at most, and a ratio lies between 1e-9 and 1e9 bytes a token.

    Parameters
    ----------
    ratio
        Bytes per token to begin with.
    rate
        Weight of each observation, between 0 and 1.
    """

    def __init__(self, ratio: Any = 4.0, rate: Any = 0.05) -> None:
        self.first = between("ratio", ratio, LEAST_RATIO, LARGEST_RATIO)
        self.rate = between("rate", rate, 0, 1)
        self.ratios: dict[str, float] = {}

    def estimate(self, size: Any, answer: Any, category: str = "") -> float:
        """Return total tokens: ``size`` bytes over the ratio, and the answer's limit."""
        ratio = self.ratios.get(category, self.first)
        return _counted("size", size) / ratio + _counted("answer", answer)

    def observe(self, size: Any, tokens: Any, category: str = "") -> None:
        """Learn from a prompt of ``size`` bytes that had ``tokens`` tokens."""
        told = [
            _counted(name, positive(name, n)) for name, n in (("size", size), ("tokens", tokens))
        ]
        seen = between("size / tokens", told[0] / told[1], LEAST_RATIO, LARGEST_RATIO)
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
        When the arrays differ in length, or a number is outside what an estimator allows.
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


def _counted(name: str, value: Any) -> float:
    number = non_negative(name, value)
    if number > LARGEST:
        raise ValueError(f"{name} = {number:g}: must be 1e15 or less")
    return number
