"""What changes with group keys, dropouts, graphs and partial secrecy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import comb

from quire.secure_sums.closed_forms import optimal_region
from quire.secure_sums.converse.gaps import key_gap
from quire.secure_sums.converse.hand_proof import least_graph_key
from quire.secure_sums.converse.models import aggregation_model, groupwise_model
from quire.secure_sums.converse.programs import (
    converse_bound,
    converse_program,
    converse_value,
    first_inequalities,
)
from quire.secure_sums.converse.proofs import exact_proof, prove_converse
from quire.secure_sums.linear._leakage import correct, leakage
from quire.secure_sums.linear.block_codes import block_coded_keys, one_protected_input
from quire.secure_sums.linear.dropouts import DropoutScheme, check_dropouts, second_round_rate
from quire.secure_sums.linear.graph_schemes import best_scheme, problem_leakage, problem_protocol
from quire.secure_sums.linear.graphs import named_graph
from quire.secure_sums.linear.groupwise import groupwise_key_rate, groupwise_protocol
from quire.secure_sums.problems import (
    AggregationProblem,
    Coalition,
    everyone_wants_everything,
    neighbourhood_sums,
)

FIELD = 10_007  # of the random coefficients of group keys


@dataclass(frozen=True)
class GroupRow:
    """The groupwise scheme at the rate of the theorem, and with one key symbol less.

    Attributes
    ----------
    users, colluders, group
        K, T and G.
    theorem
        The rate that the theorem calls least, with which the scheme is built.
    correct
        Whether every user obtains the sum, with either length.
    leak
        The largest leak over coalitions and draws.
    least_leak_with_less, most_leak_with_less
        With one symbol less in each group key: over the draws, the worst coalition's leak; ``None``
        where one less would leave no key at all.
    """

    users: int
    colluders: int
    group: int
    theorem: Fraction
    correct: bool
    leak: int
    least_leak_with_less: int | None
    most_leak_with_less: int | None


def group_keys(cases: Iterable[tuple[int, int, int]], seed: int, draws: int = 5) -> list[GroupRow]:
    """Check the groupwise scheme for each (K, T, G), with several draws of its coefficients.

    Raises
    ------
    InfeasibleError
        When G = 1 or G >= K-T.
    """
    rows = []
    for users, colluders, group in cases:
        theorem = groupwise_key_rate(users, colluders, group)
        symbols, length = comb(users - colluders - 1, group), users - colluders - 2
        leaks: list[int] = []
        short: list[int] = []
        right = True
        tried = [(length, leaks)] + [(length - 1, short)] * (length > 1)
        for draw in range(draws):
            for key_symbols, found in tried:
                p = groupwise_protocol(users, group, symbols, key_symbols, FIELD, seed + draw)
                right &= bool(correct(p).all())
                found.append(leakage(p, range(colluders + 1)).worst.symbols)
        rows.append(
            GroupRow(
                users=users,
                colluders=colluders,
                group=group,
                theorem=theorem,
                correct=right,
                leak=max(leaks),
                least_leak_with_less=min(short, default=None),
                most_leak_with_less=max(short, default=None),
            )
        )
    return rows


@dataclass(frozen=True)
class GroupBound:
    """The least group-key rate by linear program, exactly, beside the theorem's."""

    users: int
    colluders: int
    group: int
    bound: Fraction
    theorem: Fraction
    inequalities: int


def group_key_bounds(cases: Iterable[tuple[int, int, int]]) -> list[GroupBound]:
    """Prove the least common rate of the group keys for each (K, T, G).

    What is bounded is the mean over the groups; keys of one common length are no shorter.
    """
    rows = []
    for users, colluders, group in cases:
        model = groupwise_model(users, group, range(colluders + 1))
        proof = exact_proof(converse_bound(converse_program(model), "group key"))
        each = proof.bound / comb(users, group)
        theorem = groupwise_key_rate(users, colluders, group)
        steps = len(proof.inequalities)
        rows.append(GroupBound(users, colluders, group, each, theorem, steps))
    return rows


@dataclass(frozen=True)
class InfeasibleRow:
    """What every protocol leaks when keys are those of groups of G, whatever their length.

    Attributes
    ----------
    users, colluders, group
        K, T and G.
    leak
        Symbols that an observer with T colluders learns at least beyond the sum, on average over
        all of them, by an exact proof.
    inequalities
        Steps of the proof.
    """

    users: int
    colluders: int
    group: int
    leak: Fraction
    inequalities: int


