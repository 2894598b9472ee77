"""Joint entropies of the variables of a protocol, up to what they determine and to symmetry.

n random variables have 2^n joint entropies. Two reductions keep the linear program small and exact:
sets with the same *closure* under the functional dependencies have the same entropy, and sets that
a symmetry of the model exchanges may share one unknown, because averaging a solution over the
symmetries keeps it feasible. (So what is minimised must not be moved by them either.)

Sets of variables are integers: bit i is the i-th variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from quire.signatures import checked

LARGEST = 20  # variables: sets of more are not tabulated


@dataclass(frozen=True)
class Equality:
    """Σ coefficient·H(set) = value: part of what defines a model.

    Attributes
    ----------
    name
        What it says: ("inputs",), ("input", k), ("sum", u), ("independent keys",) or
        ("secure", u, 𝒯), and others that a model may add.
    terms
        Coefficient of each set's entropy.
    value
        The right-hand side, in units of one input's entropy.
    """

    name: tuple[str | int | tuple[int, ...], ...]
    terms: dict[int, int]
    value: int


@dataclass(frozen=True)
class EntropyModel:
    """Random variables, and all that is granted of their joint entropies.

    Attributes
    ----------
    names
        The variables, for printing.
    rules
        (needed, gained): the first set determines the second.
    equalities
        What the entropies satisfy beside Shannon's inequalities.
    objectives
        What may be minimised, as coefficients of sets.
    symmetries
        Permutations of the variables that change nothing: variable i becomes symmetries[.][i].
    alike
        (first, width, count): count blocks of so many variables, from this one on, that may be
        exchanged at will; stands for all their permutations without listing them.
    """

    names: tuple[str, ...]
    rules: tuple[tuple[int, int], ...]
    equalities: tuple[Equality, ...]
    objectives: Mapping[str, Mapping[int, int]]
    symmetries: tuple[tuple[int, ...], ...] = ()
    alike: tuple[int, int, int] | None = None

    @property
    def variables(self) -> int:
        """Number of random variables."""
        return len(self.names)

    @property
    def full(self) -> int:
        """The set of all variables."""
        return (1 << self.variables) - 1

    def label(self, subset: int) -> str:
        """Return a set's variables by name, with commas between them."""
        return ",".join(n for i, n in enumerate(self.names) if subset >> i & 1) or "nothing"


def closures(model: EntropyModel, sets: Int[np.ndarray, " s"]) -> Int[np.ndarray, " s"]:
    """Return the largest set with the same entropy by the model's functional dependencies."""
    closed = np.array(sets, dtype=np.int64)
    while True:
        before = closed.copy()
        for needed, gained in model.rules:
            closed |= np.where((closed & needed) == needed, gained, 0)
        if (closed == before).all():
            return closed


def canonical(model: EntropyModel, sets: Int[np.ndarray, " s"]) -> Int[np.ndarray, " s"]:
    """Return one representative of each set's orbit under the model's symmetries."""
    if model.alike is not None:
        first, width, count = model.alike
        places = first + width * np.arange(count)
        block = (1 << width) - 1
        codes = np.sort(sets[:, None] >> places & block, axis=1)[:, ::-1]
        moved = sum(block << int(place) for place in places)
        return (codes << places).sum(axis=1) | sets & ~moved
    least = sets.copy()
    for symmetry in model.symmetries:
        np.minimum(least, permuted(symmetry, sets), out=least)
    return least


def permuted(symmetry: tuple[int, ...], sets: Int[np.ndarray, " s"]) -> Int[np.ndarray, " s"]:
    """Return the sets after variable i has become variable symmetry[i]."""
    moved = np.zeros_like(sets)
    for i, target in enumerate(symmetry):
        moved |= (sets >> i & 1) << target
    return moved


