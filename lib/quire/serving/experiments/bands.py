"""How uncertain a replay is: a band from what the tables do not know, held against vLLM."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from quire.serving.experiments.replays import CELLS, Run, simulate
from quire.serving.profiles.attention import AttentionGrid, leave_one_out


@dataclass(frozen=True)
class BandRow:
    """One cell of one run: milliseconds of vLLM, of ours, and the band's ends."""

    run: str
    cell: str
    real: float | int
    ours: float | int
    low: float | int
    high: float | int

    @property
    def covered(self) -> bool:
        """Whether vLLM's value lies in the band."""
        return self.low <= self.real <= self.high

    @property
    def half_width(self) -> float:
        """Half the band's width, per cent of our value."""
        return 50 * (self.high - self.low) / self.ours


def table_error(grid: AttentionGrid) -> float:
    """Return the mean absolute error of points predicted from their neighbours, over all axes."""
    found = [
        np.abs(leave_one_out(grid, axis))
        for axis, name in enumerate(("chunks", "decodes", "prefill_kv", "decode_kv"))
        if getattr(grid, name).size >= 3
    ]
    return float(np.mean(np.concatenate(found)))


def bands(runs: Sequence[Run], host_us: float | int, members: int = 8) -> list[BandRow]:
    """Return the band of every cell: the range over corners of what is uncertain.

    Attention slower or faster by the table's own error; no time between steps or ``host_us``; 2 %
    fewer or more blocks (left out with four members).

    Parameters
    ----------
    runs
        Real runs.
    host_us
        The larger time between steps, microseconds.
    members
        8, or 4 to leave the capacity alone.

    Raises
    ------
    ValueError
        When a run's attention is no grid.
    """
    rows = []
    for run in runs:
        if not isinstance(run.profile.attention, AttentionGrid):
            raise ValueError(f"run = {run.name}: its attention must be a grid")
        error = table_error(run.profile.attention)
        shares = (0.98, 1.02) if members >= 8 else (1.0,)
        found = []
        for factor, host, share in product((1 - error, 1 + error), (0.0, host_us), shares):
            rules = replace(run.config, blocks=max(1, round(run.config.blocks * share)))
            table = run.profile.scaled(attention=factor)
            found.append(
                simulate(run, profile=table, config=rules, host_ns=1e3 * host).served().cells()
            )
        ours, real = simulate(run).served().cells(), run.real.cells()
        for cell in CELLS:
            values = [each[cell] for each in [*found, ours]]
            rows.append(
                BandRow(run.name, " ".join(cell), real[cell], ours[cell], min(values), max(values))
            )
    return rows
