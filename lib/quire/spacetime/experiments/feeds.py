"""The consolidated feed beside direct feeds, on real quotes and trades, and on a tiny market."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from quire.spacetime.cuts._light_cone_nbbo import light_cone_nbbo
from quire.spacetime.delays.consolidated_feed import (
    Processor,
    consolidated_view,
    direct_view,
    dislocations,
)
from quire.spacetime.experiments.session import DAY_NS, Session, spread_of
from quire.spacetime.geometry.sites import NEW_JERSEY, Sites
from quire.spacetime.quotes.stamps import MILLISECOND, moments_within_stamps
from quire.spacetime.quotes.streams import NO_ASK, NO_BID, Stream, best_of, stream
from quire.spacetime.quotes.taq import site_of, streams_of_tape


@dataclass(frozen=True)
class FeedRow:
    """How far the SIP's NBBO is from the direct feeds', for one processing time and draw."""

    draw: int
    processing_us: float
    share_of_time: float
    segments: int
    median_us: float
    mean_gap: float


def feed_rows(
    session: Session,
    sites: Sites,
    processing_us: list[float],
    draws: int,
    seed: int,
    processor: str = "Mahwah",
    trader: str = "Carteret",
) -> list[FeedRow]:
    """Simulate the SIP on a session's quotes, for every processing time and draw.

    Parameters
    ----------
    session, sites
        Real quotes, and where they are made.
    processing_us
        Median processing times, microseconds; their logarithms spread by 0.25.
    draws, seed
        Of the moments inside the milliseconds, and of the processing times.
    processor, trader
        Where they stand.
    """
    delays = sites.delays_ns()
    here, there = sites.index(processor), sites.index(trader)
    rows = []
    for draw in range(draws):
        venues = streams_of_tape(session.tape, "uniform", seed + draw)
        streams = list(venues.values())
        places = [sites.index(site_of(letter)) for letter in venues]
        direct = direct_view(streams, places, delays, there)
        for micros in processing_us:
            how = Processor(micros * 1000, 0.25, seed + draw)
            sip = consolidated_view(streams, places, delays, here, how, there)
            found = dislocations(sip, direct, session.start, session.stop)
            lengths = found.lengths
            gaps = np.maximum(found.bid_gaps, found.ask_gaps)
            rows.append(
                FeedRow(
                    draw,
                    micros,
                    float(lengths.sum()) / (session.stop - session.start),
                    len(found),
                    float(np.median(lengths)) / 1000 if len(found) else 0.0,
                    float(gaps.mean()) if len(found) else 0.0,
                )
            )
    return rows


@dataclass(frozen=True)
class Remaining:
    """The dislocated time without processing, over that with the SIP's own, at one place."""

    processor: str
    trader: str
    own_us: float
    share: float
    low: float
    high: float


def remaining_without_processing(
    session: Session, sites: Sites, own_us: Mapping[str, float], draws: int, seed: int
) -> list[Remaining]:
    """Return how much of the dislocated time no faster SIP would end, at every place away from it.

    Parameters
    ----------
    session, sites
        Real quotes, and where they are made.
    own_us
        The processing time of the SIP at each of some sites, microseconds, above zero.
    draws, seed
        Of the moments inside the milliseconds; the interval is that of the mean over draws.
    """
    found = []
    for processor, micros in own_us.items():
        for trader in sites.names:
            if trader == processor:
                continue
            rows = feed_rows(session, sites, [0.0, micros], draws, seed, processor, trader)
            ratios = [
                none.share_of_time / own.share_of_time
                for none, own in zip(rows[::2], rows[1::2], strict=True)
            ]
            found.append(Remaining(processor, trader, micros, *spread_of(ratios)))
    return found


SHIFTS_S = (-60, -10, -1, 1, 10, 60)
"""By how many seconds the control moves every trade."""


@dataclass(frozen=True)
class TradeRow:
    """Trades whose best quote was another a SIP's delay before, in one draw.

    Attributes
    ----------
    draw, trades
        Of the moments; how many trades were looked at.
    dislocated, control
        The share of trades that see another best quote, and the mean of that share over trades
        shifted in time.
    coincide, control_coincides
        The share of all trades that do, and have a change of the best quote before them in their
        own millisecond; and its mean over shifts.
    """

    draw: int
    trades: int
    dislocated: float
    coincide: float
    control: float
    control_coincides: float

    @property
    def beyond_chance(self) -> float:
        """The share of the dislocated trades that coincide, less what shifted trades do."""
        if not self.dislocated:
            return 0.0
        return (self.coincide - self.control_coincides) / self.dislocated


