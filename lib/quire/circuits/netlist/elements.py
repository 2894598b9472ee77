"""What a circuit is made of, after subcircuits are expanded: one frozen dataclass per kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quire.checks import finite, integer, non_negative, positive
from quire.circuits.netlist.expressions import Expression, probes_of
from quire.circuits.netlist.waveforms import Constant, Waveform, waveform
from quire.signatures import checked

Pair = tuple[str, str]
MOST_POINTS = 2_000_000  # of one sweep
MOST_STEPS = 10 * MOST_POINTS
TEMPERATURE = "temp"  # what a ``.dc`` analysis calls it


@dataclass(frozen=True)
class Model:
    """A ``.model`` card: its type, and its parameters by their first name in lower case."""

    name: str
    kind: str  # d, npn, pnp, nmos, pmos, r
    values: Mapping[str, float]

    def get(self, name: str, default: float) -> float:
        """Return a parameter, or its default where the card does not give it."""
        return self.values.get(name, default)


@dataclass(frozen=True)
class Source:
    """What an independent source does: its DC value, its AC phasor, its waveform in time."""

    dc: float | None = None
    ac: complex = 0j
    kind: str | None = None  # pulse, sin, exp, pwl
    numbers: tuple[float, ...] = ()

    def in_time(self, step: float, stop: float) -> Waveform:
        """Return the waveform, with the defaults that a transient analysis gives."""
        if self.kind is None:
            return Constant(self.dc or 0.0)
        return waveform(self.kind, self.numbers, step, stop)

    @property
    def operating(self) -> float:
        """The value at an operating point: the DC value, else the waveform's at time zero."""
        return self.dc if self.dc is not None else float(self.in_time(1.0, 1.0).value(0.0))


@dataclass(frozen=True)
class Resistor:
    """A resistor, in ohms; ``ac_ohms`` holds in a small-signal analysis."""

    name: str
    nodes: Pair
    ohms: float
    ac_ohms: float


@dataclass(frozen=True)
class Capacitor:
    """A capacitor, in farads, and the voltage it starts from where ``uic`` asks for it."""

    name: str
    nodes: Pair
    farads: float
    initial: float | None = None


@dataclass(frozen=True)
class Inductor:
    """An inductor, in henries, and the current it starts from where ``uic`` asks for it."""

    name: str
    nodes: Pair
    henries: float
    initial: float | None = None


@dataclass(frozen=True)
class Coupling:
    """Two inductors that share their field: mutual inductance is ``factor * sqrt(L1 L2)``."""

    name: str
    inductors: Pair
    factor: float


@dataclass(frozen=True)
class VoltageSource:
    """An independent voltage source; its current flows from the first node through it."""

    name: str
    nodes: Pair
    source: Source


@dataclass(frozen=True)
class CurrentSource:
    """An independent current source; its current flows from the first node through it."""

    name: str
    nodes: Pair
    source: Source


@dataclass(frozen=True)
class VoltageControlled:
    """A linear source, of voltage (E) or of current (G), steered by another pair's voltage."""

    name: str
    nodes: Pair
    control: Pair
    gain: float
    voltage: bool


@dataclass(frozen=True)
class CurrentControlled:
    """A linear source, of voltage (H) or of current (F), steered by the current of an element."""

    name: str
    nodes: Pair
    control: str
    gain: float
    voltage: bool


@dataclass(frozen=True)
class Behavioural:
    """A source of voltage or of current given by an expression (B, or E and G by expression)."""

    name: str
    nodes: Pair
    expression: Expression
    voltage: bool


@dataclass(frozen=True)
class Diode:
    """A junction diode, anode first."""

    name: str
    nodes: Pair
    model: Model
    area: float = 1.0
    off: bool = False
    temp: float | None = None  # celsius, where it is not the circuit's
    count: float = 1.0  # diodes in parallel, which ``area`` holds as well


@dataclass(frozen=True)
class Bipolar:
    """A bipolar transistor: collector, base, emitter, substrate."""

    name: str
    nodes: tuple[str, str, str, str]
    model: Model
    area: float = 1.0
    off: bool = False
    temp: float | None = None  # celsius, where it is not the circuit's


@dataclass(frozen=True)
class Mosfet:
    """A MOS transistor of level 1: drain, gate, source, bulk; sizes in metres."""

    name: str
    nodes: tuple[str, str, str, str]
    model: Model
    sizes: Mapping[str, float]
    off: bool = False
    temp: float | None = None  # celsius, where it is not the circuit's


Element = (
    Resistor
    | Capacitor
    | Inductor
    | Coupling
    | VoltageSource
    | CurrentSource
    | VoltageControlled
    | CurrentControlled
    | Behavioural
    | Diode
    | Bipolar
    | Mosfet
)


@dataclass(frozen=True)
class OperatingPoint:
    """``.op``."""


