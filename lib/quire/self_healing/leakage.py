"""Which cases may support which: the part of an evaluation that decides what it means.

A window and its near-duplicate carry the same label. Where one supports the other, a look-up is
measured, not a diagnosis.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from quire import checks
from quire.self_healing.action.cases import Case
from quire.signatures import checked


@checked
def allowed_support(
    incidents: Sequence[Hashable],
    similarity: Any,
    threshold: Any = None,
) -> Bool[np.ndarray, "n n"]:
    """Return ``[query, support]``: true where a case may support another.

    Never a case itself or one of its own incident; with a threshold, never one whose similarity is
    at least that.

    Raises
    ------
    ValueError
        For a matrix that does not fit, or a threshold outside [0, 1].
    """
    values = checks.real_array("similarity", similarity, 2, least=0.0)
    n = len(incidents)
    if values.shape != (n, n):
        raise ValueError(f"similarity = shape {values.shape}: must be {(n, n)}")
    _, codes = np.unique(np.array([str(i) for i in incidents]), return_inverse=True)
    allowed = codes[:, None] != codes[None, :]
    if threshold is not None:
        limit = checks.non_negative("threshold", threshold)
        if limit > 1:
            raise ValueError(f"threshold = {limit:g}: must be at most 1")
        allowed &= values < limit
    return allowed


def thinned_support(
    whole: Bool[np.ndarray, "n n"], strict: Bool[np.ndarray, "n n"], seed: int
) -> Bool[np.ndarray, "n n"]:
    """Return a control: as many supports as the strict rule leaves each query, drawn at random.

    Raises
    ------
    ValueError
        For matrices of two shapes, or a strict rule that allows more than the whole.
    """
    whole = checks.truths("whole", whole)
    strict = checks.truths("strict", strict, whole.shape)
    if whole.ndim != 2:
        raise ValueError(f"whole = an array of shape {whole.shape}: must be a matrix")
    if (strict & ~whole).any():
        raise ValueError("strict = a pair that whole does not allow: must be a part of it")
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    drawn = np.zeros_like(whole)
    for query, left in enumerate(strict.sum(axis=1)):
        drawn[query, rng.permutation(np.flatnonzero(whole[query]))[:left]] = True
    return drawn


@checked
def same_evidence(case: Case, one: float, other: float) -> bool:
    """Return whether a window's graph evidence is the same at two levels of noise.

    Evidence that noise cannot reach was computed from the clean window.
    """
    return case.view(one).edges == case.view(other).edges


@checked
def names_the_answer(case: Case, level: float) -> bool:
    """Return whether the graph evidence holds the very pair that the author wrote down as truth."""
    pair = (_bare(case.root_template), _bare(case.effect_template))
    return any((_bare(e.source), _bare(e.target)) == pair for e in case.view(level).edges)


def _bare(template: str) -> str:
    """Return a template's letters: wildcards, marks and the prefix of a block's name left out."""
    text = re.sub(r"<\*>|\[\*\]|\bblk_", "", template.lower())
    return "".join(c for c in text if c.isalnum())