def infeasible_groups(cases: Iterable[tuple[int, int, int]]) -> list[InfeasibleRow]:
    """Prove the least leak for each (K, T, G), where correctness is all that is asked for."""
    rows = []
    programs = cache(lambda users, group: converse_program(groupwise_model(users, group)))
    met = cache(lambda users, group: first_inequalities(programs(users, group)))
    for users, colluders, group in cases:
        program = programs(users, group)
        proof = exact_proof(converse_bound(program, f"leak {colluders}", met(users, group)))
        each = proof.bound / (users * comb(users - 1, colluders))
        rows.append(InfeasibleRow(users, colluders, group, each, len(proof.inequalities)))
    return rows


def group_key_bills(
    groups: Iterable[int], colluders: Iterable[int], most_users: int
) -> list[dict[str, object]]:
    """Return key symbols per symbol of the sum: of groups by the theorem's formula, and a dealer's.

    ``total`` counts all keys together, ``held`` those of one user.
    """
    rows: list[dict[str, object]] = []
    for t in colluders:
        for users in range(t + 3, most_users + 1):
            dealt = optimal_region(users, t)
            bills = {"one dealer": (dealt.total_key, dealt.key)}
            for g in groups:
                if g < users - t:
                    each = groupwise_key_rate(users, t, g)
                    bills[f"groups of {g}"] = (
                        comb(users, g) * each,
                        comb(users - 1, g - 1) * each,
                    )
            rows += [
                {"K": users, "T": t, "keys": who, "total": float(total), "held": float(held)}
                for who, (total, held) in bills.items()
            ]
    return rows


@dataclass(frozen=True)
class DropoutRow:
    """A scheme with a second round, over every pattern of dropouts, and two that give it less.

    Attributes
    ----------
    users, survivors, colluders
        K, U and T.
    patterns
        Patterns of dropouts that were tried.
    correct
        Whether every survivor of each obtains the sum of those who took part.
    leak
        The largest leak to any coalition.
    second_rate
        Independent symbols that a survivor sends in the second round, per input symbol.
    theorem
        The least rate that the theorem states.
    leak_with_less
        The largest leak with one random block less in every share.
    decoded_by_fewer
        Users that obtain the sum where one survivor too few takes part in the second round, over
        all such patterns.
    """

    users: int
    survivors: int
    colluders: int
    patterns: int
    correct: bool
    leak: int
    second_rate: Fraction
    theorem: Fraction
    leak_with_less: int
    decoded_by_fewer: int


def dropout_schemes(cases: Iterable[tuple[int, int, int]]) -> list[DropoutRow]:
    """Check the scheme for each (K, U, T), with less randomness, and with a survivor too few.

    Raises
    ------
    InfeasibleError
        When U <= T+1.
    ValueError
        When U > K.
    """
    rows = []
    for users, survivors, colluders in cases:
        scheme = DropoutScheme(users, survivors, colluders)
        found = check_dropouts(scheme)
        less = check_dropouts(DropoutScheme(users, survivors, colluders, privacy=colluders))
        rows.append(
            DropoutRow(
                users=users,
                survivors=survivors,
                colluders=colluders,
                patterns=found.patterns,
                correct=found.decodable,
                leak=found.leak,
                second_rate=found.second_rate,
                theorem=second_round_rate(survivors, colluders),
                leak_with_less=less.leak,
                decoded_by_fewer=_decoded_by_fewer(scheme),
            )
        )
    return rows


def _decoded_by_fewer(scheme: DropoutScheme) -> int:
    """Count the users that obtain the sum when U-1 of the first round's finish the second."""
    decoded = 0
    for first in combinations(range(scheme.users), scheme.survivors):
        for second in combinations(first, scheme.survivors - 1):
            protocol = scheme.protocol(first, second, late_messages=False)
            decoded += int(correct(protocol)[list(second)].sum())
    return decoded


