"""What can go wrong with a circuit, each kind of fault an exception of its own."""


class CircuitError(ValueError):
    """Anything that is wrong with a deck, a circuit or its equations."""


class NetlistError(CircuitError):
    """A card that cannot be read; the message names its line and shows the card.

    Parameters
    ----------
    line
        Number of the card's first line in the deck, counted from 1.
    card
        The card, continuation lines joined.
    why
        What is wrong, and what is allowed.
    """

    def __init__(self, line: int, card: str, why: str) -> None:
        shown = card if len(card) <= 72 else card[:69] + "..."
        super().__init__(f"line {line}: {shown}: {why}")
        self.line, self.card, self.why = line, card, why


class UnsupportedElement(NetlistError):
    """A card of SPICE that lies outside the subset read here: it is refused, never skipped."""


class ZeroResistance(CircuitError):
    """A resistor of zero ohms, which the nodal form cannot hold and the branch form can."""


class SingularCircuit(CircuitError):
    """Equations without a unique solution; the message names the nodes that are to blame."""


class NewtonFailure(CircuitError):
    """Newton's method did not converge, whatever was tried.

    Parameters
    ----------
    time
        The point in time, or None for an operating point.
    unknown
        The unknown that moved most in the last iteration.
    change
        How far it moved, in volts or amperes.
    """

    def __init__(self, time: float | None, unknown: str, change: float) -> None:
        place = "the operating point" if time is None else f"t = {time:.6g} s"
        super().__init__(
            f"Newton did not converge at {place}: {unknown} still moves by {change:.3g}"
        )
        self.time, self.unknown, self.change = time, unknown, change


class TimestepTooSmall(CircuitError):
    """The step that the equations ask for falls below what doubles can tell apart."""
