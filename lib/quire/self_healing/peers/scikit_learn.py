"""scikit-learn: its tf-idf, to hold ours against."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def similarities(texts: Sequence[str]) -> Float[np.ndarray, "n n"]:
    """Return the mean of the cosines by words and by character 3-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer().fit_transform(texts)
    grams = TfidfVectorizer(analyzer="char", ngram_range=(3, 3)).fit_transform(texts)
    return np.asarray(((words @ words.T) + (grams @ grams.T)).toarray() / 2)
