"""Sources steered by the rest of the circuit: E, G, F, H with a gain or a polynomial, and B."""

from functools import reduce
from itertools import combinations_with_replacement

from quire.circuits.errors import NetlistError, UnsupportedElement
from quire.circuits.netlist import elements as e
from quire.circuits.netlist.cards import Place, number
from quire.circuits.netlist.expressions import (
    Call,
    Expression,
    Name,
    Number,
    Probe,
    parse_expression,
    replaced,
)
from quire.circuits.netlist.functions import SOURCES, check_call
from quire.circuits.netlist.lines import Card
from quire.circuits.netlist.numbers import is_number
from quire.circuits.netlist.parameters import assignments, substituted

_CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
_MOST = 16  # variables of a polynomial
Controlled = e.VoltageControlled | e.CurrentControlled | e.Behavioural


def read_controlled(card: Card, place: Place) -> Controlled:
    """Return an E, G, F, H or B source.

    Raises
    ------
    UnsupportedElement
        For a form outside the subset.
    NetlistError
        For a card that is torn.
    """
    letter = card.text[0]
    voltage = letter in "eh"
    given = _expressions(card)
    if given is not None:
        return _behavioural(card, place, given)
    card = substituted(card, place.env, place.models)
    words = card.tokens
    if len(words) < 5:
        raise card.fault("two nodes, what steers, and a gain are needed")
    name, nodes = place.name(card), place.pair(card)
    if words[3] == "poly":
        tree = _polynomial(card, place, words[4:], currents=letter in "fh")
        return e.Behavioural(name, nodes, tree, voltage)
    width = 1 if letter in "fh" else 2
    rest = words[3 + width :]
    factor = 1.0
    if letter in "fg" and rest[1:3] == ("m", "="):
        factor, rest = number(card, "".join(rest[3:4]), "m"), rest[:1] + rest[4:]
    if len(rest) != 1 or not is_number(rest[0]):
        why = "only a gain, POLY, or an expression (vol=, cur=, value=) is read after the nodes"
        raise UnsupportedElement(card.line, card.shown, why)
    gain = factor * number(card, rest[0], "gain")
    if width == 1:
        return e.CurrentControlled(name, nodes, place.path + words[3], gain, voltage)
    return e.VoltageControlled(name, nodes, place.pair(card, 3), gain, voltage)


def _expressions(card: Card) -> dict[str, str] | None:
    """Return the ``name = expression`` pairs after the nodes of a card, None where it has none.

    Raises
    ------
    UnsupportedElement
        For a table, a transfer function or a response.
    """
    parts = card.text.split(None, 3)
    if len(parts) < 4 or "=" not in parts[3]:
        if card.text[0] == "b":
            raise card.fault("v = expression or i = expression is needed")
        return None
    rest = parts[3]
    if card.text[0] != "b" and rest.split("=")[0].strip() not in ("vol", "cur", "value"):
        first = rest.split()[0].partition("=")[0].strip("({")
        if first in ("table", "laplace", "freq"):
            raise UnsupportedElement(card.line, card.shown, f"{first} is outside the subset")
        return None
    return {name: text for name, arguments, text in assignments(card, rest) if arguments is None}


def _behavioural(card: Card, place: Place, given: dict[str, str]) -> e.Behavioural:
    kinds = {
        "b": {"v": True, "i": False}, "e": {"vol": True, "value": True},
        "g": {"cur": False, "value": False}, "f": {}, "h": {},
    }[card.text[0]]  # fmt: skip
    found = [name for name in given if name in kinds]
    others = [name for name in given if name not in kinds and name != "m"]
    if others or len(found) != 1:
        why = f"one of {', '.join(kinds) or 'nothing'} = expression is read" + (
            f", not {', '.join(others)}" if others else ""
        )
        raise UnsupportedElement(card.line, card.shown, why)
    tree = expression_of(card, place, given[found[0]])
    if "m" in given:
        if kinds[found[0]]:
            raise UnsupportedElement(card.line, card.shown, "m of a voltage is outside the subset")
        tree = Call("*", (Number(place.env.number(card, given["m"])), tree))
    return e.Behavioural(place.name(card), place.pair(card), tree, kinds[found[0]])


def expression_of(card: Card, place: Place, text: str) -> Expression:
    """Return an expression with parameters put in and probes bound to the flat circuit.

    Raises
    ------
    NetlistError
        For one that makes no sense, or holds what cannot be computed here.
    """

    def leaf(part: Name | Probe | Call) -> Expression:
        if isinstance(part, Name) and part.name != "time":
            if part.name == "temper":
                return Number(place.options.temp)
            return Number(_CONSTANTS[part.name])
        if isinstance(part, Probe):
            if part.kind == "v":
                return Probe("v", tuple(place.node(name) for name in part.names))
            return Probe("i", (place.path + part.names[0],))
        if isinstance(part, Call):
            check_call(part, SOURCES)
        return part

    free = {"time", "temper", *_CONSTANTS}
    try:
        tree = parse_expression(text, probes=True)
        return replaced(place.env.bound(tree, free), leaf)
    except NetlistError:
        raise
    except ValueError as fault:
        raise card.fault(str(fault)) from fault


def _polynomial(card: Card, place: Place, words: tuple[str, ...], *, currents: bool) -> Expression:
    """Return SPICE's polynomial: all products of degree 0, 1, 2, ... in the order of the pairs."""
    count = int(number(card, words[0], "poly")) if words else 0
    if not 1 <= count <= _MOST:
        raise card.fault(f"poly({count}): must have 1 to {_MOST} variables")
    width = count if currents else 2 * count
    steering, coefficients = words[1 : 1 + width], words[1 + width :]
    if len(steering) < width or not coefficients:
        raise card.fault(f"poly({count}) needs {width} names and at least one coefficient")
    if currents:
        variables = [Probe("i", (place.path + name,)) for name in steering]
    else:
        nodes = [place.node(name) for name in steering]
        variables = [Probe("v", pair) for pair in zip(nodes[::2], nodes[1::2], strict=True)]
    numbers = [number(card, word, "coefficient") for word in coefficients]
    terms: list[Expression] = []
    degree = 0
    while numbers:
        for chosen in combinations_with_replacement(variables, degree):
            if not numbers:
                break
            factors: list[Expression] = [Number(numbers.pop(0)), *chosen]
            terms.append(reduce(lambda a, b: Call("*", (a, b)), factors))
        degree += 1
    return reduce(lambda a, b: Call("+", (a, b)), terms)
