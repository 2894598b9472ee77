"""From a deck's text to a flat circuit: subcircuits are expanded, names become dotted paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from quire import checks
from quire.circuits.errors import NetlistError, UnsupportedElement
from quire.circuits.netlist import controls
from quire.circuits.netlist.cards import Place, read_element
from quire.circuits.netlist.commands import read_commands
from quire.circuits.netlist.elements import (
    TEMPERATURE,
    Analysis,
    Circuit,
    Coupling,
    CurrentControlled,
    DcSweep,
    Element,
    Inductor,
    Model,
    Options,
)
from quire.circuits.netlist.lines import Card, split_cards
from quire.circuits.netlist.measured import carries, probed_currents, with_measured_currents
from quire.circuits.netlist.models import read_model
from quire.circuits.netlist.parameters import (
    Environment,
    assignments,
    read_parameters,
    substituted,
)
from quire.signatures import checked

GROUND = ("0", "gnd")
ABSOLUTE_ZERO = -273.15  # celsius
_DEEPEST = 64
_MOST = 1_000_000
_OPTIONS = (".options", ".option", ".opt")


@dataclass
class _Scope:
    """What stands between ``.subckt`` and ``.ends``, or in the deck itself."""

    card: Card
    name: str = ""
    pins: tuple[str, ...] = ()
    formals: Mapping[str, str] = field(default_factory=dict)  # defaults by parameter
    outer: "_Scope | None" = None
    cards: list[Card] = field(default_factory=list)
    parameters: list[Card] = field(default_factory=list)
    models: dict[str, Card] = field(default_factory=dict)
    inner: dict[str, "_Scope"] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        """Return whether a model of that name can be seen here."""
        return isinstance(name, str) and self.owner(name) is not None

    def owner(self, name: str) -> "_Scope | None":
        """Return the scope whose model the name means here, looked for outwards."""
        if name in self.models:
            return self
        return self.outer.owner(name) if self.outer else None

    def subcircuit(self, name: str) -> "_Scope | None":
        """Return the subcircuit that the name means here, looked for outwards."""
        if name in self.inner:
            return self.inner[name]
        return self.outer.subcircuit(name) if self.outer else None


@dataclass
class _Deck:
    """The cards of a deck by what they do, as they stand."""

    root: _Scope
    options: list[Card] = field(default_factory=list)
    analyses: list[Card] = field(default_factory=list)
    initial: list[Card] = field(default_factory=list)
    guesses: list[Card] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)  # nodes of .global


@checked
def read_deck(text: str, *, temp: float | None = None) -> Circuit:
    """Return the circuit that a SPICE deck describes.

    The subset: R C L K V I E F G H B D Q M X; DC, AC, PULSE, SIN, EXP, PWL; ``.model`` (D, NPN,
    PNP, NMOS and PMOS of level 1, R), ``.subckt`` with parameters, local models and definitions,
    ``.param`` and ``.func`` with expressions, ``.op .dc .ac .tran .ic .nodeset .temp .options
    .global``, sweeps of ``temp``, currents of any element in expressions; cards that say what to
    print are read over, and so are such commands between ``.control`` and ``.endc``. Whatever else
    a deck holds is refused.

    Parameters
    ----------
    text
        The deck. Its first line is the title.
    temp
        The temperature in celsius, in place of what the deck says.

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
    deck = _sorted(cards)
    env = Environment()
    for card in deck.root.parameters:
        read_parameters(card, env)
    options = Options()
    # .temp wins over .options, wherever it stands
    for card in sorted(deck.options, key=lambda card: card.tokens[0] == ".temp"):
        options = controls.read_options(substituted(card, env), options)
    if temp is not None:
        options = replace(options, temp=checks.between("temp", temp, ABSOLUTE_ZERO, 1e4))
    analyses = [(card, controls.read_analysis(substituted(card, env))) for card in deck.analyses]
    initial, guesses = (
        [(card, controls.read_initial(substituted(card, env))) for card in found]
        for found in (deck.initial, deck.guesses)
    )
    elements: list[Element] = []
    seen: dict[str, Card] = {}
    for card, element in _Expansion(deck, options).elements(deck.root, "", {}, env, 0):
        if element.name in seen:
            raise card.fault(f"the name {element.name} is taken by line {seen[element.name].line}")
        if len(elements) >= _MOST:
            raise card.fault(f"at most {_MOST:,} elements are allowed")
        seen[element.name] = card
        elements.append(element)
    circuit = Circuit(
        title, with_measured_currents(elements), tuple(a for _, a in analyses), options,
        {_canonical(n): v for _, given in initial for n, v in given.items()},
        {_canonical(n): v for _, given in guesses for n, v in given.items()}, text,
    )  # fmt: skip
    _check_references(circuit, seen, analyses, [*initial, *guesses])
    return circuit


