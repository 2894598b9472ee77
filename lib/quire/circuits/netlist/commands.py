"""Commands between ``.control`` and ``.endc``: analyses are taken in, output is read over."""

from collections.abc import Sequence

from quire.circuits.errors import UnsupportedElement
from quire.circuits.netlist.lines import Card

_ANALYSES = {"op", "dc", "ac", "tran"}
# commands that show, store or name results and change none
_WITHOUT_EFFECT = {
    "run", "quit", "exit", "print", "plot", "asciiplot", "hardcopy", "gnuplot", "write", "wrdata",
    "wrs2p", "echo", "display", "listing", "meas", "measure", "let", "setplot", "settype", "rusage",
    "status", "destroy", "linearize", "fourier", "version", "show", "showmod", "save", "unlet",
}  # fmt: skip
_SETTINGS = {
    "numdgt", "wr_singlescale", "wr_vecnames", "filetype", "noaskquit", "width", "height", "color0",
    "color1", "nobreak", "appendwrite", "xbrushwidth", "xgridwidth", "hcopydevtype",
    "hcopypscolor", "units", "plotstyle", "pointchars", "nomoremode", "moremode",
}  # fmt: skip


def read_commands(opening: Card, cards: Sequence[Card]) -> tuple[int, list[Card]]:
    """Return how many cards a block takes, and the analyses it asks for as dot cards.

    Parameters
    ----------
    opening
        The ``.control`` card.
    cards
        Those after it.

    Raises
    ------
    NetlistError
        For a block that is not closed.
    UnsupportedElement
        For a command that could change a result: ``alter``, ``option``, loops and the like.
    """
    found: list[Card] = []
    for k, card in enumerate(cards):
        words = card.text.split()
        word = words[0]
        if word == ".endc":
            return k + 1, found
        if word in _ANALYSES:
            found.append(Card(card.line, f".{card.text}", card.text))
            continue
        setting = words[1].partition("=")[0] if len(words) > 1 else ""
        if word in _WITHOUT_EFFECT or (word in ("set", "unset") and setting in _SETTINGS):
            continue
        why = f"command {word} is outside what is read between .control and .endc"
        raise UnsupportedElement(card.line, card.shown, why)
    raise opening.fault("no .endc closes it")
