"""A small model first, a large one where the small one is not sure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import non_negative, real_array


@dataclass(frozen=True)
class Cascade:
    """Quality and cost of a cascade at each threshold.

    Attributes
    ----------
    threshold
        Requests with less confidence go to the large model as well; increasing.
    escalated
        Share of them.
    quality
        Mean quality.
    cost
        Mean cost: small always, large where escalated.
    """

    threshold: np.ndarray
    escalated: np.ndarray
    quality: np.ndarray
    cost: np.ndarray

    def best(self, price: Any) -> int:
        """Return the index with the largest quality - price x cost."""
        worth = self.quality - non_negative("price", price) * self.cost
        return int(worth.argmax())


def cascade(confidence: Any, small: Any, large: Any, cost_small: Any, cost_large: Any) -> Cascade:
    """Return the cascade at every threshold that changes something.

    Parameters
    ----------
    confidence
        Of the small model, for each request, 0 to 1.
    small, large
        Quality of either model on each request (1 right, 0 wrong; or anything between).
    cost_small, cost_large
        Of one request.

    Raises
    ------
    ValueError
        When the arrays differ in length.
    """
    sure, q_small, q_large = (
        real_array(name, each, 1, least=0.0)
        for name, each in (("confidence", confidence), ("small", small), ("large", large))
    )
    if not sure.size == q_small.size == q_large.size:
        raise ValueError("confidence, small, large: must be of one length")
    order = np.argsort(sure, kind="stable")
    gain = np.append(0.0, np.cumsum((q_large - q_small)[order])) / sure.size
    escalated = np.arange(sure.size + 1) / sure.size
    edges = np.append(sure[order], np.inf)
    # requests of one confidence escalate together
    kept = np.append(True, np.diff(edges) > 0)
    cost = non_negative("cost_small", cost_small) + escalated * non_negative(
        "cost_large", cost_large
    )
    quality = q_small.mean() + gain
    return Cascade(edges[kept], escalated[kept], quality[kept], cost[kept])
