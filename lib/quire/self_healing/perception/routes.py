"""Three routes from a line to a template: seen before, close to a reference, or written anew."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire import checks
from quire.self_healing.errors import one_of, same_length, sequence_of_text
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.retrieval import fit_vectoriser, lexical_score
from quire.signatures import checked

METHODS = ("tfidf", "lexical")
ROUTES = ("cache", "reference", "induced")


@dataclass(frozen=True)
class Perceived:
    """What became of one line.

    Attributes
    ----------
    template
        Its template.
    route
        ``cache`` (the paper's L1), ``reference`` (L2) or ``induced`` (in place of L3's model).
    score
        Similarity to the nearest reference; 1 for the cache.
    """

    template: str
    route: str
    score: float


class Perception:
    """The references of a system, and what was seen so far.

    Parameters
    ----------
    references
        Lines whose template is known; may be empty, then every template is induced.
    templates
        Their templates.
    theta
        Similarity from which a reference's template is taken.
    method
        ``tfidf`` (cosine, one sparse product) or ``lexical`` (the paper's score, slow).

    Raises
    ------
    ValueError
        For lengths that differ, a threshold outside [0, 1] or another method.
    """

    def __init__(
        self,
        references: Any,
        templates: Any,
        theta: Any = 0.66,
        method: Any = "tfidf",
    ) -> None:
        if len(references) or len(templates):
            same_length("references", references, "templates", templates)
            sequence_of_text("references", references)
            sequence_of_text("templates", templates)
        self.theta = checks.non_negative("theta", theta)
        if self.theta > 1:
            raise ValueError(f"theta = {theta:g}: must be at most 1")
        self.method = one_of("method", method, METHODS)
        self.references, self.templates = tuple(references), tuple(templates)
        self.seen: dict[str, str] = {}
        if self.references and method == "tfidf":
            masked = [mask(line) for line in self.references]
            self._vectoriser = fit_vectoriser(masked)
            self._rows = self._vectoriser.vectors(masked)

    def perceive(self, lines: Any) -> list[Perceived]:
        """Return what becomes of each line, one after the other; every result enters the cache.

        Raises
        ------
        ValueError
            For no line, or something else than text.
        """
        texts = sequence_of_text("lines", lines)
        keys = [re.sub(r"\d+", "N", " ".join(text.split())) for text in texts]
        fresh = list(dict.fromkeys(k for k in keys if k not in self.seen))
        first = dict(zip(reversed(keys), reversed(texts), strict=True))
        scores = self._scores([first[key] for key in fresh]) if fresh else np.zeros((0, 0))
        row = {key: k for k, key in enumerate(fresh)}
        found = []
        for key, text in zip(keys, texts, strict=True):
            if key in self.seen:
                found.append(Perceived(self.seen[key], "cache", 1.0))
                continue
            result = self._decide(text, scores[row[key]])
            self.seen[key] = result.template
            found.append(result)
        return found

    def _scores(self, texts: list[str]) -> np.ndarray:
        if not self.references:
            return np.zeros((len(texts), 0))
        if self.method == "tfidf":
            rows = self._vectoriser.vectors([mask(text) for text in texts])
            return np.asarray((rows @ self._rows.T).toarray())
        return np.array([[lexical_score(t, r) for r in self.references] for t in texts])

    def _decide(self, text: str, scores: np.ndarray) -> Perceived:
        best = float(scores.max(initial=0.0))
        if scores.size == 0 or best < self.theta:
            return Perceived(mask(text), "induced", best)
        return Perceived(self.templates[int(scores.argmax())], "reference", best)


@checked
def route_counts(found: Sequence[Perceived]) -> dict[str, int]:
    """Return how many lines took each route; the counts add up to the lines."""
    counts = Counter(item.route for item in found)
    return {route: counts[route] for route in ROUTES}
