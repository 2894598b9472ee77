"""From text to cards: the title, comments, continuation lines and tokens."""

import re
from dataclasses import dataclass

from quire.circuits.errors import NetlistError

# In a card parentheses and commas separate like blanks; an equals sign is a token of its own.
TOKEN = re.compile(r"[^\s(),=]+|=|[(]|[)]")
# A dollar sign begins a comment where a blank stands before it; the others do anywhere.
_COMMENT = re.compile(r"(?:^|(?<=[\s,]))\$|;|//")


@dataclass(frozen=True)
class Card:
    """One card: where it begins in the deck, its text in lower case, and its tokens.

    Cards are compared by their place and text.
    """

    line: int
    text: str
    shown: str = ""  # as the deck has it, where values were put into the text

    def __post_init__(self) -> None:
        if not self.shown:
            object.__setattr__(self, "shown", self.text)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The card's tokens without parentheses; ``=`` is a token."""
        return tuple(t for t in TOKEN.findall(self.text) if t not in "()")

    def fault(self, why: str) -> NetlistError:
        """Return the error that names this card."""
        return NetlistError(self.line, self.shown, why)


def split_cards(text: str) -> tuple[str, tuple[Card, ...]]:
    """Return a deck's title, which is its first line whatever it says, and its cards to ``.end``.

    A line that begins with ``+`` continues the last card; comments between the two do not part
    them. Lines that begin with ``*`` are comments, and so is what follows ``;``, ``//``, or a ``$``
    that stands free.

    Raises
    ------
    NetlistError
        For a deck without a line, or one whose second line continues nothing.
    """
    lines = text.splitlines()
    if not lines:
        raise NetlistError(1, "", "a deck holds at least a title line")
    cards: list[Card] = []
    for number, raw in enumerate(lines[1:], start=2):
        comment = _COMMENT.search(raw)
        line = (raw[: comment.start()] if comment else raw).strip().lower()
        line = line.replace("\u00b5", "u").replace("\u03bc", "u")
        if not line or line.startswith(("*", "$")):
            continue
        if line.startswith("+"):
            if not cards:
                raise NetlistError(number, line, "continues a card, and there is none before it")
            last = cards[-1]
            cards[-1] = Card(last.line, f"{last.text} {line[1:].strip()}")
            continue
        if line.split()[0] == ".end":
            break
        cards.append(Card(number, line))
    return lines[0].strip(), tuple(cards)
