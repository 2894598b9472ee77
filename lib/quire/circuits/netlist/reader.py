"""From a deck's text to a flat circuit: subcircuits are expanded, names become dotted paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quire.circuits.errors import NetlistError, UnsupportedElement
from quire.circuits.netlist import controls
from quire.circuits.netlist.cards import Place, read_element
from quire.circuits.netlist.elements import (
    Analysis,
    Circuit,
    Coupling,
    DcSweep,
    Element,
    Inductor,
    Model,
    Options,
)
from quire.circuits.netlist.lines import Card, split_cards
from quire.circuits.netlist.models import read_model

GROUND = ("0", "gnd")
_DEEPEST = 64
_MOST = 1_000_000


@dataclass
class _Scope:
    """What stands between ``.subckt`` and ``.ends``, or in the deck itself."""

    card: Card
    name: str = ""
    pins: tuple[str, ...] = ()
    outer: "_Scope | None" = None
    cards: list[Card] = field(default_factory=list)
    models: dict[str, Card] = field(default_factory=dict)
    inner: dict[str, "_Scope"] = field(default_factory=dict)

    def model(self, name: str) -> Card | None:
        """Return the model card that the name means here, looked for outwards."""
        if name in self.models:
            return self.models[name]
        return self.outer.model(name) if self.outer else None

    def subcircuit(self, name: str) -> "_Scope | None":
        """Return the subcircuit that the name means here, looked for outwards."""
        if name in self.inner:
            return self.inner[name]
        return self.outer.subcircuit(name) if self.outer else None


def read_deck(text: str) -> Circuit:
    """Return the circuit that a SPICE deck describes.

    The subset: R C L K V I E G D Q M X; DC, AC, PULSE, SIN, EXP, PWL; ``.model`` (D, NPN, PNP, NMOS
    and PMOS of level 1, R), ``.subckt`` with local models and definitions, ``.op .dc .ac .tran .ic
    .options``; cards that say what to print are read over. Whatever else a deck holds is refused.

    Parameters
    ----------
    text
        The deck. Its first line is the title.

    Raises
    ------
    NetlistError
        For a card that cannot be read, with its line.
    UnsupportedElement
        For a card of SPICE outside the subset, with its line.
    TypeError
        When the deck is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"text = {type(text).__name__}: must be a deck's text")
    title, cards = split_cards(text)
    options, scope, analyses, initial = _sorted(cards)
    models: dict[Card, Model] = {}
    elements: list[Element] = []
    seen: dict[str, Card] = {}
    for card, element in _expand(scope, "", {}, options, models, 0):
        if element.name in seen:
            raise card.fault(f"the name {element.name} is taken by line {seen[element.name].line}")
        if len(elements) >= _MOST:
            raise card.fault(f"at most {_MOST:,} elements are allowed")
        seen[element.name] = card
        elements.append(element)
    circuit = Circuit(
        title, tuple(elements), tuple(a for _, a in analyses), options,
        {_canonical(n): v for _, given in initial for n, v in given.items()},
    )  # fmt: skip
    _check_references(circuit, seen, analyses, initial)
    return circuit


def _sorted(
    cards: Sequence[Card],
) -> tuple[Options, _Scope, list[tuple[Card, Analysis]], list[tuple[Card, Mapping[str, float]]]]:
    """Sort the cards into scopes, options, analyses and initial conditions.

    Raises
    ------
    UnsupportedElement
        For an initial condition in a subcircuit.
    """
    root = scope = _Scope(Card(1, ""))
    options = Options()
    analyses: list[tuple[Card, Analysis]] = []
    initial: list[tuple[Card, Mapping[str, float]]] = []
    for card in cards:
        word = card.tokens[0] if card.tokens else ""
        if not word:
            raise card.fault("nothing can be read here")
        if word == ".subckt":
            scope = _open(card, scope)
        elif word == ".ends":
            if scope is root:
                raise card.fault("no .subckt is open")
            if len(card.tokens) > 1 and card.tokens[1] != scope.name:
                raise card.fault(f"closes {card.tokens[1]}, but {scope.name} is open")
            scope = scope.outer or root
        elif word == ".model":
            if len(card.tokens) > 1 and card.tokens[1] in scope.models:
                line = scope.models[card.tokens[1]].line
                raise card.fault(f"model {card.tokens[1]} is defined in line {line} as well")
            scope.models[card.tokens[1] if len(card.tokens) > 1 else ""] = card
            read_model(card)
        elif word in (".options", ".option", ".opt"):
            options = controls.read_options(card, options)
        elif word in controls.OUTPUT:
            continue
        elif word == ".ic":
            if scope is not root:
                why = ".ic in a subcircuit is outside the subset: write it outside, v(x1.node)"
                raise UnsupportedElement(card.line, card.text, why)
            initial.append((card, controls.read_initial(card)))
        elif word.startswith("."):
            if scope is not root:
                raise card.fault("an analysis cannot stand in a subcircuit")
            analyses.append((card, controls.read_analysis(card)))
        else:
            scope.cards.append(card)
    if scope is not root:
        raise scope.card.fault("no .ends closes it")
    return options, root, analyses, initial


