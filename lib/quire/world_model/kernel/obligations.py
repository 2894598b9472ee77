"""May a rule be changed? Only if nothing that the frozen core denies becomes allowed.

A rule set denies the union of boxes over whole-number attributes. That a new rule set is as strict
as the core is decided exactly, by cutting boxes, with a counterexample where it is not; the same
obligation as SMT-LIB text is for a solver that knows nothing of boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire.world_model.errors import WorldModelError

Interval = tuple[int, int]


@dataclass(frozen=True)
class Rules:
    """A rule set: requests in any of its boxes are denied.

    Attributes
    ----------
    domain
        The closed range of each attribute.
    denied
        Boxes; an attribute that a box does not name is free.
    """

    domain: tuple[tuple[str, Interval], ...]
    denied: tuple[tuple[tuple[str, Interval], ...], ...]


def rules(domain: Mapping[str, Interval], denied: Sequence[Mapping[str, Interval]]) -> Rules:
    """Return a rule set, its ranges checked.

    Raises
    ------
    WorldModelError
        For a range that is no pair of whole numbers in order, or an unknown attribute.
    """
    if not domain:
        raise WorldModelError("domain: must have attributes")
    for name, span in [*domain.items(), *(item for box in denied for item in box.items())]:
        whole = len(span) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in span)
        if name not in domain or not whole or span[0] > span[1]:
            raise WorldModelError(
                f"{name} = {span!r}: must be a range of whole numbers of an attribute"
            )
    return Rules(tuple(domain.items()), tuple(tuple(box.items()) for box in denied))


def weakening(core: Rules, new: Rules) -> dict[str, int] | None:
    """Return a request that the core denies and the new rules allow, None where there is none.

    Raises
    ------
    WorldModelError
        When the two have different attributes.
    """
    if core.domain != new.domain:
        raise WorldModelError("new: must have the core's attributes and ranges")
    names = [name for name, _ in core.domain]
    cuts = [_full(new, box) for box in new.denied]
    for box in core.denied:
        left = [_full(core, box)]
        for cut in cuts:
            left = [piece for part in left for piece in _without(part, cut)]
            if not left:
                break
        if left:
            return {name: span[0] for name, span in zip(names, left[0], strict=True)}
    return None


def smt_lib(core: Rules, new: Rules) -> str:
    """Return the obligation as SMT-LIB: satisfiable exactly where the new rules are weaker."""
    lines = ["(set-logic QF_LIA)"]
    for name, (low, high) in core.domain:
        lines += [
            f"(declare-const {name} Int)",
            f"(assert (and (<= {_smt(low)} {name}) (<= {name} {_smt(high)})))",
        ]
    lines += [f"(assert {_smt_union(core)})", f"(assert (not {_smt_union(new)}))"]
    return "\n".join(lines) + "\n"


def _full(owner: Rules, box: tuple[tuple[str, Interval], ...]) -> tuple[Interval, ...]:
    named = dict(box)
    return tuple(
        (max(low, named.get(n, (low, high))[0]), min(high, named.get(n, (low, high))[1]))
        for n, (low, high) in owner.domain
    )


def _without(part: tuple[Interval, ...], cut: tuple[Interval, ...]) -> list[tuple[Interval, ...]]:
    """Return the pieces of a box outside another."""
    if any(a[0] > a[1] for a in part):
        return []
    if any(a[1] < b[0] or b[1] < a[0] for a, b in zip(part, cut, strict=True)):
        return [part]
    pieces, rest = [], list(part)
    for k, (a, b) in enumerate(zip(part, cut, strict=True)):
        if a[0] < b[0]:
            pieces.append((*rest[:k], (a[0], b[0] - 1), *rest[k + 1 :]))
        if a[1] > b[1]:
            pieces.append((*rest[:k], (b[1] + 1, a[1]), *rest[k + 1 :]))
        rest[k] = (max(a[0], b[0]), min(a[1], b[1]))
    return pieces


def _smt_union(owner: Rules) -> str:
    boxes = [
        "(and true "
        + " ".join(f"(<= {_smt(low)} {n}) (<= {n} {_smt(high)})" for n, (low, high) in box)
        + ")"
        for box in owner.denied
    ]
    return f"(or false {' '.join(boxes)})"


def _smt(number: int) -> str:
    return str(number) if number >= 0 else f"(- {-number})"