def _sorted(cards: Sequence[Card]) -> _Deck:
    """Sort the cards into scopes, options, analyses and initial conditions.

    Raises
    ------
    UnsupportedElement
        For a card of SPICE outside the subset, or an initial condition in a subcircuit.
    """
    root = scope = _Scope(Card(1, ""))
    deck = _Deck(root)
    lists = {".ic": deck.initial, ".nodeset": deck.guesses, ".temp": deck.options}
    lists |= dict.fromkeys(_OPTIONS, deck.options)
    position = 0
    while position < len(cards):
        card = cards[position]
        position += 1
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
            name = card.tokens[1] if len(card.tokens) > 1 else ""
            if name in scope.models:
                raise card.fault(f"model {name} is defined in line {scope.models[name].line} too")
            scope.models[name] = card
        elif word in (".param", ".func"):
            scope.parameters.append(card)
        elif word in controls.OUTPUT:
            continue
        elif word in (".include", ".inc", ".lib"):
            raise UnsupportedElement(
                card.line, card.shown, f"{word} reads another file: put its cards into the deck"
            )
        elif word in lists or word in (".global", ".control"):
            if scope is not root:
                why = f"{word} in a subcircuit is outside the subset: write it outside, v(x1.node)"
                raise UnsupportedElement(card.line, card.shown, why)
            if word == ".global":
                deck.shared |= set(card.tokens[1:])
            elif word == ".control":
                taken, asked = read_commands(card, cards[position:])
                position += taken
                deck.analyses += asked
            else:
                lists[word].append(card)
        elif word.startswith("."):
            if scope is not root:
                raise card.fault("an analysis cannot stand in a subcircuit")
            deck.analyses.append(card)
        else:
            scope.cards.append(card)
    if scope is not root:
        raise scope.card.fault("no .ends closes it")
    return deck


def _open(card: Card, scope: _Scope) -> _Scope:
    words, given = _called(card)
    if len(words) < 3:
        raise card.fault("a name and at least one node are needed")
    name, pins = words[1], words[2:]
    if len(set(pins)) != len(pins):
        raise card.fault("a node stands in the list twice")
    if any(pin in GROUND for pin in pins):
        raise card.fault("ground is the same everywhere and cannot be a pin")
    if name in scope.inner:
        raise card.fault(f"{name} is defined in line {scope.inner[name].card.line} as well")
    scope.inner[name] = _Scope(card, name, pins, given, scope)
    return scope.inner[name]


