"""Check a saved secure-sum certificate: standard library only, none of the code that made it."""

import json
import sys
from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from typing import Any


def demand(holds: bool, what: str) -> None:
    """End with the reason when something does not hold."""
    if not holds:
        sys.exit(f"does not hold: {what}")


def rank(rows: list[list[int]], p: int) -> int:
    """Rank over F_p by elimination."""
    basis: dict[int, list[int]] = {}
    for row in ([v % p for v in row] for row in rows):
        for pivot in sorted(basis):
            row = [(a - row[pivot] * b) % p for a, b in zip(row, basis[pivot], strict=True)]
        first = next((i for i, v in enumerate(row) if v), None)
        if first is not None:
            inverse = pow(row[first], -1, p)
            basis[first] = [v * inverse % p for v in row]
    return len(basis)


def leak(keys: list[list[int]], inside: tuple[int, ...], p: int) -> int:
    """Symbols that the users ``inside`` learn beyond the sum: mask-free messages but the sum."""
    known, unseen = [keys[k] for k in inside], [z for k, z in enumerate(keys) if k not in inside]
    return len(unseen) - (rank(known + unseen, p) - rank(known, p)) - 1


def orbit(s: int, K: int) -> tuple[tuple[int, ...], int]:
    """Close a set of variables under what they determine, then sort the users."""
    W, X = sum(1 << 3 * k for k in range(K)), sum(4 << 3 * k for k in range(K))
    rules = [(3 << 3 * k, 4 << 3 * k) for k in range(K)] + [(W, 1 << 3 * K)]
    rules += [((W | 1 << 3 * K) & ~(1 << 3 * k), 1 << 3 * k) for k in range(K)]
    rules += [(X & ~(4 << 3 * k) | 3 << 3 * k, 1 << 3 * K) for k in range(K)]
    for _ in range(3 * K):
        for needs, gives in rules:
            s |= gives if s & needs == needs else 0
    return tuple(sorted(s >> 3 * k & 7 for k in range(K))), s >> 3 * K


def granted(name: list[Any], K: int, T: int) -> tuple[list[tuple[int, int]], int]:
    """Terms and value of an equality of the problem's definition."""
    W, S = sum(1 << 3 * k for k in range(K)), 1 << 3 * K
    if name[0] == "secure" and len({name[1], *name[2]}) == len(name[2]) + 1 <= T + 1:
        C, X = S | sum(3 << 3 * k for k in [name[1], *name[2]]), W << 2 & ~(4 << 3 * name[1])
        return [(C | X, 1), (C | W, 1), (C | X | W, -1), (C, -1)], 0
    return {"inputs": ([(W, 1)], K), "input": ([(1, 1)], 1), "sum": ([(S, 1)], 1),
            "independent keys": ([(W * 3, 1), (W << 1, -1)], K)}[name[0]]  # fmt: skip


def check_bound(proof: dict[str, Any], K: int, T: int) -> Fraction:
    """Add the proof up: objective - bound must be the sum of its steps, term by term."""
    W, full = sum(1 << 3 * k for k in range(K)), (1 << 3 * K + 1) - 1
    goal = {"message": 4, "key": 2, "total key": W << 1}[proof["objective"]]
    rest, bound = defaultdict(Fraction, {orbit(goal, K): Fraction(1)}), Fraction(0)
    for a, i, j, weight in proof["inequalities"]:
        demand(0 <= a <= full and min(i, j) >= 0 and max(i, j) <= 3 * K, "a step is of other sets")
        demand(Fraction(weight) >= 0 and not (a >> i | a >> j) & 1, "a step is no inequality")
        demand(i != j or a | 1 << i == full, "a step is not elemental")
        steps = [(a | 1 << i, 1), (a | 1 << j, 1), (a | 1 << i | 1 << j, -1), (a, -1)]
        for s, c in steps if i != j else [(full, 1), (a, -1)]:
            rest[orbit(s, K)] -= Fraction(weight) * c
    for name, weight in proof["equalities"]:
        terms, value = granted(name, K, T)
        bound += Fraction(weight) * value
        for s, c in terms:
            rest[orbit(s, K)] -= Fraction(weight) * c
    rest.pop(orbit(0, K), None)
    demand(not any(rest.values()) and bound == Fraction(proof["bound"]), "a proof does not add up")
    return bound


def main(path: str) -> str:
    """Check one file; whatever does not hold ends the program."""
    with open(path) as file:  # noqa: PTH123
        c = json.load(file)
    K, T, keys, wire = c["users"], c["colluders"], c["keys"], c["wire"]
    demand(len(keys) == K and 0 <= T <= K - 3 and bool(c["fields"]), "nothing is certified")
    demand(not any(map(sum, zip(*keys, strict=True))), "the keys do not add up to zero")
    groups = [g for t in range(T + 1) for g in combinations(range(K), t + 1)]
    worst = max(leak(keys, g, p) for p in c["fields"] for g in groups)
    demand(worst == c["leak"] == 0, f"a coalition learns {worst} symbols")
    least = {proof["objective"]: check_bound(proof, K, T) for proof in c["bounds"]}
    rates = {"message": 1, "key": 1, "total key": len(keys[0])}
    demand(least == rates, "the rates are not the least possible")
    if wire:
        sent = 4 * wire["length"] * wire["rounds"] * (K - 1)
        demand(wire["payload_bytes"] == [sent] * K, "the payload sent is not the least possible")
    return f"holds: K={K} T={T} leak 0 over {len(groups)} coalitions, rates 1, 1, {K - 1} optimal"


if __name__ == "__main__":
    print(main(sys.argv[1]))
