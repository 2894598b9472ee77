"""Rules of a router: guards over signals that are true or false, and where they contradict.

Two rules conflict where one request can satisfy both guards, neither has priority, and they send it
to different models. Guards are conjunctions, so that a pair is settled by its literals.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from quire.checks import integer


@dataclass(frozen=True)
class Rule:
    """If all of ``needs`` are true and all of ``forbids`` false, use ``model``.

    Attributes
    ----------
    name
        Of the rule.
    needs, forbids
        Signals.
    model
        Where the request goes.
    priority
        The larger wins.
    """

    name: str
    needs: Any
    forbids: Any
    model: str
    priority: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", _signals("needs", self.needs))
        object.__setattr__(self, "forbids", _signals("forbids", self.forbids))
        integer("priority", self.priority, -(10**9))
        both = self.needs & self.forbids
        if both:
            raise ValueError(f"{self.name}: needs and forbids {sorted(both)[0]}")

    def fires(self, signals: Any) -> bool:
        """Whether the guard holds where exactly these signals are true."""
        true = _signals("signals", signals)
        return self.needs <= true and not self.forbids & true


@dataclass(frozen=True)
class Conflict:
    """Two rules that both fire and disagree, with signals that show it.

    Attributes
    ----------
    first, second
        Names.
    witness
        Signals that are true.
    """

    first: str
    second: str
    witness: frozenset[str]


def conflicts(rules: Sequence[Rule], exclusive: Sequence[Any] = ()) -> list[Conflict]:
    """Return every pair of rules of one priority and different models that can fire together.

    Parameters
    ----------
    rules
        Names must differ.
    exclusive
        Groups of signals of which at most one is ever true.

    Raises
    ------
    ValueError
        When two rules have one name.
    """
    if len({rule.name for rule in rules}) != len(rules):
        raise ValueError("rules: two have the same name")
    groups = [_signals("exclusive", each) for each in exclusive]
    found = []
    for a, b in combinations(rules, 2):
        if a.priority != b.priority or a.model == b.model:
            continue
        witness = _together(a, b, groups)
        if witness is not None:
            found.append(Conflict(a.name, b.name, witness))
    return found


def unreachable(rules: Sequence[Rule], exclusive: Sequence[Any] = ()) -> list[str]:
    """Return names of rules that never decide: a guard that cannot hold, or always outranked.

    A rule is outranked where one of a higher priority fires whenever it does.
    """
    groups = [_signals("exclusive", each) for each in exclusive]
    found = []
    for rule in rules:
        impossible = any(len(rule.needs & group) > 1 for group in groups)
        outranked = any(
            other.priority > rule.priority
            and other.needs <= rule.needs
            and all(
                s in rule.forbids or any(s in g and (rule.needs & g) - {s} for g in groups)
                for s in other.forbids
            )
            for other in rules
        )
        if impossible or outranked:
            found.append(rule.name)
    return found


def _together(a: Rule, b: Rule, groups: list[frozenset[str]]) -> frozenset[str] | None:
    true = a.needs | b.needs
    if true & (a.forbids | b.forbids) or any(len(true & group) > 1 for group in groups):
        return None
    return frozenset(true)


def _signals(name: str, value: Any) -> frozenset[str]:
    several = isinstance(value, Collection) and not isinstance(value, str)
    if not several or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} = {value!r}: must be a set of names of signals")
    return frozenset(value)
