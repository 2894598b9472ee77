"""A small agent whose law is known exactly, and five observers who see more and more of it.

An agent in a context draws an intent, acts on it, and sees an outcome; what it infers depends on
all. A *checkpoint* keeps action and outcome, all checkpoints the context too; spans add how long a
step took; generations state the intent with probability ``leak``; tags name it with some error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.checks import integer, share

LEVELS = ("last checkpoint", "all checkpoints", "and spans", "and generations", "and tags")
FIELDS = ("intent", "inference", "plan revised", "evidence")
_SIZES = {"intent": 6, "inference": 4, "plan revised": 2, "evidence": 2}


@dataclass(frozen=True)
class SmallAgent:
    """Probabilities of the small agent, drawn once from a seed.

    Attributes
    ----------
    seed
        Of the tables.
    leak
        Probability that a generation states the intent.
    tag_rate, tag_right
        Probability that a step is tagged, and that the tag is right.
    """

    seed: int = 0
    leak: float = 0.25
    tag_rate: float = 0.3
    tag_right: float = 0.9
    contexts: int = 8
    actions: int = 4
    outcomes: int = 3

    def __post_init__(self) -> None:
        integer("seed", self.seed, 0)
        for name in ("leak", "tag_rate", "tag_right"):
            share(name, getattr(self, name))
        for name in ("contexts", "actions", "outcomes"):
            integer(name, getattr(self, name), 1, 1000)

    def latent(
        self,
    ) -> Float[np.ndarray, "context action outcome duration intent inference plan evidence"]:
        """Return the joint law of everything but words and tags."""
        draw = np.random.default_rng(self.seed).dirichlet
        n, c, a, o = 6, self.contexts, self.actions, self.outcomes
        context = draw(np.full(c, 2.0))
        intent = draw(np.full(n, 0.7), c)
        action = draw(np.full(a, 0.7), (c, n))
        outcome = draw(np.full(o, 1.0), (c, a))
        duration = draw(np.full(2, 1.5), (n, a))
        inference = draw(np.full(4, 0.5), (n, o))
        revised = draw(np.full(2, 0.7), (4, o))
        proof = draw(np.full(2, 0.7), (4, a))
        return np.einsum(
            "c,cn,cna,cao,nad,noi,iop,iae->caodnipe",
            context, intent, action, outcome, duration, inference, revised, proof,
        )  # fmt: skip

    def joint(self, field: str, level: int) -> Float[np.ndarray, "values seen"]:
        """Return p(field, what the observer of a level sees).

        Raises
        ------
        ValueError
            For a field or a level that there is none of.
        """
        if field not in FIELDS:
            raise ValueError(f"field = {field!r}: must be one of {', '.join(FIELDS)}")
        level = integer("level", level, 0, len(LEVELS) - 1)
        place = {"intent": "n", "inference": "i", "plan revised": "p", "evidence": "e"}[field]
        seen = ["ao", "cao", "caod", "caod", "caod"][level]
        law = np.einsum("caodnipe->" + ("n" if place != "n" else "") + place + seen, self.latent())
        # rows: the intent, needed for words and tags; then the field; then what is seen
        if place == "n":
            law = np.einsum("n...,nk->nk...", law, np.eye(6))
        law = law.reshape(6, _SIZES[field], -1)
        if level >= 3:
            law = np.einsum("nfz,nw->nfzw", law, self._words()).reshape(6, _SIZES[field], -1)
        if level >= 4:
            law = np.einsum("nfz,nt->nfzt", law, self._tags()).reshape(6, _SIZES[field], -1)
        return law.sum(axis=0)

    def sample(self, count: int, seed: int) -> dict[str, Int[np.ndarray, "count ..."]]:
        """Return draws of every field, and per level the number of the column that was seen."""
        random = np.random.default_rng(integer("seed", seed, 0))
        law = self.latent()
        cells = random.choice(
            law.size, integer("count", count, 1, 10**8), p=(law / law.sum()).ravel()
        )
        c, a, o, d, n, i, p, e = np.unravel_index(cells, law.shape)
        words = _draw(random, self._words()[n])
        tags = _draw(random, self._tags()[n])
        level1 = (c * self.actions + a) * self.outcomes + o
        level2 = level1 * 2 + d
        level3 = level2 * 7 + words
        return {
            "intent": n, "inference": i, "plan revised": p, "evidence": e,
            "seen": np.stack([a * self.outcomes + o, level1, level2, level3, level3 * 7 + tags]),
        }  # fmt: skip

    def _words(self) -> np.ndarray:
        """Return p(word | intent): 0 says nothing, 1 + n states the intent n."""
        return np.hstack([np.full((6, 1), 1 - self.leak), self.leak * np.eye(6)])

    def _tags(self) -> np.ndarray:
        """Return p(tag | intent): 0 is none, 1 + n names n, rightly or else evenly wrong."""
        wrong = (1 - self.tag_right) / 5
        named = np.full((6, 6), wrong) + (self.tag_right - wrong) * np.eye(6)
        return np.hstack([np.full((6, 1), 1 - self.tag_rate), self.tag_rate * named])


def table_decoder(field: Any, seen: Any, test_seen: Any) -> np.ndarray:
    """Return the most frequent value where the same was seen in training, else that overall."""
    field, seen, test_seen = np.asarray(field), np.asarray(seen), np.asarray(test_seen)
    values, size = int(field.max()) + 1, int(max(seen.max(), test_seen.max())) + 1
    counts = np.bincount(seen * values + field, minlength=size * values).reshape(size, values)
    guess = counts.argmax(axis=1)
    guess[counts.sum(axis=1) == 0] = np.bincount(field).argmax()
    return guess[test_seen]


def _draw(random: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (random.random(len(rows))[:, None] > rows.cumsum(axis=1)).sum(axis=1)
    return np.minimum(found, rows.shape[1] - 1)