def _called(card: Card) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words of a ``.subckt`` or X card before its parameters, and these."""
    text = card.text.replace("params:", " params: ")
    before, mark, after = text.partition(" params: ")
    if not mark:
        first, _, rest = text.partition("=")
        if rest:
            before, _, name = first.rstrip().rpartition(" ")
            after = f"{name} = {rest}"
    if not after.strip():
        return Card(card.line, before).tokens, {}
    found = assignments(card, after)
    if any(arguments is not None for _, arguments, _ in found):
        raise card.fault("a parameter has no arguments")
    return Card(card.line, before).tokens, {name: text for name, _, text in found}


class _Expansion:
    """Subcircuits put in place of the cards that call them."""

    def __init__(self, deck: _Deck, options: Options) -> None:
        self.deck, self.options = deck, options
        self.owners: list[tuple[_Scope, Environment, dict[str, Model]]] = []

    def elements(
        self, scope: _Scope, path: str, bound: Mapping[str, str], env: Environment, depth: int
    ) -> list[tuple[Card, Element]]:
        """Return the elements of a scope, its pins bound to nodes outside."""

        def node(name: str) -> str:
            if name in GROUND:
                return "0"
            if name in self.deck.shared:
                return name
            return bound.get(name, path + name)

        self.owners.append((scope, env, {}))
        for name in scope.models:
            self.model(scope, name)
        place = Place(path, node, lambda name: self.model(scope, name), self.options, env, scope)
        found: list[tuple[Card, Element]] = []
        for card in scope.cards:
            if card.text[0] != "x":
                found.append((card, read_element(card, place)))
                continue
            found += self.called(card, place, scope, depth)
            if len(found) > _MOST:
                raise card.fault(f"at most {_MOST:,} elements are allowed")
        self.owners.pop()
        return found

    def model(self, scope: _Scope, name: str) -> Model | None:
        """Return what a model means in a scope, with the parameters where it is defined."""
        owner = scope.owner(name)
        if owner is None:
            return None
        for candidate, env, models in reversed(self.owners):
            if candidate is owner:
                if name not in models:
                    models[name] = read_model(substituted(owner.models[name], env))
                return models[name]
        return None

    def called(
        self, card: Card, place: Place, scope: _Scope, depth: int
    ) -> list[tuple[Card, Element]]:
        """Return the elements that an X card stands for.

        Raises
        ------
        UnsupportedElement
            For a multiplier.
        """
        words, given = _called(card)
        if len(words) < 3:
            raise card.fault("nodes and a subcircuit are needed")
        name, pins = words[-1], words[1:-1]
        inner = scope.subcircuit(name)
        if inner is None:
            raise card.fault(f"subcircuit {name} is not defined")
        if len(pins) != len(inner.pins):
            raise card.fault(f"{name} has {len(inner.pins)} pins, {len(pins)} nodes are given")
        if depth >= _DEEPEST:
            raise card.fault(f"subcircuits nest deeper than {_DEEPEST}: does one hold itself?")
        if "m" in given:
            why = "m of a subcircuit is outside the subset"
            raise UnsupportedElement(card.line, card.shown, why)
        unknown = next((key for key in given if key not in inner.formals), None)
        if unknown is not None:
            raise card.fault(f"{name} has no parameter {unknown}")
        env = Environment(place.env)
        for parameter in inner.parameters:
            read_parameters(parameter, env)
        for key, default in inner.formals.items():
            if key in env.texts:
                raise inner.card.fault(f"{key} is a parameter and set by .param inside as well")
            if key in given:
                env.fix(key, place.env.number(card, given[key]))
            else:
                env.define(inner.card, key, default)
        joined = dict(zip(inner.pins, map(place.node, pins), strict=True))
        return self.elements(inner, f"{place.path}{words[0]}.", joined, env, depth + 1)


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
        for name in _steering_currents(element):
            if not carries(kinds.get(name)):
                why = f"{name} has no current of its own: put a source of 0 V in series"
                raise cards[element.name].fault(why)
    nodes = set(circuit.nodes)
    if all("0" not in getattr(element, "nodes", ()) for element in circuit.elements):
        raise NetlistError(1, circuit.title, "no element is connected to ground (node 0)")
    for card, analysis in analyses:
        if isinstance(analysis, DcSweep):
            for sweep in analysis.sweeps:
                if sweep.source not in kinds and sweep.source != TEMPERATURE:
                    raise card.fault(f"{sweep.source} is no source of the circuit")
    for card, given in initial:
        for name in given:
            if _canonical(name) not in nodes:
                raise card.fault(f"{name} is no node of the circuit")


def _canonical(name: str) -> str:
    return "0" if name in GROUND else name


def _steering_currents(element: Element) -> tuple[str, ...]:
    """Return the names of the elements whose currents steer a source."""
    if isinstance(element, CurrentControlled):
        return (element.control,)
    return probed_currents(element)
