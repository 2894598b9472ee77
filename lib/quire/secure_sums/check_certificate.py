"""Check a saved secure-sum certificate: standard library only, none of the code that made it.

``python check_certificate.py FILE`` prints one line and ends with 0 when everything holds, and with
1 and the reason when anything does not: a leak over F_2 or another field that the file names, a
proof that does not add up, a record of bytes that disagrees with itself or with the least possible
(whether the bytes were ever sent, no file can tell). A file of another form does not hold either.
"""

import json
import re
import sys
from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from typing import Any

FORMAT = "quire secure-sum certificate 2"
MOST_USERS = 6
LARGEST_PRIME = 2**31
FRACTION = re.compile(r"-?[0-9]{1,60}(/[0-9]{1,60})?")


def demand(holds: bool, what: str) -> None:
    """End with the reason when something does not hold."""
    if not holds:
        sys.exit(f"does not hold: {what}")


def integer(value: Any, least: int, most: int, what: str) -> int:
    """Return a whole number within its range; Booleans and floats are none."""
    demand(type(value) is int and least <= value <= most, f"{what} is {str(value)[:40]}")
    return int(value)


def listed(value: Any, what: str) -> list[Any]:
    """Return a list that is not empty."""
    demand(type(value) is list and bool(value), f"{what} is no list")
    return list(value)


def fraction(text: Any) -> Fraction:
    """Return a fraction written as a/b."""
    demand(type(text) is str and FRACTION.fullmatch(text) is not None, "a weight is no fraction")
    demand(not re.search("/0+$", text), "a weight is no fraction")
    return Fraction(text)


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
    held, unseen = [keys[k] for k in inside], [z for k, z in enumerate(keys) if k not in inside]
    return len(unseen) - (rank(held + unseen, p) - rank(held, p)) - 1


