"""Sources that change with time: PULSE, SIN, EXP and PWL, as SPICE defines them.

Each has ``value(times)`` and ``corners(stop)``, the times at which its slope jumps, where a step of
integration must end. Defaults follow ngspice: rise and fall default to the printing step, width
and period to the end of the run.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = Any  # a number or an array of numbers, of any shape
_MOST_CORNERS = 200_000


@runtime_checkable
class Waveform(Protocol):
    """What a source does in time."""

    def value(self, times: Array) -> Array:
        """Return the value at each time, in volts or amperes."""
        ...

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return the times in (0, stop) at which the slope jumps."""
        ...


@dataclass(frozen=True)
class Constant:
    """A source that does not change."""

    level: float

    def value(self, times: Array) -> Array:
        """Return the level at every time."""
        return np.full_like(np.asarray(times, dtype=float), self.level)

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return no corners."""
        return ()


@dataclass(frozen=True)
class Pulse:
    """PULSE(v1 v2 td tr tf pw per): a trapezium that repeats."""

    low: float
    high: float
    delay: float
    rise: float
    fall: float
    width: float
    period: float

    def value(self, times: Array) -> Array:
        """Return the value at each time, in volts or amperes."""
        t = np.asarray(times, dtype=float) - self.delay
        t = np.where(t > self.period, t - self.period * np.floor(t / self.period), t)
        end = self.rise + self.width
        up = self.low + (self.high - self.low) * t / self.rise
        down = self.high + (self.low - self.high) * (t - end) / self.fall
        inside = np.where(t < self.rise, up, np.where(t <= end, self.high, down))
        return np.where((t <= 0) | (t >= end + self.fall), self.low, inside)

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return the times in (0, stop) at which the slope jumps.

        Raises
        ------
        ValueError
            When the run has too many periods.
        """
        turns = (0.0, self.rise, self.rise + self.width, self.rise + self.width + self.fall)
        if (stop - self.delay) / self.period > _MOST_CORNERS:
            raise ValueError(
                f"period = {self.period:g}: at most {_MOST_CORNERS} periods are allowed in a run"
            )
        found = set()
        k = 0
        while self.delay + k * self.period < stop:
            start = self.delay + k * self.period
            found |= {start + turn for turn in turns if turn <= self.period}
            k += 1
        return tuple(sorted(t for t in found if 0 < t < stop))


@dataclass(frozen=True)
class Sine:
    """SIN(vo va freq td theta phase): a sine that decays with rate theta; phase in degrees."""

    offset: float
    amplitude: float
    frequency: float
    delay: float
    damping: float
    phase: float

    def value(self, times: Array) -> Array:
        """Return the value at each time, in volts or amperes."""
        t = np.maximum(np.asarray(times, dtype=float) - self.delay, 0.0)
        angle = 2 * math.pi * self.frequency * t + math.radians(self.phase)
        return self.offset + self.amplitude * np.sin(angle) * np.exp(-t * self.damping)

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return the time at which the sine starts."""
        return (self.delay,) if 0 < self.delay < stop else ()


@dataclass(frozen=True)
class Exponential:
    """EXP(v1 v2 td1 tau1 td2 tau2): an exponential rise and, later, an exponential return."""

    start: float
    end: float
    rise_delay: float
    rise_time: float
    fall_delay: float
    fall_time: float

    def value(self, times: Array) -> Array:
        """Return the value at each time, in volts or amperes."""
        t = np.asarray(times, dtype=float)
        up = -np.expm1(-np.maximum(t - self.rise_delay, 0.0) / self.rise_time)
        down = -np.expm1(-np.maximum(t - self.fall_delay, 0.0) / self.fall_time)
        swing = self.end - self.start
        return self.start + swing * up - np.where(t > self.rise_delay, swing * down, 0.0)

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return the starts of rise and return."""
        return tuple(sorted(t for t in {self.rise_delay, self.fall_delay} if 0 < t < stop))


@dataclass(frozen=True)
class PiecewiseLinear:
    """PWL(t1 v1 t2 v2 ...): straight lines, constant before the first point and after the last."""

    times: tuple[float, ...]
    levels: tuple[float, ...]

    def value(self, times: Array) -> Array:
        """Return the value at each time, in volts or amperes."""
        return np.interp(np.asarray(times, dtype=float), self.times, self.levels)

    def corners(self, stop: float) -> tuple[float, ...]:
        """Return the points in (0, stop)."""
        return tuple(t for t in self.times if 0 < t < stop)


def waveform(kind: str, numbers: tuple[float, ...], step: float, stop: float) -> Waveform:
    """Return the waveform of a source's card, with ngspice's defaults for what is left out.

    Parameters
    ----------
    kind
        ``pulse``, ``sin``, ``exp`` or ``pwl``.
    numbers
        The values in the parentheses, in order.
    step, stop
        Printing step and end of the transient analysis, from which defaults come.

    Raises
    ------
    ValueError
        For another kind, too few or too many numbers, or times that do not increase.
    """
    given = dict(enumerate(numbers))
    limits = {"pulse": (2, 7), "sin": (2, 6), "exp": (2, 6)}
    if kind in limits:
        least, most = limits[kind]
        if not least <= len(numbers) <= most:
            raise ValueError(f"{kind} takes {least} to {most} numbers, not {len(numbers)}")
    if kind == "pulse":
        rise, fall = (given.get(k, 0.0) if given.get(k, 0.0) > 0 else step for k in (3, 4))
        width = given.get(5, 0.0)
        period = given.get(6, 0.0)
        return Pulse(
            given[0], given[1], given.get(2, 0.0), rise, fall,
            width if width > 0 else stop, period if period > 0 else stop,
        )  # fmt: skip
    if kind == "sin":
        return Sine(
            given[0], given[1], given.get(2, 0.0) or 1 / stop, given.get(3, 0.0),
            given.get(4, 0.0), given.get(5, 0.0),
        )  # fmt: skip
    if kind == "exp":
        first = given.get(2, 0.0) or step
        return Exponential(
            given[0], given[1], first, given.get(3, 0.0) or step,
            given.get(4, 0.0) or first + step, given.get(5, 0.0) or step,
        )  # fmt: skip
    if kind != "pwl":
        raise ValueError(f"{kind}: must be pulse, sin, exp or pwl")
    if len(numbers) < 2 or len(numbers) % 2:
        raise ValueError("pwl takes pairs of time and value")
    times = numbers[::2]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("the times of pwl must increase")
    return PiecewiseLinear(times, numbers[1::2])
