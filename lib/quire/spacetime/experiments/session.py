"""A session of real quotes: how often light leaves the best price open, and to whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from quire.spacetime.cuts._light_cone_nbbo import light_cone_nbbo
from quire.spacetime.frames.observers import frame_dependent_ns, unseen_states
from quire.spacetime.geometry.sites import REFRACTIVE_INDEX, Sites
from quire.spacetime.quotes.stamps import moments_within_stamps
from quire.spacetime.quotes.streams import NO_ASK, NO_BID, Stream, best_of
from quire.spacetime.quotes.taq import (
    SESSION_UTC,
    Tape,
    between_hours,
    read_tape,
    site_of,
    streams_of_tape,
)

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


@dataclass(frozen=True)
class Session:
    """The quotes of one symbol's session on one day, or of its first hours."""

    tape: Tape
    start: int
    stop: int


def sessions(columns: Mapping[str, Any], days: int, hours: float) -> list[Session]:
    """Return the first sessions of a quote file.

    Parameters
    ----------
    columns
        DT (ns since the epoch), EX, BID, OFR and SYMBOL, as the highfrequency package names them.
    days
        How many days.
    hours
        How much of each session, from its opening on.
    """
    day = np.asarray(columns["DT"]) // DAY_NS
    found = []
    for each in np.unique(day)[:days]:
        mine = day == each
        tape = read_tape(
            *(np.asarray(columns[name])[mine] for name in ("DT", "EX", "BID", "OFR", "SYMBOL"))
        )
        begin, end = SESSION_UTC[0], min(SESSION_UTC[0] + hours, SESSION_UTC[1])
        found.append(
            Session(between_hours(tape, begin, end), int(begin * HOUR_NS), int(end * HOUR_NS))
        )
    return found


def quotes_by_site(tape: Tape, sites: Sites, model: str, seed: int) -> list[Stream]:
    """Return one stream per site; a site without a venue (Aurora quotes no stocks) repeats nothing.

    Such a site gets a stream that never has a price.
    """
    venues = streams_of_tape(tape, model, seed)
    streams = []
    for name in sites.names:
        mine = [each for letter, each in venues.items() if site_of(letter) == name]
        streams.append(best_of(mine) if mine else _silent())
    return streams


def _silent() -> Stream:
    return Stream(np.array([0]), np.array([NO_BID]), np.array([NO_ASK]))


@dataclass(frozen=True)
class Ambiguity:
    """Shares of the session in which more than one NBBO may be read at an anchor."""

    draw: int
    model: str
    medium: str
    anchor: str
    ambiguous: float
    newly_crossed: float
    rest_crossed: float


def ambiguity(
    session: Session, sites: Sites, media: list[str], model: str, draws: int, seed: int
) -> list[Ambiguity]:
    """Return the ambiguous share of a session for every draw of moments, medium and anchor.

    Parameters
    ----------
    session
        Real quotes.
    sites
        Where they are made.
    media
        Signals travel in: vacuum, microwave, fibre.
    model
        Of the moments inside the milliseconds.
    draws
        How many; a model without randomness has one.
    seed
        Of the draws.
    """
    rows = []
    for draw in range(draws if model == "uniform" else 1):
        streams = quotes_by_site(session.tape, sites, model, seed + draw)
        for medium in media:
            delays = sites.delays_ns(REFRACTIVE_INDEX[medium])
            for anchor, name in enumerate(sites.names):
                seen = light_cone_nbbo(streams, delays, anchor)
                shares = (
                    seen.share(marks, session.start, session.stop)
                    for marks in (
                        seen.ambiguous, seen.newly_crossed, seen.rest_bid > seen.rest_ask
                    )
                )  # fmt: skip
                rows.append(Ambiguity(draw, model, medium, name, *shares))
    return rows


@dataclass(frozen=True)
class Causes:
    """In which share of the session an anchor's NBBO is ambiguous while another site is open."""

    draw: int
    anchor: str
    site: str
    share: float


def causes(session: Session, sites: Sites, draws: int, seed: int) -> list[Causes]:
    """Return which site is open while the NBBO is ambiguous, for every anchor and draw.

    Light in vacuum; draws and seed are those of `ambiguity`, so that the same moments are taken.
    """
    rows = []
    for draw in range(draws):
        streams = quotes_by_site(session.tape, sites, "uniform", seed + draw)
        for anchor, name in enumerate(sites.names):
            seen = light_cone_nbbo(streams, sites.delays_ns(), anchor)
            for other, site in enumerate(sites.names):
                if other != anchor:
                    marks = seen.ambiguous & ((seen.open_sites >> other) & 1).astype(bool)
                    share = seen.share(marks, session.start, session.stop)
                    rows.append(Causes(draw, name, site, share))
    return rows