def trade_rows(
    session: Session, trades: Mapping[str, Any], delay_us: float, draws: int, seed: int
) -> list[TradeRow]:
    """Return the share of trades that see another NBBO a delay earlier, and that of shifted ones.

    Parameters
    ----------
    session
        Real quotes.
    trades
        DT (ns since the epoch) of the trades; those of the session's day and hours are used.
    delay_us
        How much earlier, microseconds.
    draws, seed
        Of the moments of quotes and trades inside their milliseconds.
    """
    stamps = np.sort((np.asarray(trades["DT"]) + 500_000) // MILLISECOND * MILLISECOND)
    stamps = stamps[stamps // DAY_NS == stamps[0] // DAY_NS] % DAY_NS
    stamps = stamps[(stamps >= session.start) & (stamps < session.stop)]
    rows = []
    for draw in range(draws):
        nbbo = best_of(list(streams_of_tape(session.tape, "uniform", seed + draw).values()))
        moments = moments_within_stamps(stamps, np.zeros(len(stamps), np.int64), "uniform",
                                        seed + draw + 1_000_000)  # fmt: skip
        shifted = []
        for shift in SHIFTS_S:
            moved = moments + shift * 1000 * MILLISECOND
            moved = moved[(moved >= session.start) & (moved < session.stop)]
            if len(moved):
                shifted.append(_dislocated(nbbo, moved, int(delay_us * 1000)))
        control = np.mean(shifted, axis=0).tolist() if shifted else [0.0, 0.0]
        own = _dislocated(nbbo, moments, int(delay_us * 1000))
        rows.append(TradeRow(draw, len(stamps), *own, *control))
    return rows


def _dislocated(nbbo: Stream, moments: np.ndarray, delay: int) -> tuple[float, float]:
    """Return the share of moments that see another quote a delay before, and that coincide as well.

    A moment coincides when the best quote changed before it in its own millisecond.
    """
    hit = (_quotes_at(nbbo, moments) != _quotes_at(nbbo, moments - delay)).any(axis=0)
    before = nbbo.times[np.maximum(np.searchsorted(nbbo.times, moments, side="right") - 1, 0)]
    same = (before <= moments) & (before // MILLISECOND == moments // MILLISECOND)
    return float(hit.mean()), float((hit & same).mean())


def _quotes_at(view: Stream, times: np.ndarray) -> np.ndarray:
    at = np.maximum(np.searchsorted(view.times, times, side="right") - 1, 0)
    return np.stack([view.bids[at], view.asks[at]])


@dataclass(frozen=True)
class Moment:
    """A stretch of a tiny market at Mahwah: intervals of the NBBO, the rest frame's, the SIP's."""

    start_us: float
    stop_us: float
    bid_low: int
    bid_high: int
    ask_low: int
    ask_high: int
    rest_bid: int
    rest_ask: int
    sip_bid: int | None
    sip_ask: int | None


TINY = (
    ("Mahwah", 0, 100, 104),
    ("Secaucus", 0, 99, 105),
    ("Carteret", 0, 98, 104),
    ("Carteret", 600, 102, 105),
    ("Mahwah", 690, 101, 103),
    ("Secaucus", 1150, 103, 104),
    ("Carteret", 1190, 100, 104),
    ("Mahwah", 1700, 100, 102),
    ("Secaucus", 1760, 101, 103),
)
"""A market by hand: site, microseconds, bid and ask."""


def tiny_market() -> list[Stream]:
    """Return the streams of `TINY`, one per site of New Jersey."""
    streams = []
    for name in NEW_JERSEY.names:
        rows = [row for row in TINY if row[0] == name]
        streams.append(
            stream([1000 * row[1] for row in rows], [r[2] for r in rows], [r[3] for r in rows])
        )
    return streams


def tiny_moments(processing_us: float, stop_us: int = 2400) -> list[Moment]:
    """Return what may be read at Mahwah from 300 microseconds on, piece by piece.

    Parameters
    ----------
    processing_us
        Of the SIP, which stands at Mahwah as well.
    stop_us
        Where to end.
    """
    streams, delays = tiny_market(), NEW_JERSEY.delays_ns()
    seen = light_cone_nbbo(streams, delays, 0)
    sip = consolidated_view(
        streams, range(len(streams)), delays, 0, Processor(processing_us * 1000), 0
    )
    start, stop = 300_000, stop_us * 1000
    edges = np.unique(np.concatenate([[start, stop], seen.times, sip.times]))
    edges = edges[(edges >= start) & (edges <= stop)]
    rows = []
    for begin, end in pairwise(edges.tolist()):
        k = seen.at(begin)
        sip_bid, sip_ask = _shown(sip, begin)
        rows.append(
            Moment(
                start_us=begin / 1000,
                stop_us=end / 1000,
                bid_low=int(seen.bid_low[k]),
                bid_high=int(seen.bid_high[k]),
                ask_low=int(seen.ask_low[k]),
                ask_high=int(seen.ask_high[k]),
                rest_bid=int(seen.rest_bid[k]),
                rest_ask=int(seen.rest_ask[k]),
                sip_bid=sip_bid,
                sip_ask=sip_ask,
            )
        )
    return rows


def _shown(view: Stream, time: int) -> tuple[int | None, int | None]:
    """Return the bid and ask of a view, None where there is no quote yet."""
    bid, ask = view.at(time)
    return (None if bid == NO_BID else bid), (None if ask == NO_ASK else ask)
