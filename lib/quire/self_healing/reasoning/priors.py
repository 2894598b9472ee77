"""What is known beforehand: prior edges, how they weigh on a discovery, and the graph they join.

A prior names a cause and an effect. It lowers the penalty of its edge and raises that of the
reverse; it never forces an edge. Afterwards learnt and prior edges are merged, and each effect
keeps its strongest causes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.self_healing.errors import one_of, sequence_of_text
from quire.signatures import checked

KINDS = ("symbolic", "curated")
MASK = MappingProxyType(
    {"background": 1.0, "symbolic": 0.4, "curated": 0.2, "reverse": 3.0, "other": 2.0}
)


@checked
@dataclass(frozen=True, order=True)
class Prior:
    """Someone's statement that one event causes another.

    Attributes
    ----------
    source, target
        Names of cause and effect.
    kind
        ``symbolic`` (derived by a rule) or ``curated`` (written by hand).
    """

    source: str
    target: str
    kind: str = "symbolic"


@checked
@dataclass(frozen=True, order=True)
class Edge:
    """An edge of the causal graph.

    Attributes
    ----------
    source, target
        Names of cause and effect.
    weight
        Its strength; the sign is that of the effect.
    relation
        ``instantly_triggers``, ``temporally_causes`` or ``prior``.
    origin
        ``learnt``, ``prior`` or ``both``.
    """

    source: str
    target: str
    weight: float
    relation: str
    origin: str = "learnt"


def check_priors(names: Any, priors: Iterable[Prior]) -> list[Prior]:
    """Return the priors, each of whose names is one of ``names``.

    Raises
    ------
    ValueError
        For a name that is not there, a kind that is unknown, or a prior of a name on itself.
    """
    there = set(sequence_of_text("names", names))
    checked = []
    for number, prior in enumerate(priors):
        for end in ("source", "target"):
            if getattr(prior, end) not in there:
                raise ValueError(
                    f"priors[{number}].{end} = {getattr(prior, end)!r}: must be one of the names"
                )
        if prior.source == prior.target:
            raise ValueError(f"priors[{number}] = {prior.source!r} on itself: must join two names")
        one_of(f"priors[{number}].kind", prior.kind, KINDS)
        checked.append(prior)
    return checked


@checked
def penalty_mask(
    names: Any,
    priors: Iterable[Prior],
    mask: Mapping[str, float] = MASK,
    other: Iterable[str] = (),
) -> Float[np.ndarray, "d d"]:
    """Return the factor on the penalty of every edge, ``[source, target]``.

    Parameters
    ----------
    names
        The series, in the order of the matrix.
    priors
        A curated prior counts before a symbolic one, either before a reverse.
    mask
        The factors: background, symbolic, curated, reverse, other.
    other
        Names whose family is unknown: edges from them get the factor ``other``.

    Raises
    ------
    ValueError
        For a name twice, an unknown name, a missing or negative factor.
    """
    labels = sequence_of_text("names", names)
    place = {name: k for k, name in enumerate(labels)}
    if len(place) < len(labels):
        raise ValueError("names = a name twice: must be different")
    factors = {}
    for key in MASK:
        if key not in mask:
            raise ValueError(f"mask = without {key!r}: must have it")
        factors[key] = checks.non_negative(f"mask[{key!r}]", mask[key])
    found = np.full((len(labels), len(labels)), factors["background"])
    for name in other:
        if name not in place:
            raise ValueError(f"other = {name!r}: must be one of the names")
        found[place[name]] = factors["other"]
    ordered = sorted(check_priors(labels, priors), key=lambda p: KINDS.index(p.kind))
    for prior in ordered:
        found[place[prior.target], place[prior.source]] = factors["reverse"]
    for prior in ordered:
        found[place[prior.source], place[prior.target]] = factors[prior.kind]
    return found


@checked
def corrupt_priors(names: Any, priors: Sequence[Prior], share: Any, seed: Any) -> list[Prior]:
    """Return the priors, a share of them (rounded) with another cause and effect.

    A wrong prior joins two random names that no given prior joins, in either direction. Share 0 is
    the identity.

    Raises
    ------
    ValueError
        For a share outside [0, 1], unknown names, or no pair that is left.
    """
    labels = sequence_of_text("names", names)
    checked = check_priors(labels, priors)
    share = checks.non_negative("share", share)
    if share > 1:
        raise ValueError(f"share = {share:g}: must be at most 1")
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    count = round(share * len(checked))
    chosen = set(rng.permutation(len(checked))[:count].tolist())
    taken = {frozenset((p.source, p.target)) for p in checked}
    free = [(a, b) for a in labels for b in labels if a != b and frozenset((a, b)) not in taken]
    if count > len(free):
        raise ValueError(f"share = {share:g}: must leave a pair of names for each wrong prior")
    picks = iter(rng.permutation(len(free)).tolist())
    result = []
    for number, prior in enumerate(checked):
        if number in chosen:
            source, target = free[next(picks)]
            result.append(Prior(source, target, prior.kind))
        else:
            result.append(prior)
    return result


def edges_of(
    names: Any,
    W: Any,
    A: Any,
    threshold: Any = 0.3,
) -> list[Edge]:
    """Return the learnt edges whose weight is at least the threshold, effects on itself left out.

    Raises
    ------
    ValueError
        For matrices that do not fit the names, or a negative threshold.
    """
    labels = sequence_of_text("names", names)
    threshold = checks.non_negative("threshold", threshold)
    found = []
    for name, matrix, relation in (
        ("W", W, "instantly_triggers"),
        ("A", A, "temporally_causes"),
    ):
        values = checks.real_array(name, matrix, 2)
        if values.shape != (len(labels), len(labels)):
            raise ValueError(f"{name} = shape {values.shape}: must fit {len(labels)} names")
        for i, j in zip(*np.nonzero((np.abs(values) >= threshold) & (values != 0)), strict=True):
            if i != j:
                found.append(Edge(labels[i], labels[j], float(values[i, j]), relation))
    return found


@checked
def merge_edges(
    learnt: Iterable[Edge],
    priors: Iterable[Prior] = (),
    *,
    boosts: tuple[float, float] = (0.5, 0.25),
    floor: Any = 0.55,
    max_in: Any = 2,
    other: Iterable[str] = (),
) -> list[Edge]:
    """Merge learnt and prior edges; the order in which they come does not matter.

    Of two edges between the same names the larger weight stays. Learnt edges from ``other`` names
    are dropped. A prior alone weighs ``floor + boosts[0]``; a learnt edge that a prior names weighs
    ``max(floor, |w|) + boosts[1]``. Each effect keeps its ``max_in`` strongest causes. Merging the
    result again, without priors, changes nothing; with the same priors one that was left out may
    come back, for its pair then looks as if nothing had been learnt of it.

    Raises
    ------
    ValueError
        For ``max_in < 1``, a negative boost or floor, or a weight that is not finite.
    """
    checks.integer("max_in", max_in)
    alone, both = (checks.non_negative("boosts", value) for value in boosts)
    floor = checks.non_negative("floor", floor)
    unknown = set(other)
    known = {(p.source, p.target) for p in priors}
    best: dict[tuple[str, str], Edge] = {}
    for edge in learnt:
        pair = (edge.source, edge.target)
        if not isfinite(edge.weight):
            raise ValueError(f"learnt = {pair} weighs {edge.weight!r}: must be finite")
        if edge.origin == "learnt" and edge.source in unknown:
            continue
        if edge.origin == "learnt" and pair in known:
            size = max(floor, abs(edge.weight)) + both
            edge = Edge(*pair, float(np.copysign(size, edge.weight)), edge.relation, "both")
        if pair not in best or _strength(edge) > _strength(best[pair]):
            best[pair] = edge
    for pair in known:
        edge = Edge(*pair, floor + alone, "prior", "prior")
        if pair not in best:
            best[pair] = edge
    into: dict[str, list[Edge]] = {}
    for edge in best.values():
        into.setdefault(edge.target, []).append(edge)
    kept = [e for edges in into.values() for e in sorted(edges, key=_strength)[::-1][:max_in]]
    return sorted(kept)


@checked
def root_rank(edges: Iterable[Edge], effect: str, root: str, hops: Any = 1) -> int:
    """Return the place of a root among the causes of an effect; one more than all edges if absent.

    Causes are sorted by the strength of their best path, the weakest edge of it; ties count against
    the root. Removing an edge never makes the place worse, unless it lies on the root's own path or
    the root is missed.

    Raises
    ------
    ValueError
        For ``hops`` other than 1 or 2.
    """
    checks.integer("hops", hops, 1, 2)
    listed = list(edges)
    strength: dict[str, float] = {}
    for edge in listed:
        if edge.target == effect and edge.source != effect:
            strength[edge.source] = max(strength.get(edge.source, 0.0), abs(edge.weight))
    if hops == 2:
        direct = dict(strength)
        for edge in listed:
            if edge.target in direct and edge.source not in direct and edge.source != effect:
                path = min(abs(edge.weight), direct[edge.target])
                strength[edge.source] = max(strength.get(edge.source, 0.0), path)
    if root not in strength:
        return len(listed) + 1
    return sum(value >= strength[root] for value in strength.values())


def _strength(edge: Edge) -> tuple[float, str, str, str, float]:
    return abs(edge.weight), edge.source, edge.target, edge.relation, edge.weight
