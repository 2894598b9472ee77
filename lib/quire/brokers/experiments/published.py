"""What the authors' tables say of the paper's claims, and what the laws predict from their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from quire.brokers.laws.saturation import snapshot_percentile_s
from quire.brokers.tables.audits import window_s
from quire.brokers.tables.derived import (
    Prediction,
    highest_per_s,
    kb_per_pair,
    knee,
    memory_mb,
    passes,
    predict,
    usable_cores,
)
from quire.brokers.tables.rows import ENTERPRISE, JVM, NATIVE, ONE_THREAD, Row, complete, of
from quire.checks import integer

Tables = Mapping[int, Sequence[Row]]
"""Tables of pairs, by the machine's number of virtual cores."""


@dataclass(frozen=True)
class LatencyRow:
    """A broker at 100 messages a second: p50, p99, and both over the median of the native ones."""

    broker: str
    kind: str
    p50_ms: float
    p99_ms: float
    p50_ratio: float
    p99_ratio: float


def latency_rows(rows: Sequence[Row], payload: int) -> list[LatencyRow]:
    """Return every broker's latency at one payload, over the median native broker."""
    at = {row.broker: row for row in rows if row.payload == payload}
    p50 = median(at[name].p50_ms for name in NATIVE)
    p99 = median(at[name].p99_ms for name in NATIVE)
    return [
        LatencyRow(
            broker=name,
            kind="native" if name in NATIVE else "Java" if name in JVM else "Erlang",
            p50_ms=row.p50_ms,
            p99_ms=row.p99_ms,
            p50_ratio=row.p50_ms / p50,
            p99_ratio=row.p99_ms / p99,
        )
        for name, row in at.items()
    ]


def enterprise_ratios(rows: Sequence[Row], payload: int) -> list[float]:
    """Return the ratio of p50s of each enterprise broker over MQTT, ascending."""
    found = latency_rows(rows, payload)
    return sorted(row.p50_ratio for row in found if row.broker in ENTERPRISE)


@dataclass(frozen=True)
class MachineRow:
    """A broker on the three machines: highest rate, knee, and memory on the largest."""

    broker: str
    highest_1: float
    highest_2: float
    highest_4: float
    gain: float
    knee_1: int | None
    knee_2: int | None
    knee_4: int | None
    memory_mb: float
    kb_per_pair: float


def machine_rows(tables: Tables) -> list[MachineRow]:
    """Return what each broker reached; rates in thousands a second.

    A level that was repeated counts in its repetition.
    """
    found = []
    for name in (*NATIVE, *ENTERPRISE):
        own = {cores: of(complete(rows), name) for cores, rows in tables.items()}
        highest = {c: highest_per_s(of(tables[c], name)) / 1e3 for c in own}
        found.append(
            MachineRow(
                broker=name,
                highest_1=highest[1],
                highest_2=highest[2],
                highest_4=highest[4],
                gain=highest[4] / highest[1],
                knee_1=knee(own[1]),
                knee_2=knee(own[2]),
                knee_4=knee(own[4]),
                memory_mb=memory_mb(own[4], 1000),
                kb_per_pair=kb_per_pair(own[4]),
            )
        )
    return found


def least_gain_ratio(rows: Sequence[MachineRow]) -> float:
    """Return the least gain of NATS and Zenoh over the greatest of the one-threaded brokers."""
    gains = {row.broker: row.gain for row in rows}
    return min(gains["NATS"], gains["Zenoh"]) / max(gains[name] for name in ONE_THREAD)


def mosquitto_knee_ratio(rows: Sequence[MachineRow]) -> float:
    """Return Mosquitto's knee over the lower of NATS' and Zenoh's, on the worst machine.

    Raises
    ------
    ValueError
        When one of them passes at no level.
    """
    by_name = {row.broker: row for row in rows}
    ratios = []
    for column in ("knee_1", "knee_2", "knee_4"):
        knees = {name: getattr(by_name[name], column) for name in ("Mosquitto", "NATS", "Zenoh")}
        if None in knees.values():
            raise ValueError(f"{column}: some broker passes at no level")
        ratios.append(knees["Mosquitto"] / min(knees["NATS"], knees["Zenoh"]))
    return max(ratios)


