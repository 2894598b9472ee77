"""Message brokers under load: an open loop that tells the truth, real servers, laws, audits.

A broker passes messages from publishers to subscribers. How late they are depends on who takes the
time: this package stamps when a message was *due*, when it was sent, and when it came, drives real
servers that it starts and stops on loopback, and holds published tables against themselves::

    from quire.brokers import Workload, broker, drive, fit_utilisation, started

    print(broker("emqx").available())             # what is missing to start EMQX here
    with started("null") as server:               # or "mosquitto", "redis", "nats", ...
        run = drive(server, Workload(pairs=5, rate_per_s=20.0, seconds=1.0, ignore_s=0.2))
    run.summary.loss                              # 0.0
    run.summary.p99_ms >= run.summary.p50_ms      # True, both from due times
    run.summary.generator_limited                 # whether our own lag spoils the row
    law = fit_utilisation([1e4, 2e4, 4e4], [0.35, 0.6, 1.1])  # cores in use at three rates
    law.capacity_per_s(4.0)                       # 156,000 messages a second on four cores

Read in this order:

1. ``protocols``: MQTT, RESP, NATS, AMQP and our own frames as pure functions on bytes; the stamp.
2. ``measuring``: due times (``schedules``), histograms, latencies of a run, processes.
3. ``load``: workloads, the open-loop generator, and the closed loop that omits what it waits for.
4. ``servers``: the catalogue of brokers, how they are started and guarded, the resetting proxy.
5. ``laws``: capacity, queues, saturation, fan-out, memory, stalls, and two habits of measuring.
6. ``tables``: published rows, what derives from them, and audits of their columns.
7. ``peers``; ``experiments``: what the chapter measures; ``exercises``: its exercises' checks.
"""

from quire.brokers.laws.capacity import (
    Batching,
    InsufficientLevels,
    NotIdentified,
    Utilisation,
    fit_batching,
    fit_utilisation,
)
from quire.brokers.laws.fanout import FanOut, fit_fanout, which_percentiles
from quire.brokers.laws.habits import averaged_snapshots, token_bucket
from quire.brokers.laws.memory import Memory, fit_memory
from quire.brokers.laws.queues import erlang_c, mean_wait, waits, waits_by_scan, waits_in_turn
from quire.brokers.laws.saturation import backlog_percentile_s, snapshot_percentile_s
from quire.brokers.laws.stalls import (
    closed_loop_latencies,
    open_loop_latencies,
    stall_percentile_s,
    stall_tail,
)
from quire.brokers.load.closed_loop import closed_loop
from quire.brokers.load.generator import GeneratorFailed, Run, drive, pinned, rounds_of
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.histograms import Histogram, percentile_interval
from quire.brokers.measuring.latencies import Arrivals, Summary, loss_of, spread, summary
from quire.brokers.measuring.processes import Usage, usage
from quire.brokers.measuring.schedules import Schedule, schedule
from quire.brokers.protocols._dialect import ProtocolError
from quire.brokers.protocols.stamps import Stamp, read_stamp, stamped
from quire.brokers.servers.catalogue import BROKERS, Broker, all_started, broker, started, starting
from quire.brokers.servers.resets import outages, resetting
from quire.brokers.servers.running import (
    BrokerFailed,
    BrokerUnavailable,
    PortBusy,
    Server,
)
from quire.brokers.tables.rows import (
    MalformedTable,
    Row,
    early_fanout_rows,
    fanout_rows,
    pair_rows,
    reset_rows,
)

__all__ = [
    "BROKERS",
    "Arrivals",
    "Batching",
    "Broker",
    "BrokerFailed",
    "BrokerUnavailable",
    "FanOut",
    "GeneratorFailed",
    "Histogram",
    "InsufficientLevels",
    "MalformedTable",
    "Memory",
    "NotIdentified",
    "PortBusy",
    "ProtocolError",
    "Row",
    "Run",
    "Schedule",
    "Server",
    "Stamp",
    "Summary",
    "Usage",
    "Utilisation",
    "Workload",
    "all_started",
    "averaged_snapshots",
    "backlog_percentile_s",
    "broker",
    "closed_loop",
    "closed_loop_latencies",
    "drive",
    "early_fanout_rows",
    "erlang_c",
    "fanout_rows",
    "fit_batching",
    "fit_fanout",
    "fit_memory",
    "fit_utilisation",
    "loss_of",
    "mean_wait",
    "open_loop_latencies",
    "outages",
    "pair_rows",
    "percentile_interval",
    "pinned",
    "read_stamp",
    "reset_rows",
    "resetting",
    "rounds_of",
    "schedule",
    "snapshot_percentile_s",
    "spread",
    "stall_percentile_s",
    "stall_tail",
    "stamped",
    "started",
    "starting",
    "summary",
    "token_bucket",
    "usage",
    "waits",
    "waits_by_scan",
    "waits_in_turn",
    "which_percentiles",
]
