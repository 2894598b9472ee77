"""Texts as vectors: tf-idf of words and of character 3-grams, and which text is nearest.

Weights are scikit-learn's: ``idf = ln((1 + n) / (1 + df)) + 1``, rows of length 1. A text's vector
holds both kinds with equal weight, so that the cosine of two texts is the mean of two cosines.
"""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

from quire.self_healing.errors import sequence_of_text
from quire.signatures import checked

_WORD = re.compile(r"\b\w\w+\b")


@lru_cache(maxsize=8192)
def terms(text: str) -> Counter[tuple[str, str]]:
    """Return how often each word, and each run of three characters, occurs in lower case."""
    lower = text.lower()
    flat = re.sub(r"\s\s+", " ", lower)
    counts: Counter[tuple[str, str]] = Counter()
    counts.update(("word", word) for word in _WORD.findall(lower))
    counts.update(("gram", flat[k : k + 3]) for k in range(len(flat) - 2))
    return counts


@dataclass(frozen=True)
class Vectoriser:
    """Weights of terms, learnt from reference texts.

    Attributes
    ----------
    columns
        The place of every term.
    idf
        Its weight.
    """

    columns: dict[tuple[str, str], int]
    idf: Float[np.ndarray, " v"]

    @cached_property
    def words(self) -> list[int]:
        """The columns of words; the others are 3-grams."""
        return [column for term, column in self.columns.items() if term[0] == "word"]

    def vectors(self, texts: Any) -> sparse.csr_array:
        """Return one row a text, of length 1 or, without a term that is there, 0.

        Raises
        ------
        ValueError
            For no text, or something else than text.
        """
        rows, columns, values = [], [], []
        for number, text in enumerate(sequence_of_text("texts", texts)):
            for term, count in terms(text).items():
                column = self.columns.get(term)
                if column is not None:
                    rows.append(number)
                    columns.append(column)
                    values.append(count * self.idf[column])
        shape = (len(texts), len(self.columns))
        matrix = sparse.csr_array((values, (rows, columns)), shape=shape, dtype=np.float64)
        is_word = np.zeros(shape[1], dtype=bool)
        is_word[self.words] = True
        parts = [matrix @ sparse.diags_array(kind.astype(float)) for kind in (is_word, ~is_word)]
        return _unit(sparse.csr_array(sum(_unit(part) for part in parts)))


def fit_vectoriser(texts: Any) -> Vectoriser:
    """Learn terms and weights from texts.

    Raises
    ------
    ValueError
        For no text, or something else than text.
    """
    frequency: Counter[tuple[str, str]] = Counter()
    for text in sequence_of_text("texts", texts):
        frequency.update(terms(text).keys())
    columns = {term: k for k, term in enumerate(sorted(frequency))}
    df = np.array([frequency[term] for term in columns], dtype=float)
    return Vectoriser(columns, np.log((1 + len(texts)) / (1 + df)) + 1)


def similarities(texts: Any) -> Float[np.ndarray, "n n"]:
    """Return the cosine of every two texts, from 0 to 1.

    Raises
    ------
    ValueError
        For no text, or something else than text.
    """
    rows = fit_vectoriser(texts).vectors(texts)
    return np.clip((rows @ rows.T).toarray(), 0.0, 1.0)


@checked
def lexical_score(one: str, other: str) -> float:
    """Return the paper's score of two texts: 0.7 difflib ratio plus 0.3 Jaccard of words.

    Every run of digits counts as one digit.
    """
    a, b = (re.sub(r"\d+", "N", text.lower()) for text in (one, other))
    left, right = set(a.split()), set(b.split())
    union = left | right
    jaccard = len(left & right) / len(union) if union else 1.0
    return 0.7 * SequenceMatcher(None, a, b, autojunk=False).ratio() + 0.3 * jaccard


def _unit(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with rows of length 1, empty rows as they are."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1.0 / np.where(length > 0, length, 1.0)) @ matrix)
