"""What inertial observers read: the part of the cuts that some frame of reference makes.

A frame is a plane of simultaneity, so its cuts are t_a = T + beta . p_a with |beta| < 1: inside the
causal cuts, and fewer. A limit on the speed leaves the frames of slower observers.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from quire.checks import integer, positive
from quire.spacetime.cuts.achievable import all_states, quotes_of, states_at
from quire.spacetime.cuts.segments import EVER
from quire.spacetime.frames.slowest import shortest
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S
from quire.spacetime.geometry.sites import check_sites
from quire.spacetime.quotes.streams import best_of, check_streams


@dataclass(frozen=True, eq=False)
class UnseenStates:
    """Combinations of quotes that some cut shows and the common rest frame never does.

    Attributes
    ----------
    states
        The segment of every site, numbered through all sites as in `Segments`.
    since, until
        The stretch of rest-frame time, ns, in which the state is missed: one of its quotes ends at
        ``since``, another begins only at ``until``.
    bids, asks
        The NBBO of the state.
    speeds_km_s
        An observer must be faster than this to read the state; infinite where only cuts that
        belong to no inertial observer show it.
    dissents
        Whether the rest frame shows this NBBO at no time from just before ``since`` to ``until``.
    """

    states: Int[np.ndarray, "states sites"]
    since: Int[np.ndarray, " states"]
    until: Int[np.ndarray, " states"]
    bids: Int[np.ndarray, " states"]
    asks: Int[np.ndarray, " states"]
    speeds_km_s: Float[np.ndarray, " states"]
    dissents: Bool[np.ndarray, " states"]

    def __len__(self) -> int:
        return len(self.since)


def unseen_states(streams: Any, sites: Any) -> UnseenStates:
    """Return the states that the rest frame misses, each with its slowest observer.

    Parameters
    ----------
    streams
        One per site: what is best there.
    sites
        Where they are.

    Raises
    ------
    ValueError
        For streams or sites that do not fit, or more than twenty million states.
    """
    check_sites(sites)
    table, states = all_states(streams, sites.delays_ns())
    since, until = table.ends[states].min(axis=1), table.starts[states].max(axis=1)
    missed = until >= since
    states, since, until = states[missed], since[missed], until[missed]
    quotes = quotes_of(table, states)
    rest = best_of(streams)
    betas = _free_speeds(table.starts, table.ends, states, sites.positions_ns)
    dissents = _absent(
        np.concatenate([[-EVER], rest.times]),
        np.concatenate([quotes_of(table, table.first[None, :-1])[0][:1], rest.bids]),
        np.concatenate([quotes_of(table, table.first[None, :-1])[0][1:], rest.asks]),
        since,
        until,
        quotes,
    )
    return UnseenStates(
        states,
        since,
        until,
        quotes[:, 0],
        quotes[:, 1],
        np.where(betas < 1, betas * LIGHT_KM_PER_S, np.inf),
        dissents.astype(bool),
    )


def achievable_by_frames(
    streams: Any,
    sites: Any,
    anchor: Any,
    time: Any,
    speed_km_s: Any = LIGHT_KM_PER_S,
) -> set[tuple[int, int]]:
    """Return every (best bid, best ask) of observers at (anchor, time) slower than a speed.

    Parameters
    ----------
    streams, sites
        One stream per site.
    anchor, time
        The event that all these observers pass, ns.
    speed_km_s
        They are slower than this; the speed of light leaves every inertial observer.

    Raises
    ------
    ValueError
        For arguments that do not fit, or a speed above that of light.
    """
    check_sites(sites)
    beta = _fraction_of_light(speed_km_s)
    place, now = integer("anchor", anchor, 0, len(sites) - 1), integer("time", time, -EVER, EVER)
    table, states = states_at(streams, sites.delays_ns(), place, now)
    least = _anchored_speeds(table.starts, table.ends, states, sites.positions_ns, place, now)
    return set(map(tuple, quotes_of(table, states[least < beta]).tolist()))


def frame_dependent_ns(
    streams: Any,
    sites: Any,
    anchor: Any,
    start: Any,
    stop: Any,
    speed_km_s: Any = LIGHT_KM_PER_S,
) -> int:
    """Return for how many ns an observer slower than a speed may read another NBBO than at rest.

    Exact to the nanosecond: the times at which a state is readable form an interval, because the
    least speed that reads it is a convex function of the time; its ends are found by bisection.

    Parameters
    ----------
    streams, sites, anchor
        As for `achievable_by_frames`.
    start, stop
        The stretch of the anchor's time that is looked at, ns, stop not included.
    speed_km_s
        The observers are slower than this.

    Raises
    ------
    ValueError
        For arguments that do not fit.
    """
    check_sites(sites)
    beta = _fraction_of_light(speed_km_s)
    place = integer("anchor", anchor, 0, len(sites) - 1)
    check_streams(streams, len(sites))
    begin, end = integer("start", start, -EVER), integer("stop", stop, -EVER)
    if end <= begin:
        raise ValueError(f"stop = {stop}: must come after start = {start}")
    table, states = all_states(streams, sites.delays_ns())
    rest = best_of(streams)
    spans = _dissenting_spans(
        table.starts,
        table.ends,
        states,
        quotes_of(table, states),
        sites.positions_ns,
        place,
        beta,
        np.concatenate([[-EVER], rest.times]),
        np.concatenate([quotes_of(table, table.first[None, :-1])[0][:1], rest.bids]),
        np.concatenate([quotes_of(table, table.first[None, :-1])[0][1:], rest.asks]),
    )
    return _covered(np.clip(spans, begin, end))


def _covered(spans: Int[np.ndarray, "spans 2"]) -> int:
    """Return the length of the union of half-open intervals."""
    if not len(spans):
        return 0
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.maximum(spans[1:, 0], reached[:-1])
    return int(spans[0, 1] - spans[0, 0] + np.maximum(reached[1:] - begins, 0).sum())


def _fraction_of_light(speed_km_s: Any) -> float:
    speed = positive("speed_km_s", speed_km_s)
    if speed > LIGHT_KM_PER_S:
        raise ValueError(f"speed_km_s = {speed:g}: must be at most {LIGHT_KM_PER_S}")
    return speed / LIGHT_KM_PER_S


@njit(cache=True)
@no_type_check
def _limit(time, reference):
    """Return time - reference as a double, infinite where the time stands for none."""
    if time == EVER:
        return np.inf
    if time == -EVER:
        return -np.inf
    return float(time - reference)


@njit(cache=True)
@no_type_check
def _free(starts, ends, state, places):
    """Return the slowest beta that reads a state at any time."""
    sites = len(state)
    strips = sites * (sites - 1) // 2
    normals = np.empty((strips, 3))
    lows, highs = np.empty(strips), np.empty(strips)
    k = 0
    for a in range(sites):
        for b in range(a + 1, sites):
            normals[k] = places[b] - places[a]
            lows[k], highs[k] = -np.inf, np.inf
            if starts[state[b]] != -EVER and ends[state[a]] != EVER:
                lows[k] = float(starts[state[b]] - ends[state[a]])
            if ends[state[b]] != EVER and starts[state[a]] != -EVER:
                highs[k] = float(ends[state[b]] - starts[state[a]])
            k += 1
    return shortest(normals, lows, highs)


@njit(cache=True)
@no_type_check
def _anchored(starts, ends, state, places, anchor, time):
    """Return the least |beta| that reads a state from (anchor, time)."""
    sites = len(state)
    normals = np.empty((sites, 3))
    lows, highs = np.empty(sites), np.empty(sites)
    for b in range(sites):
        normals[b] = places[b] - places[anchor]
        lows[b] = _limit(starts[state[b]], time)
        highs[b] = _limit(ends[state[b]], time)
    if not (starts[state[anchor]] <= time < ends[state[anchor]]):
        return np.inf
    beta = shortest(normals, lows, highs)
    return np.sqrt(beta[0] ** 2 + beta[1] ** 2 + beta[2] ** 2)


@njit(cache=True)
@no_type_check
def _free_speeds(starts, ends, states, places):
    out = np.empty(len(states))
    for k in range(len(states)):
        beta = _free(starts, ends, states[k], places)
        out[k] = np.sqrt(beta[0] ** 2 + beta[1] ** 2 + beta[2] ** 2)
    return out


@njit(cache=True)
@no_type_check
def _anchored_speeds(starts, ends, states, places, anchor, time):
    out = np.empty(len(states))
    for k in range(len(states)):
        out[k] = _anchored(starts, ends, states[k], places, anchor, time)
    return out


@njit(cache=True)
@no_type_check
def _absent(times, bids, asks, since, until, quotes):
    """Return whether each quote stands in no piece of the rest frame from since - 1 to until."""
    out = np.ones(len(since), np.int64)
    for k in range(len(since)):
        piece = _piece_at(times, since[k] - 1)
        while piece < len(times) and times[piece] <= until[k]:
            if bids[piece] == quotes[k, 0] and asks[piece] == quotes[k, 1]:
                out[k] = 0
                break
            piece += 1
    return out


@njit(cache=True)
@no_type_check
def _dissenting_spans(starts, ends, states, quotes, places, anchor, beta, times, bids, asks):
    """Return the spans of the anchor's time in which some state is readable and not at rest."""
    room = 4 * len(states) + 16
    spans = np.empty((room, 2), np.int64)
    count = 0
    reach = np.empty(len(places), np.int64)
    for b in range(len(places)):
        apart = 0.0
        for d in range(3):
            apart += (places[b, d] - places[anchor, d]) ** 2
        reach[b] = int(beta * np.sqrt(apart)) + 2
    for k in range(len(states)):
        state = states[k]
        since, until = EVER, -EVER
        opens, closes = -EVER, EVER  # no observer this slow reads the state outside
        for b in range(len(state)):
            j = state[b]
            since, until = min(since, ends[j]), max(until, starts[j])
            opens, closes = max(opens, starts[j] - reach[b]), min(closes, ends[j] + reach[b])
        if _all_equal(times, bids, asks, opens, closes, quotes[k, 0], quotes[k, 1]):
            continue
        if until < since:  # the rest frame reads it from `until` to before `since`
            left, right = until, since - 1
        else:
            velocity = _free(starts, ends, state, places)
            if not velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2 < beta * beta:
                continue
            earliest, latest = -np.inf, np.inf
            for b in range(len(state)):
                lag = (
                    velocity[0] * (places[b, 0] - places[anchor, 0])
                    + velocity[1] * (places[b, 1] - places[anchor, 1])
                    + velocity[2] * (places[b, 2] - places[anchor, 2])
                )
                # relative to `until`, so that doubles keep the nanosecond
                earliest = max(earliest, _limit(starts[state[b]], until) - lag)
                latest = min(latest, _limit(ends[state[b]], until) - lag)
            middle = until + int(np.floor((earliest + latest) / 2))
            # The least speed may belong to an end that the state no longer holds at, or to a moment
            # between two whole ns: a neighbour is readable, or nothing is.
            left = middle
            for shift in (0, 1, -1, 2):
                left = middle + shift
                if _anchored(starts, ends, state, places, anchor, left) < beta:
                    break
            right = left
        left = _first_readable(starts, ends, state, places, anchor, beta, left, -1)
        right = _first_readable(starts, ends, state, places, anchor, beta, right, 1)
        if right < left:
            continue
        piece = _piece_at(times, left)
        while piece < len(times) and times[piece] <= right:
            if bids[piece] != quotes[k, 0] or asks[piece] != quotes[k, 1]:
                if count == len(spans):
                    wider = np.empty((2 * count, 2), np.int64)
                    wider[:count] = spans
                    spans = wider
                spans[count, 0] = max(times[piece], left)
                end_of_piece = times[piece + 1] if piece + 1 < len(times) else EVER
                spans[count, 1] = min(end_of_piece, right + 1)
                count += 1
            piece += 1
    return spans[:count]


