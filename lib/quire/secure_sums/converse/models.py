"""Entropy models of aggregation: with arbitrary keys (W, Z, X, sums), and with keys of groups.

Bit 3k is W_k, 3k+1 is Z_k, 3k+2 is X_k, and bit 3K+i is the i-th sum. With keys of groups, bit 2k
is W_k, 2k+1 is X_k, bit 2K the sum, and then comes one key per group of G users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, permutations
from typing import Literal

from quire.checks import integer
from quire.secure_sums.converse.entropy_space import EntropyModel, Equality
from quire.secure_sums.problems import AggregationProblem
from quire.signatures import checked

Objective = Literal["message", "key", "total key"]
OBJECTIVES: tuple[Objective, ...] = ("message", "key", "total key")
"""What the theorem bounds: R_X of one user, R_Z of one user, and R_ZΣ of all together."""


@checked
def aggregation_model(problem: AggregationProblem, user: int | None = None) -> EntropyModel:
    """Return the model of a problem with arbitrarily correlated keys.

    Parameters
    ----------
    problem
        Who hears whom, who wants what, who may collude.
    user
        The user whose message and key are minimised. Symmetries that move it are left out, so that
        the bound holds for this user and not only on average. ``None`` keeps all symmetries, with
        the total key alone to be minimised.

    Raises
    ------
    ValueError
        When the user's number is outside 0 … K-1.
    """
    users = problem.users
    keys = sum(0b010 << 3 * k for k in range(users))
    objectives: dict[str, dict[int, int]] = {"total key": {keys: 1}}
    if user is not None:
        user = integer("user", user, 0, users - 1)
        objectives |= {"message": {0b100 << 3 * user: 1}, "key": {0b010 << 3 * user: 1}}
    symmetries: tuple[tuple[int, ...], ...] = ()
    alike = None
    if problem.fully_symmetric and user in (None, 0):
        skipped = 0 if user is None else 1
        alike = (3 * skipped, 3, users - skipped)
    else:
        kept = [g for g in problem.symmetries if user is None or g[user] == user]
        symmetries = tuple(_of_variables(problem, g) for g in kept)
    names = [f"{letter}{k + 1}" for k in range(users) for letter in "WZX"]
    names += ["S"] if len(problem.sums) == 1 else [f"S{i + 1}" for i in range(len(problem.sums))]
    return EntropyModel(
        names=tuple(names),
        rules=_rules(problem),
        equalities=_equalities(problem),
        objectives=objectives,
        symmetries=symmetries,
        alike=alike,
    )


def security_terms(
    problem: AggregationProblem, user: int, colluders: tuple[int, ...]
) -> dict[int, int]:
    """Return I({X_j heard}; protected W | sums due, own and pooled data) in joint entropies."""
    coalition = (user, *colluders)
    given = 0
    for k in coalition:
        given |= (0b011 << 3 * k) | sum_bit(problem, k)
    heard = sum(
        0b100 << 3 * j for j in range(problem.users) if any(problem.hears[k][j] for k in coalition)
    )
    return information(heard, sum(1 << 3 * k for k in problem.protected), given)


def information(left: int, right: int, given: int) -> dict[int, int]:
    """Return I(left; right | given) as coefficients of joint entropies."""
    terms: dict[int, int] = {}
    for subset, sign in (
        (given | left, 1),
        (given | right, 1),
        (given | left | right, -1),
        (given, -1),
    ):
        terms[subset] = terms.get(subset, 0) + sign
    return {subset: c for subset, c in terms.items() if c}


def sum_bit(problem: AggregationProblem, user: int) -> int:
    """Return the set that holds only the sum that this user wants."""
    return 1 << (3 * problem.users + problem.sums.index(problem.wants[user]))


def _of_variables(problem: AggregationProblem, g: tuple[int, ...]) -> tuple[int, ...]:
    """Turn a relabelling of the users into one of the variables."""
    moved = [3 * g[k] + part for k in range(problem.users) for part in range(3)]
    for members in problem.sums:
        target = problem.sums.index(tuple(sorted(g[k] for k in members)))
        moved.append(3 * problem.users + target)
    return tuple(moved)


def _rules(problem: AggregationProblem) -> tuple[tuple[int, int], ...]:
    """Return what determines what: messages, sums, last inputs, and what users decode."""
    rules = [(0b011 << 3 * k, 0b100 << 3 * k) for k in range(problem.users)]
    for i, members in enumerate(problem.sums):
        total = 1 << (3 * problem.users + i)
        inputs = sum(1 << 3 * k for k in members)
        rules.append((inputs, total))
        rules += [((inputs | total) & ~(1 << 3 * k), 1 << 3 * k) for k in members]
    for u in range(problem.users):
        heard = sum(0b100 << 3 * j for j in range(problem.users) if problem.hears[u][j])
        rules.append((heard | 0b011 << 3 * u, sum_bit(problem, u)))
    return tuple(rules)


def _equalities(problem: AggregationProblem) -> tuple[Equality, ...]:
    """Return what is granted: uniform inputs, independent of all keys, and security."""
    users = problem.users
    inputs = sum(1 << 3 * k for k in range(users))
    keys = inputs << 1
    return (
        Equality(("inputs",), {inputs: 1}, users),
        Equality(("independent keys",), {inputs | keys: 1, keys: -1}, users),
        *(Equality(("input", k), {1 << 3 * k: 1}, 1) for k in range(users)),
        *(Equality(("sum", u), {sum_bit(problem, u): 1}, 1) for u in range(users)),
        *(
            Equality(("secure", u, colluders), security_terms(problem, u, colluders), 0)
            for u, colluders in problem.coalitions
        ),
    )


@checked
def groupwise_model(users: int, group: int, sizes: Iterable[int] = ()) -> EntropyModel:
    """Return the model in which every G users hold one key, independent of all others.

    Parameters
    ----------
    users, group
        K and G.
    sizes
        The numbers of colluders to be secure against. None at all leaves security out, so that the
        least leak can be asked for: objective ``leak t`` is what an observer with t colluders
        learns beyond the sum, on average over all of them.

    Raises
    ------
    ValueError
        When G is outside 1 … K, or a number of colluders outside 0 … K-1.
    """
    users = integer("users", users, 3)
    group = integer("group", group, 1, users)
    groups = list(combinations(range(users), group))
    first = 2 * users + 1
    total, inputs = 1 << 2 * users, sum(1 << 2 * k for k in range(users))
    held = [sum(1 << first + g for g, m in enumerate(groups) if k in m) for k in range(users)]
    keys = ((1 << len(groups)) - 1) << first
    rules = [(1 << 2 * k | held[k], 2 << 2 * k) for k in range(users)]
    rules += [(inputs, total)]
    rules += [((inputs | total) & ~(1 << 2 * k), 1 << 2 * k) for k in range(users)]
    rules += [((inputs << 1) & ~(2 << 2 * u) | 1 << 2 * u | held[u], total) for u in range(users)]

    def leak(u: int, colluders: tuple[int, ...]) -> dict[int, int]:
        given = total
        for k in (u, *colluders):
            given |= 1 << 2 * k | held[k]
        return information((inputs << 1) & ~(2 << 2 * u), inputs, given)

    independent: dict[int, int] = {inputs | keys: 1}
    for g in range(len(groups)):
        independent[1 << first + g] = -1
    everyone = {
        size: [
            (u, c) for u in range(users) for c in combinations(sorted({*range(users)} - {u}), size)
        ]
        for size in range(users)
    }
    wanted = [integer("sizes", size, 0, users - 1) for size in sizes]
    equalities = [
        Equality(("inputs",), {inputs: 1}, users),
        Equality(("independent group keys",), independent, users),
        *(Equality(("input", k), {1 << 2 * k: 1}, 1) for k in range(users)),
        Equality(("sum",), {total: 1}, 1),
        *(Equality(("secure", u, c), leak(u, c), 0) for size in wanted for u, c in everyone[size]),
    ]
    objectives: dict[str, Mapping[int, int]] = {
        "message": {2 << 2 * k: 1 for k in range(users)},
        "group key": {1 << first + g: 1 for g in range(len(groups))},
    }
    for size, coalitions in everyone.items():
        terms: dict[int, int] = {}
        for u, c in coalitions:
            for subset, coefficient in leak(u, c).items():
                terms[subset] = terms.get(subset, 0) + coefficient
        objectives[f"leak {size}"] = {s: c for s, c in terms.items() if c}
    symmetries = []
    for p in permutations(range(users)):
        moved = [2 * p[k] + part for k in range(users) for part in range(2)] + [2 * users]
        moved += [first + groups.index(tuple(sorted(p[k] for k in m))) for m in groups]
        symmetries.append(tuple(moved))
    names = [f"{letter}{k + 1}" for k in range(users) for letter in "WX"] + ["S"]
    names += ["N" + "".join(str(k + 1) for k in m) for m in groups]
    return EntropyModel(
        tuple(names), tuple(rules), tuple(equalities), objectives, tuple(symmetries)
    )
