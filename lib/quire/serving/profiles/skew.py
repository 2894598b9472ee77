"""Skew: what decode attention costs when the lengths of a batch differ.

A batch is looked up at its mean length and at its longest, and the cost is
A(mean) + alpha max(0, A(longest) - A(mean)), with alpha from a table of measured buckets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.signatures import checked


@dataclass(frozen=True)
class SkewTable:
    """The share alpha by bucket; a bucket that was not measured has the default.

    Attributes
    ----------
    chunks
        Sizes of prefill that have buckets of their own; another size takes the default.
    n_edges, rate_edges, longest_edges, prefill_kv_edges
        Upper ends of the bins of: sequences; (mean - least)/(longest - least); longest; tokens
        before the chunks. An end belongs to its bin.
    alpha
        By chunk and the four bins.
    default
        For everything else.
    """

    chunks: Float[np.ndarray, " c"]
    n_edges: Float[np.ndarray, " n"]
    rate_edges: Float[np.ndarray, " r"]
    longest_edges: Float[np.ndarray, " k"]
    prefill_kv_edges: Float[np.ndarray, " p"]
    alpha: Float[np.ndarray, "c n r k p"]
    default: float | int


_EDGES = ("n", "skew_rate", "kv_big", "kp")
_COLUMNS = ("n_label", "skew_rate_label", "kv_big_label", "kp_label")


@checked
def skew_from_rows(
    rows: Mapping[str, Any], axes: Mapping[str, Any], default: float | int
) -> SkewTable:
    """Return the table of a bundle's ``skew_fit.csv`` under the bins of its ``meta.yaml``.

    Parameters
    ----------
    rows
        Columns ``pc``, ``n_label``, ``skew_rate_label``, ``kv_big_label``, ``kp_label``, ``alpha``.
    axes
        ``skew_fit.bucket_axes``: ``n_bins``, ``n_labels``, and so on for the other three.
    default
        ``alpha_default``.

    Raises
    ------
    ValueError
        When a column or an axis is missing, or a row has a label that its axis does not have.
    """
    for name in ("pc", *_COLUMNS, "alpha"):
        if name not in rows:
            raise ValueError(f"rows has no column {name!r}: a skew_fit.csv is needed")
    edges, places = [], []
    for axis, column in zip(_EDGES, _COLUMNS, strict=True):
        if f"{axis}_bins" not in axes or f"{axis}_labels" not in axes:
            raise ValueError(f"axes has no {axis}_bins and {axis}_labels: see meta.yaml")
        labels = list(axes[f"{axis}_labels"])
        bins = real_array(f"{axis}_bins", axes[f"{axis}_bins"], 1)
        if bins.size != len(labels) + 1:
            raise ValueError(f"{axis}_bins = {bins.size} edges: must be one more than labels")
        edges.append(bins[1:])
        unknown = sorted(set(rows[column]) - set(labels))
        if unknown:
            raise ValueError(f"{column} = {unknown[0]!r}: must be one of {', '.join(labels)}")
        places.append(np.array([labels.index(label) for label in rows[column]]))
    pc = real_array("pc", rows["pc"], 1, least=0.0)
    chunks = np.unique(pc)
    alpha = np.full((chunks.size, *(edge.size for edge in edges)), float(default))
    alpha[(np.searchsorted(chunks, pc), *places)] = real_array("alpha", rows["alpha"], 1)
    return SkewTable(chunks, edges[0], edges[1], edges[2], edges[3], alpha, float(default))


def fit_alpha(mean_us: Any, longest_us: Any, mixed_us: Any) -> float:
    """Return the alpha that fits measured triples best, weighted by the spread they show.

    The least squares of ``mixed = mean + alpha (longest - mean)``, whose weights are the squares of
    ``longest - mean``: alpha = sum d (mixed - mean) / sum d^2, d = longest - mean.

    Parameters
    ----------
    mean_us, longest_us, mixed_us
        Times of uniform batches at the mean and at the longest length, and of the mixed batch.

    Raises
    ------
    ValueError
        When the arrays differ in length, or no triple shows a spread.
    """
    mean = real_array("mean_us", mean_us, 1, above=0.0)
    longest = real_array("longest_us", longest_us, 1, above=0.0)
    mixed = real_array("mixed_us", mixed_us, 1, above=0.0)
    if not mean.size == longest.size == mixed.size:
        raise ValueError("mixed_us = an array of another length: must be as long as the others")
    spread = longest - mean
    if not spread.any():
        raise ValueError("longest_us = mean_us: alpha needs a batch whose lengths differ")
    return float(spread @ (mixed - mean) / (spread @ spread))
