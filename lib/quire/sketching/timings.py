"""What measured timings say: medians, fits, the flip between algorithms, machine rates.

The tables are pandas frames with the columns of the paper's authors' published timings (seconds;
one run per row); rows whose timings are all zero are failed runs and are left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import nnls

from quire.sketching.bounds import nystrom_words
from quire.sketching.grids import Rates, fastest_grid
from quire.sketching.problem import Shape

_PARTS = ["gen_b_time", "gather_b_time", "local_multiply_time"]


def _columns(rows: pd.DataFrame, needed: list[str]) -> None:
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise ValueError(f"rows lacks the columns {missing}; pass the table as published")


def sketch_medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Median seconds per (alg, system, thread_per_proc, n1, n2, r, nproc) of the one-dimensional
    sketches.

    Columns gen, gather, multiply, total (median of the sums) and runs. ``ValueError`` for missing
    columns.
    """
    _columns(rows, ["alg", "system", "nproc", "thread_per_proc", "a_rows", "b_cols", *_PARTS])
    sketches = rows[rows["alg"].isin(["matmul1gen", "matmul1comm"])]
    sketches = sketches[sketches[_PARTS].sum(axis=1) > 0]
    named = sketches.assign(
        gen=sketches["gen_b_time"],
        gather=sketches["gather_b_time"],
        multiply=sketches["local_multiply_time"],
        total=sketches[_PARTS].sum(axis=1),
        n1=sketches["a_rows"],
        n2=sketches["a_cols"],
        r=sketches["b_cols"],
    )
    keys = ["alg", "system", "thread_per_proc", "n1", "n2", "r", "nproc"]
    groups = named.groupby(keys)
    medians = groups[["gen", "gather", "multiply", "total"]].median()
    return medians.assign(runs=groups.size()).reset_index()


def regeneration_speedup(medians: pd.DataFrame) -> pd.DataFrame:
    """Communicate over regenerate, per configuration that has both: column ``speedup``."""
    keys = ["system", "thread_per_proc", "n1", "n2", "r", "nproc"]
    wide = medians.pivot(index=keys, columns="alg", values="total").dropna()
    return wide.assign(speedup=wide["matmul1comm"] / wide["matmul1gen"]).reset_index()


