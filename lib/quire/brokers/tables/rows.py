"""Rows of mq-bench's tables, as numbers with units, whatever columns a table has.

Three kinds of table came from three versions of one script: pairs, fan-out, and latency by payload,
and a fourth from the runs with resets. Empty cells become NaN.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from quire.checks import positive
from quire.signatures import checked

_STARTED = re.compile(r"_(\d{8}_\d{6})_")
NAMES = {
    "zenoh": "Zenoh",
    "nats": "NATS",
    "redis": "Redis",
    "mqtt_mosquitto": "Mosquitto",
    "mosquitto": "Mosquitto",
    "mqtt_emqx": "EMQX",
    "emqx": "EMQX",
    "mqtt_hivemq": "HiveMQ",
    "hivemq": "HiveMQ",
    "mqtt_rabbitmq": "RabbitMQ",
    "rabbitmq": "RabbitMQ",
    "amqp-rabbitmq": "RabbitMQ AMQP",
    "mqtt_artemis": "Artemis",
    "artemis": "Artemis",
}
NATIVE = ("Zenoh", "NATS", "Redis", "Mosquitto")
ENTERPRISE = ("EMQX", "HiveMQ", "RabbitMQ", "Artemis")
JVM = ("HiveMQ", "Artemis")
MQTT = ("Mosquitto", "EMQX", "HiveMQ", "RabbitMQ", "Artemis")
ONE_THREAD = ("Redis", "Mosquitto")


class MalformedTable(ValueError):
    """A table that lacks a column or holds something else than a number, with its line."""


@dataclass(frozen=True)
class Row:
    """One measured level.

    Attributes
    ----------
    broker, payload
        Who, and bytes of a message.
    size
        Pairs, or subscribers in a fan-out.
    offered_per_s, received_per_s
        Deliveries a second, due and reported.
    received, sent, samples
        Counts as the table has them.
    p50_ms, p95_ms, p99_ms, max_ms
        The columns of those names, whatever they hold.
    cpu_cores, memory_mb
        Mean over the run, of the broker's container.
    loss
        The column ``loss_pct`` as a share.
    started
        When the run began.
    """

    broker: str
    payload: int
    size: int
    offered_per_s: float
    received_per_s: float
    received: float
    sent: float
    samples: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_cores: float
    memory_mb: float
    loss: float
    started: datetime | None

    @property
    def delivered(self) -> float:
        """Share of the due rate that was reported as received; above one while a backlog drains."""
        return self.received_per_s / self.offered_per_s


@dataclass(frozen=True)
class ResetRow:
    """One run with resets: messages sent, received, reported lost, and latencies."""

    broker: str
    qos: int
    seconds: float
    outages: int
    sent: int
    received: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    up_s: float
    down_s: float

    @property
    def loss(self) -> float:
        """Share of the messages that never came."""
        return 1 - self.received / self.sent


@checked
def pair_rows(table: Iterable[Mapping[str, str]]) -> list[Row]:
    """Read a table of pairs: ``rate`` is the offered rate of all of them.

    Raises
    ------
    MalformedTable
        For a missing column or something that is no number.
    """
    return [_row(line, k, fanout=False) for k, line in _lines(table)]


@checked
def fanout_rows(table: Iterable[Mapping[str, str]]) -> list[Row]:
    """Read a table of a fan-out: offered are ``subs * rate`` deliveries.

    Raises
    ------
    MalformedTable
        For a missing column or something that is no number.
    """
    return [_row(line, k, fanout=True) for k, line in _lines(table)]


@checked
def early_fanout_rows(table: Iterable[Mapping[str, str]]) -> list[Row]:
    """Read the fan-outs of the oldest table, whose ``transport`` says ``fanout-BROKER-sSIZE``.

    Other rows are left out; so are brokers that later tables do not have.

    Raises
    ------
    MalformedTable
        For a missing column or something that is no number.
    """
    found = []
    for k, line in _lines(table):
        named = re.fullmatch(r"fanout-(.+)-s(\d+)", line.get("transport") or "")
        broker = named and named.group(1).replace("mqtt-", "mqtt_")
        if named is None or broker not in NAMES:
            continue
        found.append(_row({**line, "transport": broker, "subs": named.group(2)}, k, fanout=True))
    return found


@checked
def reset_rows(table: Iterable[Mapping[str, str]]) -> list[ResetRow]:
    """Read the table of runs with resets, each column by its name.

    Raises
    ------
    MalformedTable
        For a missing column or something that is no number.
    """
    found = []
    for k, line in _lines(table):
        sent = _whole(line, "sent", k)
        if not sent:
            raise MalformedTable(f"line {k}: sent = 0: must be positive")
        found.append(
            ResetRow(
                broker=_broker(line.get("broker") or "", k),
                qos=_whole(line, "qos", k),
                seconds=_number(line, "duration_sec", k),
                outages=_whole(line, "net_failures", k),
                sent=sent,
                received=_whole(line, "received", k),
                p50_ms=_number(line, "lat_p50_ms", k),
                p99_ms=_number(line, "lat_p99_ms", k),
                max_ms=_number(line, "lat_max_ms", k),
                up_s=_number(line, "mttf", k),
                down_s=_number(line, "mttr", k),
            )
        )
    return found


def complete(rows: Iterable[Row]) -> list[Row]:
    """Return the last run of each broker and level: where a level was repeated, the repetition."""
    last: dict[tuple[str, int, int], Row] = {}
    for row in rows:
        key = (row.broker, row.payload, row.size)
        held = last.get(key)
        if held is None or (row.started or datetime.min) >= (held.started or datetime.min):
            last[key] = row
    return list(last.values())


def batches(rows: Iterable[Row], *, apart_s: float = 3600.0) -> list[list[Row]]:
    """Split rows where more than ``apart_s`` passed between the starts of two runs."""
    gap = positive("apart_s", apart_s)
    timed = sorted((row for row in rows if row.started is not None), key=lambda row: _started(row))
    found: list[list[Row]] = []
    for row in timed:
        if found and (_started(row) - _started(found[-1][-1])).total_seconds() <= gap:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def of(rows: Iterable[Row], broker: str, payload: int | None = None) -> list[Row]:
    """Return the rows of one broker (and payload), smallest size first."""
    chosen = [r for r in rows if r.broker == broker and (payload is None or r.payload == payload)]
    return sorted(chosen, key=lambda row: row.size)


def _started(row: Row) -> datetime:
    assert row.started is not None
    return row.started


def _lines(table: Iterable[Mapping[str, str]]) -> Iterable[tuple[int, Mapping[str, str]]]:
    return enumerate(table, start=2)


def _row(line: Mapping[str, str], k: int, *, fanout: bool) -> Row:
    run = line.get("run_id") or ""
    rate = _number(line, "rate", k)
    if fanout:
        size = _whole(line, "subs", k)
        offered = size * rate
    else:
        named = re.search(r"_n(\d+)_", run)
        if named is None:
            raise MalformedTable(f"line {k}: run_id = {run!r}: must name the number of pairs")
        size, offered = int(named.group(1)), rate
    began = _STARTED.search(run)
    cores = "avg_cpu_perc" if "avg_cpu_perc" in line else "max_cpu_perc"
    memory = "avg_mem_used_bytes" if "avg_mem_used_bytes" in line else "max_mem_used_bytes"
    if offered <= 0 or size <= 0:
        raise MalformedTable(f"line {k}: rate and size must be positive")
    return Row(
        broker=_broker(line.get("transport") or "", k),
        payload=_whole(line, "payload", k),
        size=size,
        offered_per_s=offered,
        received_per_s=_number(line, "sub_tps", k),
        received=_number(line, "recv", k),
        sent=_number(line, "sent", k),
        samples=_optional(line, "sample_count", k),
        p50_ms=_number(line, "p50_ms", k),
        p95_ms=_number(line, "p95_ms", k),
        p99_ms=_number(line, "p99_ms", k),
        max_ms=_optional(line, "max_ms", k),
        cpu_cores=_number(line, cores, k) / 100,
        memory_mb=_number(line, memory, k) / 1e6,
        loss=_optional(line, "loss_pct", k) / 100,
        started=_time(began.group(1), k) if began else None,
    )


def _time(text: str, k: int) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%d_%H%M%S")
    except ValueError:
        raise MalformedTable(f"line {k}: run_id: {text} is no date and time") from None


def _whole(line: Mapping[str, str], column: str, k: int) -> int:
    value = _number(line, column, k)
    if value != int(value):
        raise MalformedTable(f"line {k}: {column} = {line.get(column)!r}: must be a whole number")
    return int(value)


def _broker(name: str, k: int) -> str:
    if name not in NAMES:
        raise MalformedTable(f"line {k}: transport = {name!r}: is not among the brokers")
    return NAMES[name]


def _optional(line: Mapping[str, str], column: str, k: int) -> float:
    return _number(line, column, k) if line.get(column) else math.nan


def _number(line: Mapping[str, str], column: str, k: int) -> float:
    text = line.get(column)
    if text is None:
        raise MalformedTable(f"line {k}: the column {column} is missing")
    try:
        if "_" in text:  # which Python allows between digits
            raise ValueError
        value = float(text)
    except ValueError:
        raise MalformedTable(f"line {k}: {column} = {text!r}: must be a number") from None
    if not math.isfinite(value) or value < 0:
        raise MalformedTable(f"line {k}: {column} = {text!r}: must be finite, zero or more")
    return value