def orbit(s: int, K: int, kept: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Close a set of variables under what they determine, then sort the users after the kept."""
    W, X = sum(1 << 3 * k for k in range(K)), sum(4 << 3 * k for k in range(K))
    rules = [(3 << 3 * k, 4 << 3 * k) for k in range(K)] + [(W, 1 << 3 * K)]
    rules += [((W | 1 << 3 * K) & ~(1 << 3 * k), 1 << 3 * k) for k in range(K)]
    rules += [(X & ~(4 << 3 * k) | 3 << 3 * k, 1 << 3 * K) for k in range(K)]
    for _ in range(3 * K):
        for needs, gives in rules:
            s |= gives if s & needs == needs else 0
    codes = [s >> 3 * k & 7 for k in range(K)]
    return tuple(codes[:kept]), tuple(sorted(codes[kept:])), s >> 3 * K


def granted(name: list[Any], K: int, T: int) -> tuple[list[tuple[int, int]], int]:
    """Terms and value of an equality of the problem's definition."""
    W, S = sum(1 << 3 * k for k in range(K)), 1 << 3 * K
    kind, given = name[0], name[1:]
    if kind == "secure" and len(given) == 2 and type(given[1]) is list:
        group = [integer(k, 0, K - 1, "a user") for k in [given[0], *given[1]]]
        demand(len(set(group)) == len(group) <= T + 1, "an equality is of another collusion")
        C, X = S | sum(3 << 3 * k for k in group), W << 2 & ~(4 << 3 * group[0])
        return [(C | X, 1), (C | W, 1), (C | X | W, -1), (C, -1)], 0
    if kind == "input" and len(given) == 1:
        return [(1 << 3 * integer(given[0], 0, K - 1, "a user"), 1)], 1
    if kind == "sum" and len(given) == 1:
        return [(S, 1)], 1
    if kind == "inputs" and not given:
        return [(W, 1)], K
    demand(kind == "independent keys" and not given, "an equality is not of the problem")
    return [(W * 3, 1), (W << 1, -1)], K


def check_bound(proof: dict[str, Any], K: int, T: int) -> tuple[str, Fraction]:
    """Add the proof up: objective - bound must be the sum of its steps, term by term.

    Message and key are those of the first user, whom no relabelling moves: so the bound is one for
    each user, not for their average.
    """
    W, full = sum(1 << 3 * k for k in range(K)), (1 << 3 * K + 1) - 1
    goal, kept = {"message": (4, 1), "key": (2, 1), "total key": (W << 1, 0)}[proof["objective"]]
    rest, bound = defaultdict(Fraction, {orbit(goal, K, kept): Fraction(1)}), Fraction(0)
    for step in listed(proof["inequalities"], "the inequalities"):
        demand(type(step) is list and len(step) == 4, "a step is malformed")
        a = integer(step[0], 0, full, "a set")
        i, j = (integer(v, 0, 3 * K, "a variable") for v in step[1:3])
        weight = fraction(step[3])
        demand(weight >= 0 and not (a >> i | a >> j) & 1, "a step is no inequality")
        demand(i != j or a | 1 << i == full, "a step is not elemental")
        steps = [(a | 1 << i, 1), (a | 1 << j, 1), (a | 1 << i | 1 << j, -1), (a, -1)]
        for s, c in steps if i != j else [(full, 1), (a, -1)]:
            rest[orbit(s, K, kept)] -= weight * c
    for name, text in listed(proof["equalities"], "the equalities"):
        terms, value = granted(listed(name, "an equality"), K, T)
        weight = fraction(text)
        bound += weight * value
        for s, c in terms:
            rest[orbit(s, K, kept)] -= weight * c
    rest.pop(orbit(0, K, kept), None)
    demand(not any(rest.values()) and bound == fraction(proof["bound"]), "a proof does not add up")
    return proof["objective"], bound


def check_wire(wire: dict[str, Any], K: int) -> None:
    """Compare the recorded bytes, sent and received, with each other and the least possible."""
    length = integer(wire["length"], 1, 2**40, "the length")
    rounds = integer(wire["rounds"], 1, 2**32, "the number of rounds")
    sent = 4 * length * rounds * (K - 1)
    demand(wire["payload_bytes"] == [sent] * K, "the payload sent is not the least possible")
    demand(wire["heard_bytes"] == [sent] * K, "the payload received is not what was sent")
    framing = listed(wire["framing_bytes"], "the framing")
    demand(len(framing) == K, "the framing is not of all users")
    for count in framing:
        integer(count, 1, 2**50, "the framing of a user")


def check(c: dict[str, Any]) -> str:
    """Check a certificate's data; whatever does not hold ends the program."""
    demand(c["format"] == FORMAT, "the format is another")
    K = integer(c["users"], 3, MOST_USERS, "the number of users")
    T = integer(c["colluders"], 0, K - 3, "the number of colluders")
    keys = listed(c["keys"], "the key matrix")
    demand(len(keys) == K and {len(listed(z, "a key")) for z in keys} == {K - 1}, "other keys")
    for entry in (v for row in keys for v in row):
        integer(entry, -(2**31), 2**31, "an entry of the keys")
    fields = [integer(p, 2, LARGEST_PRIME, "a field") for p in listed(c["fields"], "the fields")]
    for p in fields:
        demand(all(p % d for d in range(2, int(p**0.5) + 1)), f"{p} is no prime")
    demand(2 in fields, "2 is not among the fields, so the low bits of machine words may leak")
    demand(not any(map(sum, zip(*keys, strict=True))), "the keys do not add up to zero")
    groups = [g for t in range(T + 1) for g in combinations(range(K), t + 1)]
    worst = max(leak(keys, g, p) for p in fields for g in groups)
    demand(worst == 0, f"a coalition learns {worst} symbols")
    integer(c["leak"], 0, 0, "the leak")
    least = [check_bound(proof, K, T) for proof in listed(c["bounds"], "the bounds")]
    rates = [("message", 1), ("key", 1), ("total key", len(keys[0]))]
    demand(least == rates, "the rates are not the least possible")
    check_wire(c["wire"], K)
    return f"holds: K={K} T={T} leak 0 over {len(groups)} coalitions, rates 1, 1, {K - 1} optimal"


def main(path: str) -> str:
    """Check one file."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return check(json.load(file))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        sys.exit(f"does not hold: the file is malformed or missing ({type(fault).__name__})")


if __name__ == "__main__":
    print(main(sys.argv[1]))
