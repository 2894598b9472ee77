"""Parameters and functions of a deck: ``.param``, ``.func``, and cards with their values put in.

As in ngspice a name is looked for where the card stands, then in the subcircuits around it as they
are *called*, then in the deck. Values are computed when they are asked for, so that parameters may
be defined in any order.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from quire.circuits.errors import NetlistError
from quire.circuits.netlist.expressions import (
    Call,
    Expression,
    Name,
    Number,
    Probe,
    parse_expression,
    replaced,
)
from quire.circuits.netlist.functions import PARAMETERS, Value, evaluate
from quire.circuits.netlist.lines import TOKEN, Card
from quire.circuits.netlist.numbers import is_number

_QUOTED = re.compile(r"\{([^{}]*)\}|'([^']*)'|\"([^\"]*)\"")
_ASSIGNED = re.compile(r"\s*([a-z_]\w*)\s*(\(([^()]*)\))?\s*=(?!=)\s*")
_KEYWORDS = {"dc", "ac", "pulse", "sin", "sine", "exp", "pwl", "off", "uic"}
_DEEPEST = 100


class Environment:
    """The parameters and functions that cards of one scope see."""

    def __init__(self, outer: "Environment | None" = None) -> None:
        self.outer = outer
        self.texts: dict[str, tuple[Card, str]] = {}
        self.functions: dict[str, tuple[tuple[str, ...], Expression]] = {}
        self._values: dict[str, float] = {}
        self._open: set[str] = set()

    def define(self, card: Card, name: str, text: str) -> None:
        """Define a parameter by an expression; a later definition takes its place."""
        self.texts[name] = (card, text)
        self._values.pop(name, None)

    def fix(self, name: str, value: float) -> None:
        """Define a parameter by its value."""
        self.texts.pop(name, None)
        self._values[name] = value

    def holds(self, name: str) -> bool:
        """Return whether a parameter of that name can be seen."""
        if name in self.texts or name in self._values:
            return True
        return self.outer.holds(name) if self.outer else False

    def value(self, name: str) -> float:
        """Return a parameter's value.

        Raises
        ------
        ValueError
            When there is none, or it is defined by itself.
        NetlistError
            When its own card cannot be computed.
        """
        if name in self._values:
            return self._values[name]
        if name not in self.texts:
            if self.outer is None:
                raise ValueError(f"parameter {name} is not defined")
            return self.outer.value(name)
        card, text = self.texts[name]
        if name in self._open:
            raise ValueError(f"parameter {name} is defined by itself")
        self._open.add(name)
        try:
            self._values[name] = self.number(card, text)
        finally:
            self._open.discard(name)
        return self._values[name]

    def function(self, name: str) -> tuple[tuple[str, ...], Expression] | None:
        """Return arguments and body of a function of the deck, or None."""
        if name in self.functions:
            return self.functions[name]
        return self.outer.function(name) if self.outer else None

    def number(self, card: Card, text: str) -> float:
        """Return the value of an expression.

        Raises
        ------
        NetlistError
            When it cannot be computed, or is infinite or undefined.
        """
        try:
            tree = self.expanded(parse_expression(text))
            with np.errstate(all="ignore"):
                found = evaluate(tree, self._name, _no_probe, PARAMETERS).value
            value = math.nan if isinstance(found, complex) else float(found)
        except NetlistError:
            raise
        except (ValueError, ArithmeticError) as fault:
            raise card.fault(f"{text.strip()}: {fault}") from fault
        if not math.isfinite(value):
            raise card.fault(f"{text.strip()} is {value}: must be finite")
        return value

    def expanded(self, tree: Expression, depth: int = 0) -> Expression:
        """Return a tree with the deck's own functions put in.

        Raises
        ------
        ValueError
            For a wrong number of arguments, or a function that calls itself.
        """
        if depth > _DEEPEST:
            raise ValueError("functions call each other without end")

        def leaf(part: Name | Probe | Call) -> Expression:
            known = self.function(part.name) if isinstance(part, Call) else None
            if known is None or not isinstance(part, Call):
                return part
            names, body = known
            if len(names) != len(part.arguments):
                raise ValueError(f"{part.name}() takes {len(names)} arguments")
            given = dict(zip(names, part.arguments, strict=True))
            inner = replaced(body, lambda x: given.get(x.name, x) if isinstance(x, Name) else x)
            return self.expanded(inner, depth + 1)

        return replaced(tree, leaf)

    def bound(self, tree: Expression, free: set[str]) -> Expression:
        """Return a tree with functions put in and every name but ``free`` ones as its value.

        Raises
        ------
        ValueError
            As in `value` and `expanded`.
        """

        def leaf(part: Name | Probe | Call) -> Expression:
            if isinstance(part, Name) and (part.name not in free or self.holds(part.name)):
                return Number(self.value(part.name))
            return part

        return replaced(self.expanded(tree), leaf)

    def _name(self, name: str) -> Value:
        return Value(np.float64(self.value(name)))


def _no_probe(probe: Probe) -> Value:
    raise ValueError(f"{probe.kind}() has no value here")


def assignments(card: Card, text: str) -> list[tuple[str, tuple[str, ...] | None, str]]:
    """Return name, arguments (None for a parameter) and expression of each ``name = text``.

    Raises
    ------
    NetlistError
        For text that is none.
    """
    found: list[tuple[str, tuple[str, ...] | None, str]] = []
    starts = [m for m in _ASSIGNED.finditer(text) if _depth(text, m.start()) == 0]
    if not starts or text[: starts[0].start()].strip(" ,"):
        raise card.fault("name = value is needed")
    for match, after in zip(starts, [*starts[1:], None], strict=True):
        body = text[match.end() : after.start() if after else len(text)].strip().rstrip(",").strip()
        if not body:
            raise card.fault(f"{match[1]} has no value")
        if body[0] not in "{'\"" and len(body.split()) > 1 and len(starts) > 1:
            # ngspice takes the first word and leaves the rest, where another pair follows
            raise card.fault(f"{body}: an expression with blanks needs braces")
        names = None
        if match[2]:
            names = tuple(part.strip() for part in match[3].split(",") if part.strip())
        found.append((match[1], names, unquoted(body)))
    return found


def read_parameters(card: Card, into: Environment) -> None:
    """Take in a ``.param`` or ``.func`` card.

    Raises
    ------
    NetlistError
        When it is torn.
    """
    rest = card.text.partition(" ")[2].strip()
    if card.text.startswith(".func"):
        match = re.fullmatch(r"([a-z_]\w*)\s*\(([^()]*)\)\s*=?\s*(.+)", rest)
        if match is None:
            raise card.fault("name(arguments) {expression} is needed")
        given = [(match[1], tuple(p.strip() for p in match[2].split(",") if p.strip()), match[3])]
    else:
        given = [(n, a, t) for n, a, t in assignments(card, rest) if a is not None]
        for name, names, text in assignments(card, rest):
            if names is None:
                into.define(card, name, text)
    for name, names, text in given:
        try:
            into.functions[name] = (names, parse_expression(unquoted(text)))
        except ValueError as fault:
            raise card.fault(str(fault)) from fault


def unquoted(text: str) -> str:
    """Return an expression without the braces or quotes around the whole of it."""
    text = text.strip()
    match = _QUOTED.fullmatch(text)
    return (match[1] or match[2] or match[3] or "") if match else text.replace("'", "")


def substituted(card: Card, env: Environment, models: Any = ()) -> Card:
    """Return a card with its expressions, and parameters named bare, replaced by numbers.

    Parameters
    ----------
    card
        As the deck has it.
    env
        The parameters it sees.
    models
        Answers ``in`` for names of models, which are no parameters.

    Raises
    ------
    NetlistError
        For an expression that cannot be computed, or a brace or quote that is not closed.
    """

    def quoted(match: re.Match[str]) -> str:
        text = next(part for part in match.groups() if part is not None)
        return f" {env.number(card, text)!r} "

    text = _QUOTED.sub(quoted, card.text)
    torn = next((mark for mark in "{}'\"" if mark in text), None)
    if torn is not None:
        raise card.fault(f"{torn} has no partner")
    first = _first_value(text)
    tokens = list(TOKEN.finditer(text))
    words = [m for m in tokens if m[0] not in "()"]
    pieces, end = [], 0
    for k, match in enumerate(words):
        word = match[0]
        after_equals = k > 0 and words[k - 1][0] == "="
        named = k + 1 < len(words) and words[k + 1][0] == "="
        if (
            (after_equals or k >= first)
            and not named and word not in _KEYWORDS and not is_number(word)
            and word not in models and env.holds(word)
        ):  # fmt: skip
            pieces += [text[end : match.start()], repr(env.value(word))]
            end = match.end()
    return Card(card.line, "".join([*pieces, text[end:]]), card.text)


def _first_value(text: str) -> int:
    """Return the place of the first word that may be a value: after the nodes."""
    places = {"r": 3, "c": 3, "l": 3, "v": 3, "i": 3, "k": 3, "d": 4, "f": 4, "h": 4}
    if text[0] in "eg":
        return 5
    return places.get(text[0], 1_000)


def _depth(text: str, end: int) -> int:
    """Return how many braces, parentheses or quotes are open at a place."""
    depth, quote = 0, False
    for mark in text[:end]:
        if mark == "'":
            quote = not quote
        depth += (mark in "({") - (mark in ")}")
    return depth + quote


def evaluated(card: Card, env: Environment, given: Mapping[str, str]) -> dict[str, float]:
    """Return the values of ``name = expression`` pairs in an environment."""
    return {name: env.number(card, text) for name, text in given.items()}