@dataclass(frozen=True)
class SlowShare:
    """The share of a session in which an observer below a speed may read another NBBO."""

    draw: int
    speed_km_s: float
    share: float


def slow_shares(
    session: Session, sites: Sites, speeds_km_s: list[float], draws: int, seed: int, anchor: int = 0
) -> list[SlowShare]:
    """Return the frame-dependent share of a session for observers below each speed.

    Parameters
    ----------
    session, sites
        Real quotes, and where they are made.
    speeds_km_s
        Limits.
    draws, seed
        Of the moments inside the milliseconds.
    anchor
        The observer's site.
    """
    length = session.stop - session.start
    rows = []
    for draw in range(draws):
        streams = quotes_by_site(session.tape, sites, "uniform", seed + draw)
        rows += [
            SlowShare(
                draw,
                speed,
                frame_dependent_ns(streams, sites, anchor, session.start, session.stop, speed)
                / length,
            )
            for speed in speeds_km_s
        ]
    return rows


@dataclass(frozen=True)
class Unseen:
    """States that the rest frame never shows, in one draw."""

    draw: int
    states: int
    dissenting: int
    of_frames: int
    slowest_km_s: float
    speeds_km_s: tuple[float, ...]


def unseen(
    session: Session, sites: Sites, draws: int, seed: int, model: str = "uniform"
) -> list[Unseen]:
    """Return, for every draw, the states that some cut shows and the rest frame never does.

    A state dissents when the rest frame does not show its NBBO meanwhile. The speeds are those of
    the slowest observers of dissenting states; states that no inertial observer reads have none.
    The stretch before the first quote of every site is left out.
    """
    rows = []
    for draw in range(draws):
        streams = quotes_by_site(session.tape, sites, model, seed + draw)
        found = unseen_states(streams, sites)
        begun = max(int(each.times[0]) for each in streams)
        late = found.since > begun
        dissent = late & found.dissents
        speeds = np.sort(found.speeds_km_s[dissent])
        of_frames = speeds[np.isfinite(speeds)]
        rows.append(
            Unseen(
                draw,
                int(late.sum()),
                int(dissent.sum()),
                len(of_frames),
                float(of_frames[0]) if len(of_frames) else float("inf"),
                tuple(of_frames.tolist()),
            )
        )
    return rows


@dataclass(frozen=True)
class Pairs:
    """Consecutive quotes of different sites, and how many light does not order."""

    draw: int
    consecutive: int
    cross_site: int
    spacelike: int


def consecutive_pairs(session: Session, sites: Sites, draws: int, seed: int) -> list[Pairs]:
    """Count the consecutive quotes, of all venues, that are made at different sites.

    The arguments are those of `unseen`.
    """
    places = np.array([sites.index(site_of(letter)) for letter in session.tape.letters])
    delays = sites.delays_ns()
    rows = []
    for draw in range(draws):
        tape = session.tape
        moments = moments_within_stamps(tape.stamps, tape.venues, "uniform", seed + draw)
        order = np.argsort(moments, kind="stable")
        rows.append(_pairs(draw, moments[order], places[tape.venues[order]], delays))
    return rows


def consecutive_changes(session: Session, sites: Sites, draws: int, seed: int) -> list[Pairs]:
    """Count consecutive changes of a site's best quote that are made at different sites.

    The arguments are those of `consecutive_pairs`, which counts all quotes instead.
    """
    delays = sites.delays_ns()
    rows = []
    for draw in range(draws):
        streams = quotes_by_site(session.tape, sites, "uniform", seed + draw)
        when = np.concatenate([each.times for each in streams])
        where = np.repeat(np.arange(len(streams)), [len(each) for each in streams])
        order = np.argsort(when, kind="stable")
        rows.append(_pairs(draw, when[order], where[order], delays))
    return rows


def _pairs(draw: int, when: np.ndarray, where: np.ndarray, delays: np.ndarray) -> Pairs:
    cross = where[1:] != where[:-1]
    unordered = cross & (np.diff(when) < delays[where[1:], where[:-1]])
    return Pairs(draw, len(when) - 1, int(cross.sum()), int(unordered.sum()))


def spread_of(values: Any) -> tuple[float, float, float]:
    """Return the mean of values over draws, and the 95 % interval of the mean (Student's t)."""
    given = np.asarray(list(values), dtype=float)
    mean = float(given.mean())
    if len(given) < 2 or given.std() == 0:
        return mean, mean, mean
    half = stats.t.ppf(0.975, len(given) - 1) * given.std(ddof=1) / np.sqrt(len(given))
    return mean, mean - float(half), mean + float(half)
