"""rapidfuzz: the ratio of difflib's kind in C++."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def ratios(queries: Sequence[str], references: Sequence[str]) -> Float[np.ndarray, "q r"]:
    """Return the normalised Indel similarity of every query to every reference, from 0 to 1."""
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    return np.asarray(
        cdist(queries, references, scorer=Indel.normalized_similarity, workers=1), dtype=np.float64
    )