@checked
@dataclass(frozen=True)
class Sweep:
    """One source of a ``.dc`` analysis, or ``temp`` in celsius, from start to stop by step.

    Raises
    ------
    ValueError
        For a step that does not lead from start to stop, a temperature that there is none of, or
        too many points.
    """

    source: str
    start: float
    stop: float
    step: float

    def __post_init__(self) -> None:
        for name in ("start", "stop", "step"):
            finite(name, getattr(self, name))
        span, least = self.stop - self.start, min(self.start, self.stop)
        if self.step == 0 or span * self.step < 0:
            raise ValueError(f"step = {self.step:g}: must lead from start to stop")
        if self.source == TEMPERATURE and least <= -273.15:
            raise ValueError(f"temp = {least:g}: must lie above absolute zero")
        if abs(span / self.step) > MOST_POINTS:
            raise ValueError(f"step = {self.step:g}: at most {MOST_POINTS:,} points are allowed")


@checked
@dataclass(frozen=True)
class DcSweep:
    """``.dc``: the first sweep runs inside the second.

    Raises
    ------
    ValueError
        For no sweep, or more than two.
    """

    sweeps: tuple[Sweep, ...]

    def __post_init__(self) -> None:
        if len(self.sweeps) not in (1, 2):
            raise ValueError(f"sweeps = {len(self.sweeps)} of them: must be one or two")


@checked
@dataclass(frozen=True)
class AcSweep:
    """``.ac``: frequencies by decade, by octave or evenly spaced.

    Raises
    ------
    ValueError
        For another spacing, no or too many points, or frequencies that do not rise.
    """

    spacing: str  # dec, oct, lin
    points: int
    start: float
    stop: float

    def __post_init__(self) -> None:
        if self.spacing not in ("dec", "oct", "lin"):
            raise ValueError(f"spacing = {self.spacing!r}: must be dec, oct or lin")
        integer("points", self.points, 1, MOST_POINTS)
        for name in ("start", "stop"):
            non_negative(name, getattr(self, name))
        if self.start > self.stop or (self.spacing != "lin" and self.start == 0):
            raise ValueError(
                f"start = {self.start:g}, stop = {self.stop:g}: frequencies must be positive and"
                " rise"
            )


@checked
@dataclass(frozen=True)
class Transient:
    """``.tran``: printing step, end, time from which results are kept, longest step.

    Raises
    ------
    ValueError
        For times that are not positive, a start that is not before the end, or too many steps.
    """

    step: float
    stop: float
    start: float = 0.0
    longest: float | None = None
    use_initial: bool = False

    def __post_init__(self) -> None:
        for name in ("step", "stop", "longest"):
            if name != "longest" or self.longest is not None:
                positive(name, getattr(self, name))
        if not 0 <= finite("start", self.start) < self.stop:
            raise ValueError(f"start = {self.start:g}: must lie in [0, stop)")
        for name in ("step", "longest"):
            step = getattr(self, name)
            if step is not None and self.stop / step > MOST_STEPS:
                raise ValueError(f"{name} = {step:g}: at most {MOST_STEPS:,} steps are allowed")


Analysis = OperatingPoint | DcSweep | AcSweep | Transient


@dataclass(frozen=True)
class Options:
    """Tolerances and temperatures of ``.options``, with SPICE's defaults."""

    reltol: float = 1e-3
    abstol: float = 1e-12
    vntol: float = 1e-6
    chgtol: float = 1e-14
    trtol: float = 7.0
    gmin: float = 1e-12
    temp: float = 27.0
    tnom: float = 27.0
    method: str = "trap"
    itl1: int = 100
    itl4: int = 10
    defl: float = 1e-4
    defw: float = 1e-4
    defad: float = 0.0
    defas: float = 0.0


@checked
@dataclass(frozen=True)
class Circuit:
    """A flat circuit: its elements in the deck's order, what to analyse, and from where."""

    title: str
    elements: tuple[Element, ...]
    analyses: tuple[Analysis, ...] = ()
    options: Options = field(default_factory=Options)
    initial: Mapping[str, float] = field(default_factory=dict)  # volts, by node
    guesses: Mapping[str, float] = field(default_factory=dict)  # volts to start from, by node
    deck: str | None = field(default=None, repr=False, compare=False)  # the text it was read from

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node but ground, in the order of first use."""
        seen: dict[str, None] = {}
        for element in self.elements:
            for node in terminals(element):
                seen.setdefault(node)
        seen.pop("0", None)
        return tuple(seen)

    def element(self, name: str) -> Element:
        """Return the element of that name.

        Raises
        ------
        KeyError
            When there is none.
        """
        for element in self.elements:
            if element.name == name.lower():
                return element
        raise KeyError(f"{name}: the circuit has no such element")

    def analysis(self, kind: type[Analysis]) -> Analysis:
        """Return the first analysis of a kind, such as ``Transient``.

        Raises
        ------
        KeyError
            When the deck asks for none.
        """
        for analysis in self.analyses:
            if isinstance(analysis, kind):
                return analysis
        raise KeyError(f"{kind.__name__}: the deck asks for no such analysis")


def terminals(element: Element) -> tuple[str, ...]:
    """Return the nodes an element touches, those that steer it included."""
    if isinstance(element, Coupling):
        return ()
    if isinstance(element, VoltageControlled):
        return (*element.nodes, *element.control)
    if isinstance(element, Behavioural):
        probed = (p.names for p in probes_of(element.expression) if p.kind == "v")
        return (*element.nodes, *(name for names in probed for name in names))
    return element.nodes