def java_memory_ratio(rows: Sequence[MachineRow]) -> float:
    """Return the least memory of a Java broker over the greatest of a native one."""
    memory = {row.broker: row.memory_mb for row in rows}
    return min(memory[name] for name in JVM) / max(memory[name] for name in NATIVE)


def predictions(
    tables: Tables,
    *,
    law: str = "utilisation",
    below: float | None = None,
    brokers: Sequence[str] = (*NATIVE, *ENTERPRISE),
) -> list[Prediction]:
    """Return a prediction for each broker and machine that has three levels and a saturated row."""
    found = []
    for cores, rows in tables.items():
        own = complete(rows)
        for name in brokers:
            one = predict(own, name, cores, law=law, below=below)
            if one is not None and one.saturated:
                found.append(one)
    return found


def within(found: Sequence[Prediction], share: float) -> int:
    """Return how many predictions are off by at most that share."""
    return sum(abs(one.ratio - 1) <= share for one in found)


def worst_ratio(found: Sequence[Prediction]) -> float:
    """Return the predicted over measured rate that is furthest from one, either way.

    Raises
    ------
    ValueError
        For no predictions.
    """
    if not found:
        raise ValueError("found: must hold at least one prediction")
    return max((one.ratio for one in found), key=lambda ratio: abs(np.log(ratio)))


@dataclass(frozen=True)
class BranchRow:
    """A saturated row: its p50 and p95 in seconds, and the p50 that one number predicts."""

    broker: str
    cores: int
    pairs: int
    p50_s: float
    predicted_s: float
    shape: float

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.p50_s / self.predicted_s


def branch_rows(tables: Tables) -> list[BranchRow]:
    """Return the rows of the saturated branch that still deliver, with what a backlog predicts.

    The capacity is received over the window, the window the median of the table. Rows that deliver
    more than 95 % or less than a twentieth are left out: no backlog, or a broker that has failed.
    """
    found = []
    for cores, rows in tables.items():
        window = window_s([row for row in rows if 0.98 <= row.delivered <= 1.02])
        for row in complete(rows):
            capacity = row.received / window
            if not 0.05 < capacity / row.offered_per_s < 0.95 or row.p50_ms <= 0:
                continue
            found.append(
                BranchRow(
                    broker=row.broker,
                    cores=cores,
                    pairs=row.size,
                    p50_s=row.p50_ms / 1e3,
                    predicted_s=snapshot_percentile_s(0.5, row.offered_per_s, capacity, window),
                    shape=row.p95_ms / row.p50_ms,
                )
            )
    return found


def median_interval(values: Sequence[float], seed: int, draws: int = 2000) -> tuple[float, ...]:
    """Return a median with its 95 % bootstrap interval over the values."""
    held = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(integer("seed", seed, 0))
    medians = np.median(held[random.integers(0, held.size, (draws, held.size))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(np.median(held)), float(low), float(high)


@dataclass(frozen=True)
class Decision:
    """A row that no law saw: whether it meets the demand, and what the capacity foretold."""

    broker: str
    cores: int
    pairs: int
    meets: bool
    foretold: bool


def decisions(tables: Tables, *, below: float = 0.6) -> list[Decision]:
    """Foretell every row above ``below`` of the cores from the rows beneath, if there are three."""
    found = []
    for cores, rows in tables.items():
        own = complete(rows)
        for name in (*NATIVE, *ENTERPRISE):
            one = predict(own, name, cores, below=below)
            if one is None:
                continue
            limit = below * usable_cores(name, cores)
            for row in of(own, name):
                if row.cpu_cores > limit or row.delivered < 0.98:
                    foretold = row.offered_per_s < one.predicted_per_s
                    found.append(Decision(name, cores, row.size, passes(row), foretold))
    return found


def hit_rates(found: Sequence[Decision]) -> tuple[float, float]:
    """Return the share foretold rightly, and that of the better constant answer.

    Raises
    ------
    ValueError
        For no decisions.
    """
    if not found:
        raise ValueError("found: must hold at least one decision")
    hits = sum(one.meets == one.foretold for one in found) / len(found)
    meets = sum(one.meets for one in found) / len(found)
    return hits, max(meets, 1 - meets)
