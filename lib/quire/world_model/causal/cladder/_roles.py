"""Which node of the graph a phrase speaks of, by shared words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from quire.world_model.causal.cladder._text import node_name
from quire.world_model.causal.graphs import CausalGraph

_EMPTY = {
    "the",
    "a",
    "an",
    "of",
    "to",
    "for",
    "in",
    "on",
    "by",
    "is",
    "be",
    "being",
    "and",
    "or",
    "has",
    "having",
}


@lru_cache(maxsize=16384)
def stems(phrase: str) -> frozenset[str]:
    """Return the content words of a phrase, cut to their beginnings."""
    found = re.findall(r"[a-z]+", phrase.lower().replace("'s", ""))
    return frozenset(w[:5] for w in found if w not in _EMPTY)


@lru_cache(maxsize=65536)
def likeness(phrase: str, name: str) -> float:
    """Return 1 where a phrase names a node, else the share of the name's words that it holds."""
    if node_name(phrase) == name:
        return 1.0
    wanted = stems(name)
    return 0.9 * len(wanted & stems(phrase)) / len(wanted) if wanted else 0.0


def assign(
    graph: CausalGraph,
    phrases: Sequence[str],
    allowed: Callable[..., bool],
    count: int | None = None,
) -> tuple[str, ...] | None:
    """Return distinct nodes, one a phrase, that ``allowed`` accepts and that are most alike.

    Parameters
    ----------
    graph
        The graph.
    phrases
        What is said of the first nodes.
    allowed
        Called with the nodes, says whether the graph allows these roles.
    count
        Number of nodes; those beyond the phrases are chosen by ``allowed`` alone.
    """
    best: tuple[float, tuple[str, ...]] | None = None
    for nodes in itertools.permutations(graph.nodes, count or len(phrases)):
        score = sum(likeness(p, n) for p, n in zip(phrases, nodes, strict=False))
        if (best is None or score > best[0] + 1e-12) and allowed(*nodes):
            best = (score, nodes)
    return best[1] if best else None


def granted(
    graph: CausalGraph,
    phrases: Sequence[str],
    allowed: Callable[..., bool],
    count: int | None = None,
) -> bool:
    """Return whether the graph allows the roles, to the very nodes where the words name them.

    Parameters
    ----------
    graph, phrases, allowed, count
        As in `assign`; the second node must be an effect of the first and have none itself.
    """

    def effect(x: str, y: str) -> bool:
        return y in graph.descendants([x]) and not graph.children(y)

    def score(nodes: tuple[str, ...]) -> float:
        return sum(likeness(p, n) for p, n in zip(phrases[:2], nodes, strict=False))

    found, nearest = assign(graph, phrases, allowed, count), assign(graph, phrases[:2], effect)
    if found is None or nearest is None or score(nearest) < 2.0:
        return found is not None
    return score(found) == 2.0