def symmetric(model: EntropyModel, objective: str) -> bool:
    """Return whether the model's symmetries change neither what is granted nor the objective."""
    moves = list(model.symmetries)
    if model.alike is not None:
        first, width, count = model.alike
        for b in range(count - 1):  # exchanges of neighbouring blocks generate all
            swap = list(range(model.variables))
            for i in range(first + b * width, first + (b + 1) * width):
                swap[i], swap[i + width] = i + width, i
            moves.append(tuple(swap))

    def moved(move: tuple[int, ...], terms: Mapping[int, int]) -> frozenset[tuple[int, int]]:
        sets = permuted(move, np.array(list(terms), dtype=np.int64))
        return frozenset(zip(sets.tolist(), terms.values(), strict=True))

    granted = {(frozenset(e.terms.items()), e.value) for e in model.equalities}
    rules = set(model.rules)
    goal = model.objectives[objective]
    for move in moves:
        if sorted(move) != list(range(model.variables)):
            return False
        pairs = [permuted(move, np.array(rule, dtype=np.int64)).tolist() for rule in model.rules]
        if {(a, b) for a, b in pairs} != rules:
            return False
        if {(moved(move, e.terms), e.value) for e in model.equalities} != granted:
            return False
        if moved(move, goal) != frozenset(goal.items()):
            return False
    return True


@dataclass(frozen=True)
class EntropySpace:
    """The unknowns of the linear program: one per orbit of closed sets.

    Attributes
    ----------
    model
        What the variables are.
    unknown
        ``unknown[set]``: the number of the set's unknown, or -1 for the empty set.
    representatives
        A closed set of each unknown.
    """

    model: EntropyModel
    unknown: Int[np.ndarray, " sets"] = field(repr=False)
    representatives: Int[np.ndarray, " u"] = field(repr=False)

    def row(self, terms: Mapping[int, int]) -> dict[int, int]:
        """Return {unknown: coefficient} of Σ c·H(set), with the empty set's entropy zero."""
        collected: dict[int, int] = {}
        for subset, coefficient in terms.items():
            i = int(self.unknown[subset])
            if i >= 0:
                collected[i] = collected.get(i, 0) + coefficient
        return {i: c for i, c in collected.items() if c}


@checked
def entropy_space(model: EntropyModel) -> EntropySpace:
    """Tabulate the closed sets of a model up to symmetry.

    Raises
    ------
    ValueError
        When the model has more than 20 random variables.
    """
    if model.variables > LARGEST:
        raise ValueError(
            f"{model.variables} random variables have too many joint entropies (at most {LARGEST})"
            "; take fewer users or fewer different sums"
        )
    closed = closures(model, np.arange(1 << model.variables))
    distinct, where = np.unique(closed, return_inverse=True)
    orbit = canonical(model, distinct)
    representatives, number = np.unique(orbit, return_inverse=True)
    # the empty set sorts first and has entropy zero: it is no unknown
    return EntropySpace(model, number[where].reshape(-1) - 1, representatives[1:])


@checked
def elemental_inequalities(
    space: EntropySpace,
) -> tuple[Int[np.ndarray, "m 3"], Int[np.ndarray, "m 4"]]:
    """Return all different inequalities H(A∪i) + H(A∪j) - H(A∪ij) - H(A) >= 0.

    The first array names them as (A, i, j), where i = j stands for H(full) - H(full∖i) >= 0; the
    second holds their unknowns in that order of terms, -1 for none. Closed A are enough, because
    H(A∪i) does not change when A is closed, and one A per orbit is.
    """
    n = space.model.variables
    bits = 1 << np.arange(n)
    context = np.concatenate([[0], space.representatives])
    names, terms = [], []
    for i in range(n):
        for j in range(i + 1, n):
            a = context[(context & (bits[i] | bits[j])) == 0]
            names.append(np.stack([a, np.full_like(a, i), np.full_like(a, j)], axis=1))
            pair = (a | bits[i], a | bits[j], a | bits[i] | bits[j], a)
            terms.append(np.stack([space.unknown[s] for s in pair], axis=1))
    full = space.model.full
    last = np.arange(n)
    names.append(np.stack([full & ~bits, last, last], axis=1))
    none = np.full(n, -1)
    whole = np.full(n, space.unknown[full])
    terms.append(np.stack([whole, none, space.unknown[full & ~bits], none], axis=1))
    name, term = np.concatenate(names), np.concatenate(terms)
    term[:, :2].sort(axis=1)
    term[:, 2:].sort(axis=1)
    trivial = (term[:, :2] == term[:, 2:]).all(axis=1)
    name, term = name[~trivial], term[~trivial]
    first = np.unique(term, axis=0, return_index=True)[1]
    return name[first], term[first]
