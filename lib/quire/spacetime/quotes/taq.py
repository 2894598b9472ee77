"""Consolidated tape rows (TAQ): from letters, prices and stamps to streams per venue.

A venue letter names an exchange; its matching engine stands in one of three data centres.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from quire.checks import instance, non_negative, positive
from quire.signatures import checked
from quire.spacetime.quotes.stamps import StampModel, moments_within_stamps
from quire.spacetime.quotes.streams import NO_ASK, NO_BID, Stream, stream, ticks

SITE_OF_VENUE = {
    **dict.fromkeys("NAPC", "Mahwah"),
    **dict.fromkeys("TQBX", "Carteret"),
    **dict.fromkeys("ZYJKVM", "Secaucus"),
}
"""TAQ's letters: NYSE's exchanges, Nasdaq's, and Cboe's with IEX and Chicago's (about 2018)."""

SESSION_UTC = (14.5, 21.0)
"""The trading session in winter, hours UTC."""


@dataclass(frozen=True, eq=False)
class Tape:
    """Cleaned rows of one symbol and one day.

    Attributes
    ----------
    stamps
        ns since midnight UTC, whole milliseconds, in the order of the file.
    venues
        The place of each row's letter in ``letters``.
    bids, asks
        Ticks.
    letters
        The venues' letters.
    dropped
        Rows that were left out: a side without a price, or a spread above the limit.
    """

    stamps: Int[np.ndarray, " rows"]
    venues: Int[np.ndarray, " rows"]
    bids: Int[np.ndarray, " rows"]
    asks: Int[np.ndarray, " rows"]
    letters: tuple[str, ...]
    dropped: int

    def __len__(self) -> int:
        return len(self.stamps)


def site_of(letter: Any) -> str:
    """Return the data centre of a venue's letter.

    Raises
    ------
    ValueError
        For a letter that names no exchange (D, which marks reports of off-exchange trades, among
        them).
    """
    if not isinstance(letter, str) or letter not in SITE_OF_VENUE:
        raise ValueError(f"letter = {letter!r}: must be one of {''.join(sorted(SITE_OF_VENUE))}")
    return SITE_OF_VENUE[letter]


def read_tape(
    stamps_ns: Any,
    letters: Any,
    bids: Any,
    asks: Any,
    symbols: Any,
    widest: Any = 5.0,
    tick: Any = 0.01,
) -> Tape:
    """Return the rows of one symbol on one day, cleaned.

    Rows without a price on either side, or with a spread above ``widest``, are left out and
    counted. A crossed row of one venue stays out as well.

    Parameters
    ----------
    stamps_ns
        ns since the epoch, one per row, not decreasing once they are rounded to milliseconds.
    letters, symbols
        One per row.
    bids, asks
        Prices in currency; zero or NaN for none.
    widest
        The largest spread that is believed, in currency.
    tick
        The step of prices.

    Raises
    ------
    ValueError
        For mixed symbols, several days, unknown letters, unsorted stamps, no usable row, or
        columns of different lengths.
    """
    columns = {"letters": letters, "bids": bids, "asks": asks, "symbols": symbols}
    for name, column in columns.items():
        if not isinstance(column, list | tuple | np.ndarray) or np.ndim(column) != 1:
            raise ValueError(f"{name}: must be a list of one entry per row")
    names = sorted(set(map(str, symbols)))
    if len(names) != 1:
        raise ValueError(f"symbols = {names[:3]}: must be one and the same in every row")
    when = np.asarray(stamps_ns)
    if when.dtype.kind not in "iu" or when.ndim != 1:
        raise ValueError("stamps_ns: must be a list of whole numbers of ns")
    for name, column in columns.items():
        if len(column) != len(when):
            raise ValueError(f"{name} = {len(column)} rows: must be one per stamp ({len(when)})")
    # stored as a double of seconds: the noise below the millisecond is none of the exchange's
    whole = (when.astype(np.int64) + 500_000) // 1_000_000 * 1_000_000
    if (np.diff(whole) < 0).any():
        raise ValueError("stamps_ns: must not decrease")
    days = np.unique(whole // 86_400_000_000_000)
    if len(days) != 1:
        raise ValueError(f"stamps_ns = {len(days)} days: must be of one day")
    known = tuple(sorted(map(str, set(letters))))
    for letter in known:
        site_of(letter)
    number = np.searchsorted(np.array(known), np.asarray(letters))
    bid, ask = ticks(bids, "bid", tick), ticks(asks, "ask", tick)
    priced = (bid != NO_BID) & (ask != NO_ASK)
    spread = np.where(priced, np.where(priced, ask, 0) - np.where(priced, bid, 0), -1)
    limit = round(positive("widest", widest) / tick)
    kept = priced & (spread >= 0) & (spread <= limit)
    if not kept.any():
        raise ValueError("bids, asks: must hold at least one row with both prices")
    return Tape(
        whole[kept] - int(days[0]) * 86_400_000_000_000,
        number[kept].astype(np.int64),
        bid[kept],
        ask[kept],
        known,
        int((~kept).sum()),
    )


@checked
def between_hours(tape: Tape, start: Any, stop: Any) -> Tape:
    """Return the rows from one hour of the day to before another.

    Raises
    ------
    ValueError
        When no row lies between.
    """
    instance("tape", tape, Tape)
    start, stop = non_negative("start", start), non_negative("stop", stop)
    hours = tape.stamps / 3.6e12
    kept = (hours >= start) & (hours < stop)
    if not kept.any():
        raise ValueError(f"start, stop = {start:g}, {stop:g}: must leave at least one row")
    return Tape(
        tape.stamps[kept],
        tape.venues[kept],
        tape.bids[kept],
        tape.asks[kept],
        tape.letters,
        tape.dropped,
    )


@checked
def streams_of_tape(tape: Tape, model: StampModel | str, seed: Any = 0) -> dict[str, Stream]:
    """Return one stream per venue, by letter, with moments inside the stamps by a model.

    Another model is refused with a ``ValueError``.
    """
    instance("tape", tape, Tape)
    moments = moments_within_stamps(tape.stamps, tape.venues, model, seed)
    found = {}
    for number, letter in enumerate(tape.letters):
        mine = tape.venues == number
        if mine.any():
            found[letter] = stream(moments[mine], tape.bids[mine], tape.asks[mine])
    return found
