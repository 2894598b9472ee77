"""The clock of a device at its power cap, and what it does to a step's time.

Power is leakage and fans, plus an energy for each operation and for each byte; an operation's
energy falls with the clock as the voltage does. A device that would draw more than its cap lowers
its clock until it draws the cap. Bytes from memory do not wait for the core's clock; operations do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, nnls

from quire.checks import between, positive, real_array


@dataclass(frozen=True)
class ClockModel:
    """A device's power as a function of its work and its clock.

    Attributes
    ----------
    cap_w, clock_mhz
        Power limit, and the clock below it.
    static_w
        Drawn whenever the device works.
    joule_per_flop, joule_per_byte
        At the full clock.
    exponent
        Energy of an operation goes with (clock / full clock)^exponent: 2 where voltage goes with
        the clock, 0 where it does not move.
    """

    cap_w: float | int
    clock_mhz: float | int
    static_w: float | int
    joule_per_flop: float | int
    joule_per_byte: float | int
    exponent: float | int = 2.0

    def __post_init__(self) -> None:
        for name in ("cap_w", "clock_mhz", "static_w"):
            positive(name, getattr(self, name))
        for name in ("joule_per_flop", "joule_per_byte", "exponent"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be zero or more")
        if self.static_w >= self.cap_w:
            raise ValueError(f"static_w = {self.static_w:g}: must be below the cap, {self.cap_w:g}")

    def power_w(
        self, flops: float | int, moved: float | int, seconds: float | int, share: float | int = 1.0
    ) -> float:
        """Return the watts of work that takes ``seconds`` at the full clock, at a share of it.

        Parameters
        ----------
        flops, moved
            Operations and bytes.
        seconds
            At the full clock, without a cap.
        share
            Of the full clock, above 0 and at most 1; operations take 1/share as long.
        """
        seconds, s = positive("seconds", seconds), _share(share)
        spent = self.joule_per_flop * flops * s**self.exponent + self.joule_per_byte * moved
        return self.static_w + spent * s / seconds

    def share_of_clock(self, flops: Any, moved: Any, seconds: Any) -> float:
        """Return the share of the clock at which the work draws the cap; 1 if it never does."""
        if self.power_w(flops, moved, seconds) <= self.cap_w:
            return 1.0
        return float(
            brentq(lambda s: self.power_w(flops, moved, seconds, s) - self.cap_w, 1e-3, 1.0)
        )


def fit_energies(watts: Any, flops: Any, moved: Any, seconds: Any) -> tuple[float, float, float]:
    """Return static watts, joules an operation and joules a byte, from runs below the cap.

    Non-negative least squares of watts = static + e_f flops/s + e_b bytes/s.

    Parameters
    ----------
    watts, flops, moved, seconds
        Of each run: mean power, operations, bytes, and time.

    Raises
    ------
    ValueError
        For fewer than four runs, runs without time, or arrays of different lengths.
    """
    columns = [
        real_array(name, each, 1, least=0.0)
        for name, each in (
            ("watts", watts),
            ("flops", flops),
            ("moved", moved),
            ("seconds", seconds),
        )
    ]
    if columns[0].size < 4:
        raise ValueError(f"watts = {columns[0].size} runs: four are needed for three numbers")
    power, operations, traffic, time = columns
    if (time <= 0).any() or len({column.size for column in columns}) != 1:
        raise ValueError("seconds: must be above zero, and every run needs all four numbers")
    rates = np.stack([np.ones(power.size), operations / time, traffic / time], axis=1)
    scale = np.maximum(np.abs(rates).max(axis=0), 1e-300)
    found, _ = nnls(rates / scale, power)
    static, per_flop, per_byte = found / scale
    return float(static), float(per_flop), float(per_byte)


def _share(value: float | int) -> float:
    if value != 1:
        between("share", value, 0, 1)
    return float(value)