@dataclass(frozen=True)
class GraphRow:
    """Neighbourhood sums on a graph: the best scalar schemes found, and what is proved.

    Attributes
    ----------
    graph, degree
        Its name, and the size of a neighbourhood, or ``None`` where it varies.
    found
        Key symbols in all of the best scheme found over each field; ``None`` where there is none.
    by_hand
        The least total key that the proof by hand gives, for graphs of any size.
    bound
        The least total key that Shannon's inequalities allow; ``None`` where the graph is too
        large for the program.
    """

    graph: str
    degree: int | None
    found: Mapping[int, int | None]
    by_hand: int
    bound: float | None

    @property
    def best(self) -> int | None:
        """The fewest symbols over all fields."""
        return min((n for n in self.found.values() if n is not None), default=None)


def totals_on_graphs(
    names: Iterable[str], fields: Iterable[int], bounded: Iterable[str], seed: int = 0
) -> list[GraphRow]:
    """Search schemes on each graph, from what counting alone demands, and bound it where asked.

    Prisms are searched over F_5 instead: over F_2 and F_3 none of their diagonals gives a scheme.

    Raises
    ------
    ArithmeticError
        When a scheme that was found does not pass a second look, which would be a bug.
    """
    known = set(bounded)
    rows = []
    for name in names:
        graph = named_graph(name)
        problem = neighbourhood_sums(graph)
        tried = (5,) if name.startswith("prism") else tuple(fields)
        found: dict[int, int | None] = {}
        for q in tried:
            scheme = best_scheme(problem, q, seed=seed)
            if scheme is not None:
                protocol = problem_protocol(problem, scheme, q)
                if not correct(protocol).all() or problem_leakage(problem, protocol).symbols.any():
                    raise ArithmeticError(f"the scheme found on {name} over F_{q} is none")
            found[q] = None if scheme is None else scheme.shape[1]
        degrees = set(graph.sum(axis=1).tolist())
        bound = None
        if name in known:
            program = converse_program(aggregation_model(problem))
            bound = round(converse_value(program, "total key"), 5)
        degree = degrees.pop() if len(degrees) == 1 else None
        rows.append(GraphRow(name, degree, found, least_graph_key(graph), bound))
    return rows


@dataclass(frozen=True)
class SuspectRow:
    """The least total key when only some observers and pools count."""

    against: str
    bound: Fraction
    scheme: int | None
    correct: bool


SUSPECTS: Mapping[str, tuple[Coalition, ...]] = {
    "user 1 alone": ((0, ()),),
    "users 1 and 2 together": ((0, (1,)), (1, (0,))),
}
"""Collusion structures of four users, by name."""


def partial_secrecy(q: int = 3, seed: int = 0) -> list[SuspectRow]:
    """Return proved bound and best scheme for each of `SUSPECTS` on the complete graph of four."""
    whole = everyone_wants_everything(4, [0])
    rows = []
    for name, suspects in SUSPECTS.items():
        problem = AggregationProblem(whole.hears, whole.wants, suspects)
        gap = key_gap(problem, q, seed)
        right = gap.scheme is not None and bool(
            correct(problem_protocol(problem, gap.scheme, q)).all()
        )
        rows.append(SuspectRow(name, gap.bound, gap.achieved, right))
    return rows


@dataclass(frozen=True)
class BlockCode:
    """A problem whose least total key is a fraction, and the block code that attains it.

    Attributes
    ----------
    bound
        The least total key, by an exact proof.
    scalar
        Key symbols of the best scheme of single symbols.
    symbols
        L: input symbols that the block code treats together.
    correct, leak
        Whether every user obtains the sum, and the largest leak.
    total_key
        The block code's key symbols in all, per input symbol.
    """

    bound: Fraction
    scalar: int | None
    symbols: int
    correct: bool
    leak: int
    total_key: Fraction


def block_code(users: int = 4, q: int = 3) -> BlockCode:
    """Bound and attain the total key when only user 1's input is to be hidden, from each alone.

    Raises
    ------
    ValueError
        When K < 3, or q is not prime.
    """
    problem = one_protected_input(users)
    symbols = users - 2
    protocol = problem_protocol(problem, block_coded_keys(users, q), q, symbols)
    scalar = best_scheme(problem, q)
    return BlockCode(
        bound=prove_converse(problem, "total key").bound,
        scalar=None if scalar is None else scalar.shape[1],
        symbols=symbols,
        correct=bool(correct(protocol).all()),
        leak=problem_leakage(problem, protocol).worst.symbols,
        total_key=protocol.rates().total_key,
    )