def nystrom_medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Median seconds of the communication of noredist and redist (with pack and unpack).

    One row per (system, n, r, nproc) that has both; columns noredist, redist, all_to_all.
    """
    times = ["all2all_time", "reduce_scatter_time", "pack_time", "unpack_time", "total_time"]
    _columns(rows, ["alg", "system", "n", "r", "nproc", *times])
    valid = rows[rows["total_time"] > 0]
    keys = ["system", "n", "r", "nproc"]
    redist = valid[valid["alg"] == "nystrom-1d-redist-1d"]
    redist = redist.assign(
        redist=redist["all2all_time"] + redist["pack_time"] + redist["unpack_time"],
        all_to_all=redist["all2all_time"],
    )
    noredist = valid[valid["alg"] == "nystrom-1d-noredist-1d"]
    noredist = noredist.assign(noredist=noredist["reduce_scatter_time"])
    left = noredist.groupby(keys)[["noredist"]].median()
    right = redist.groupby(keys)[["redist", "all_to_all"]].median()
    return left.join(right, how="inner").reset_index()


@dataclass(frozen=True)
class MessageTime:
    """Seconds of a collective: constant + alpha messages + beta words."""

    constant: float
    alpha: float
    beta: float

    def seconds(
        self, messages: Float[np.ndarray, " m"], words: Float[np.ndarray, " m"]
    ) -> Float[np.ndarray, " m"]:
        """Predicted seconds."""
        return self.constant + self.alpha * messages + self.beta * words


def fit_message_time(
    messages: Float[np.ndarray, " m"],
    words: Float[np.ndarray, " m"],
    seconds: Float[np.ndarray, " m"],
) -> MessageTime:
    """Non-negative least squares of the relative residuals; needs three or more positive times."""
    if seconds.shape[0] < 3 or not np.all(seconds > 0):
        raise ValueError(f"seconds must hold 3 or more positive times, got {seconds}")
    design = np.stack([np.ones_like(words), messages, words], axis=1) / seconds[:, None]
    scale = np.maximum(design.max(axis=0), 1e-300)
    solution, _ = nnls(design / scale, np.ones_like(seconds))
    constant, alpha, beta = solution / scale
    return MessageTime(float(constant), float(alpha), float(beta))


def predict_nystrom(medians: pd.DataFrame, system: str) -> pd.DataFrame:
    """Fit noredist and redist on every other row of a system, and predict them all.

    Messages are P - 1 per rank (ring and pairwise algorithms). Adds columns ``held_out`` (not
    used in the fit), ``noredist_predicted`` and ``redist_predicted``.
    """
    chosen = medians[medians["system"] == system].sort_values(["r", "nproc"])
    if chosen.empty:
        raise ValueError(f"system {system!r} is not among {sorted(set(medians['system']))}")
    chosen = chosen.reset_index(drop=True)
    held_out = np.arange(len(chosen)) % 2 == 1
    result = chosen.assign(held_out=held_out)
    for algorithm in ("noredist", "redist"):
        words = np.array(
            [
                nystrom_words(int(n), int(r), int(p), algorithm)
                for n, r, p in zip(chosen["n"], chosen["r"], chosen["nproc"], strict=True)
            ]
        )
        messages = chosen["nproc"].to_numpy(dtype=float) - 1
        seconds = chosen[algorithm].to_numpy(dtype=float)
        fit = fit_message_time(messages[~held_out], words[~held_out], seconds[~held_out])
        result[f"{algorithm}_predicted"] = fit.seconds(messages, words)
    return result


def flip(
    ranks: Float[np.ndarray, " m"],
    noredist: Float[np.ndarray, " m"],
    redist: Float[np.ndarray, " m"],
) -> tuple[float, float]:
    """The neighbouring P between which redist becomes faster for good.

    (0, first P) when it always is; (last P, inf) when it is not at the end.
    """
    order = np.argsort(ranks)
    slower = np.flatnonzero(redist[order] >= noredist[order])
    sorted_ranks = ranks[order]
    if slower.size == 0:
        return 0.0, float(sorted_ranks[0])
    last = int(slower[-1])
    after = float(sorted_ranks[last + 1]) if last + 1 < len(sorted_ranks) else float("inf")
    return float(sorted_ranks[last]), after


def fit_rates(regenerated: pd.DataFrame, gathered: pd.DataFrame) -> Rates:
    """Seconds per word, random number and flop: medians over rows of :func:`sketch_medians`.

    Random numbers (n2 r per rank) and flops come from the matmul1gen rows of ``regenerated``;
    words, (1 - 1/P) n2 r, from the matmul1comm rows of ``gathered``, which may be the same table.
    """
    regenerate = regenerated[regenerated["alg"] == "matmul1gen"]
    gather = gathered[(gathered["alg"] == "matmul1comm") & (gathered["gather"] > 0)]
    if regenerate.empty or gather.empty:
        raise ValueError(
            "regenerated needs matmul1gen rows and gathered needs matmul1comm rows; pass both"
        )
    numbers = regenerate["n2"] * regenerate["r"]
    flops = 2.0 * regenerate["n1"] * numbers / regenerate["nproc"]
    words = (1 - 1 / gather["nproc"]) * gather["n2"] * gather["r"]
    return Rates(
        word=float((gather["gather"] / words).median()),
        random_number=float((regenerate["gen"] / numbers).median()),
        flop=float((regenerate["multiply"] / flops).median()),
    )


def regeneration_limit(shape: Shape, rates: Rates, ranks: list[int]) -> int | None:
    """The least of ``ranks`` at which another grid than (P, 1, 1) is fastest; None when there is
    none.
    """
    for count in sorted(ranks):
        if fastest_grid(shape, count, rates).grid.p1 != count:
            return count
    return None