@njit(cache=True)
@no_type_check
def _piece_at(times, time):
    """Return the piece that holds at a time, the first one before all."""
    return max(int(np.searchsorted(times, time, side="right")) - 1, 0)


@njit(cache=True)
@no_type_check
def _all_equal(times, bids, asks, opens, closes, bid, ask):
    """Whether the rest frame reads this quote all the time between two times."""
    piece = _piece_at(times, opens)
    while piece < len(times) and times[piece] <= closes:
        if bids[piece] != bid or asks[piece] != ask:
            return False
        piece += 1
    return True


@njit(cache=True)
@no_type_check
def _first_readable(starts, ends, state, places, anchor, beta, inner, direction):
    """Return the outermost time in a direction, from ``inner`` on, at which the state is readable.

    The times at which it is are an interval. When ``inner`` is none of them, the answer lies one
    step back, so that the two directions leave nothing between.
    """
    if inner <= -EVER or inner >= EVER - 1:
        return inner
    step, good = 1, inner - direction
    trial = inner
    while _anchored(starts, ends, state, places, anchor, trial) < beta:
        good = trial
        trial += direction * step
        step *= 2
    # readable at `good` (or nowhere in this direction), not at `trial`
    while abs(trial - good) > 1:
        middle = (good + trial) // 2
        if _anchored(starts, ends, state, places, anchor, middle) < beta:
            good = middle
        else:
            trial = middle
    return good
