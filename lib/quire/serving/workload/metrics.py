"""What a served request was like: time to its first token, time a token, latency."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import real_array

STATISTICS = ("mean", "median", "P90", "P95", "P99")
METRICS = ("TTFT", "TPOT", "latency")


@dataclass(frozen=True)
class Served:
    """Requests in the order of their arrival, as a server or a simulator served them.

    Attributes
    ----------
    ttft_ms
        From arrival to the first token.
    tpot_ms
        From the first token to the last, for each token after the first (1 at least).
    latency_ms
        From arrival to the last token.
    n_out
        Tokens produced.
    makespan_s
        From the first arrival to the last token.
    """

    ttft_ms: Float[np.ndarray, " n"]
    tpot_ms: Float[np.ndarray, " n"]
    latency_ms: Float[np.ndarray, " n"]
    n_out: np.ndarray
    makespan_s: float | int

    @property
    def tokens_per_s(self) -> float:
        """Tokens produced a second, over the makespan."""
        return float(self.n_out.sum()) / self.makespan_s

    def column(self, metric: str) -> Float[np.ndarray, " n"]:
        """Return one metric of all requests, in milliseconds.

        Raises
        ------
        ValueError
            For an unknown metric.
        """
        if metric not in METRICS:
            raise ValueError(f"metric = {metric!r}: must be one of {', '.join(METRICS)}")
        return {"TTFT": self.ttft_ms, "TPOT": self.tpot_ms, "latency": self.latency_ms}[metric]

    def cell(self, metric: str, statistic: str) -> float:
        """Return a statistic of a metric: percentiles interpolate linearly between ranks.

        Raises
        ------
        ValueError
            For an unknown statistic.
        """
        values = self.column(metric)
        if statistic == "mean":
            return float(values.mean())
        if statistic not in STATISTICS:
            raise ValueError(f"statistic = {statistic!r}: must be one of {', '.join(STATISTICS)}")
        rank = 50.0 if statistic == "median" else float(statistic[1:])
        return float(np.percentile(values, rank))

    def cells(self) -> dict[tuple[str, str], float]:
        """Return every statistic of every metric, in milliseconds."""
        return {(m, s): self.cell(m, s) for m in METRICS for s in STATISTICS}


def served(
    arrival: np.ndarray, first: np.ndarray, last: np.ndarray, n_out: np.ndarray, unit: float | int
) -> Served:
    """Return the metrics of stamps.

    Parameters
    ----------
    arrival, first, last
        Stamps of each request on one clock.
    n_out
        Tokens produced.
    unit
        Milliseconds in one unit of the stamps.

    Raises
    ------
    ValueError
        When a first token comes before its request, a last one before its first, or the arrays
        differ in length.
    """
    arrival, first, last = (
        real_array(name, each, 1)
        for name, each in (("arrival", arrival), ("first", first), ("last", last))
    )
    tokens = real_array("n_out", n_out, 1, least=0.0)
    if not arrival.size == first.size == last.size == tokens.size:
        raise ValueError(
            f"arrival, first, last, n_out = {arrival.size}, {first.size}, {last.size}, "
            f"{tokens.size} numbers: must be one of each for a request"
        )
    if (first < arrival).any() or (last < first).any():
        raise ValueError("first, last: tokens must come after their request, the last one last")
    return Served(
        (first - arrival) * unit,
        (last - first) * unit / np.maximum(n_out - 1, 1),
        (last - arrival) * unit,
        np.asarray(n_out),
        float(last.max() - arrival.min()) * unit / 1e3,
    )