def _open(card: Card, scope: _Scope) -> _Scope:
    words = card.tokens
    if len(words) < 3:
        raise card.fault("a name and at least one node are needed")
    if "=" in words or "params:" in words:
        raise UnsupportedElement(card.line, card.text, "parameters are outside the subset")
    name, pins = words[1], words[2:]
    if len(set(pins)) != len(pins):
        raise card.fault("a node stands in the list twice")
    if any(pin in GROUND for pin in pins):
        raise card.fault("ground is the same everywhere and cannot be a pin")
    if name in scope.inner:
        raise card.fault(f"{name} is defined in line {scope.inner[name].card.line} as well")
    scope.inner[name] = _Scope(card, name, pins, scope)
    return scope.inner[name]


def _expand(
    scope: _Scope,
    path: str,
    bound: Mapping[str, str],
    options: Options,
    models: dict[Card, Model],
    depth: int,
) -> "list[tuple[Card, Element]]":
    """Return the elements of a scope, its pins bound to nodes outside.

    Raises
    ------
    UnsupportedElement
        For subcircuits with parameters.
    """

    def node(name: str) -> str:
        if name in GROUND:
            return "0"
        return bound.get(name, path + name)

    def model(name: str) -> Model | None:
        card = scope.model(name)
        if card is None:
            return None
        if card not in models:
            models[card] = read_model(card)
        return models[card]

    place = Place(path, node, model, options)
    found: list[tuple[Card, Element]] = []
    for card in scope.cards:
        if card.text[0] != "x":
            found.append((card, read_element(card, place)))
            continue
        words = card.tokens
        if len(words) < 3 or "=" in words or "params:" in words:
            if "=" in words or "params:" in words:
                raise UnsupportedElement(card.line, card.text, "parameters are outside the subset")
            raise card.fault("nodes and a subcircuit are needed")
        name, pins = words[-1], words[1:-1]
        inner = scope.subcircuit(name)
        if inner is None:
            raise card.fault(f"subcircuit {name} is not defined")
        if len(pins) != len(inner.pins):
            raise card.fault(f"{name} has {len(inner.pins)} pins, {len(pins)} nodes are given")
        if depth >= _DEEPEST:
            raise card.fault(f"subcircuits nest deeper than {_DEEPEST}: does one hold itself?")
        joined = dict(zip(inner.pins, map(node, pins), strict=True))
        found += _expand(inner, f"{path}{words[0]}.", joined, options, models, depth + 1)
        if len(found) > _MOST:
            raise card.fault(f"at most {_MOST:,} elements are allowed")
    return found


def _check_references(
    circuit: Circuit,
    cards: Mapping[str, Card],
    analyses: Sequence[tuple[Card, Analysis]],
    initial: Sequence[tuple[Card, Mapping[str, float]]],
) -> None:
    """Refuse names that mean nothing: coupled inductors, swept sources, nodes of ``.ic``.

    Raises
    ------
    NetlistError
        For a deck without elements or without ground.
    """
    if not circuit.elements:
        raise NetlistError(1, circuit.title, "the deck holds no element")
    kinds = {element.name: element for element in circuit.elements}
    for element in circuit.elements:
        if isinstance(element, Coupling):
            first, second = element.inductors
            for name in element.inductors:
                if not isinstance(kinds.get(name), Inductor):
                    raise cards[element.name].fault(f"{name} is no inductor of the circuit")
            if first == second:
                raise cards[element.name].fault("an inductor cannot be coupled to itself")
    nodes = set(circuit.nodes)
    if all("0" not in getattr(element, "nodes", ()) for element in circuit.elements):
        raise NetlistError(1, circuit.title, "no element is connected to ground (node 0)")
    for card, analysis in analyses:
        if isinstance(analysis, DcSweep):
            for sweep in analysis.sweeps:
                if sweep.source not in kinds:
                    raise card.fault(f"{sweep.source} is no source of the circuit")
    for card, given in initial:
        for name in given:
            if _canonical(name) not in nodes:
                raise card.fault(f"{name} is no node of the circuit")


def _canonical(name: str) -> str:
    return "0" if name in GROUND else name
