import asyncio
import inspect
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from time import monotonic_ns

import numpy as np
import pytest

import quire.brokers
from quire.brokers import (
    GeneratorFailed,
    Workload,
    broker,
    closed_loop,
    drive,
    rounds_of,
    started,
)
from quire.brokers.experiments import live, memory, saturated, stalls
from quire.brokers.load import _children
from quire.brokers.load._children import Child
from quire.brokers.load._timers import Timer
from quire.brokers.load.bare_sockets import pass_messages, publish_in_turns
from quire.brokers.measuring.latencies import percentile_ms
from quire.brokers.measuring.processes import children_of
from quire.brokers.protocols.frames import Frames
from quire.brokers.protocols.resp import Resp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are started on Linux")


def test_every_message_comes_once_and_in_order(null_broker):
    load = Workload(pairs=20, rate_per_s=20.0, payload=100, seconds=1.0, ignore_s=0.1)
    run = drive(null_broker, load)
    assert run.summary.loss == 0
    assert (run.summary.duplicates, run.summary.gaps) == (0, 0)
    assert run.arrivals.number.size == load.schedule().due_ns.size
    assert (run.arrivals.sent_ns >= run.arrivals.due_ns).all()
    assert (run.arrivals.received_ns > run.arrivals.sent_ns).all()
    due = np.sort(run.arrivals.due_ns - run.start_ns)
    assert (due == load.schedule().due_ns).all()
    assert run.broker_mb > 1
    assert len(rounds_of(run, 4)) == 4
    assert sum(s.due for s in rounds_of(run, 4)) == run.summary.due


def test_a_fan_out_from_two_processes(null_broker):
    load = Workload(pairs=1, rate_per_s=20.0, subscribers=30, seconds=1.0, ignore_s=0.1)
    run = drive(null_broker, load, processes=2)
    assert run.summary.due == pytest.approx(16 * 30, abs=30)
    assert run.summary.loss == 0
    assert set(run.arrivals.subscriber.tolist()) == set(range(30))


def test_an_echo_has_no_second_hop(null_broker):
    run = drive(null_broker, Workload(seconds=0.6, ignore_s=0.1), echo=True)
    assert run.summary.loss == 0
    with pytest.raises(ValueError, match="echo"), started("null") as other:
        other.name = "Mosquitto"
        drive(other, Workload(), echo=True)


def test_one_closed_loop_waits_for_its_message(null_broker):
    found = closed_loop(Frames(), null_broker.port, rate_per_s=200.0, seconds=0.3)
    assert 3 <= found.size <= 61
    assert (found > 0).all()
    assert percentile_ms(found, 0.5) < 1000


@pytest.mark.parametrize("name", ["mosquitto", "redis", "nats", "zenoh"])
def test_a_real_broker_passes_every_message(name):
    if broker(name).available() is not None:
        pytest.skip(broker(name).available())
    with started(name) as server:
        run = drive(server, Workload(pairs=5, rate_per_s=20.0, seconds=0.8, ignore_s=0.1))
    assert run.summary.loss == 0
    assert run.summary.duplicates == 0


def test_quality_1_loses_nothing_through_resets_quality_2_repeats_nothing_and_quality_0_loses():
    if broker("mosquitto").available() is not None:
        pytest.skip(broker("mosquitto").available())
    with started("mosquitto") as server:
        told = live.with_resets(server, rounds=3, up_s=0.9, down_s=0.3, seed=1)
    assert [row.qos for row in told] == [0, 1, 2]
    assert min(row.outages for row in told) >= 1
    assert told[0].lost > 0
    low, high = told[0].over_down[1:]
    assert low <= told[0].over_down[0] <= high
    assert told[1].lost == told[2].lost == 0
    assert told[2].duplicates == 0


def test_levels_of_load_foretell_a_capacity(null_broker):
    rows = saturated.saturation(
        null_broker, "null", [100.0, 400.0, 200.0], pairs=5, rounds=5, seconds=0.2, seed=1
    )
    assert [row.offered_per_s for row in rows] == [100, 200, 400]
    for row in rows:
        middle, low, high = row.received_per_s
        assert 0 < low <= middle <= high
        assert row.predicted_per_s != row.predicted_per_s or row.predicted_per_s > 0


def test_clients_and_brokers_with_and_without_nagle_lose_nothing():
    if broker("mosquitto").available() is not None:
        pytest.skip(broker("mosquitto").available())
    rows = stalls.nagle(rounds=5, seconds=0.4, payload=64, seed=1)
    cells = [(row.clients_delay, row.broker_delays) for row in rows]
    assert cells == [(False, False), (True, False), (False, True), (True, True)]
    assert all(s.due == s.delivered == 80 for row in rows for s in row.rounds)
    middle, low, high = stalls.nagle_ratio(rows, (True, False), (False, False))
    assert 0 < low <= middle <= high


def test_threads_are_looked_at_in_rounds(null_broker):
    load = Workload(pairs=2, rate_per_s=50.0, ignore_s=0.1)
    (shares,) = live.thread_shares({"null": null_broker}, load, rounds=5, seconds=0.2).values()
    assert 0 < shares[1] <= shares[0] <= shares[2] <= 1


def test_memory_has_a_slope_on_every_fresh_server(null_broker):
    load = Workload(rate_per_s=2.0, seconds=0.6, ignore_s=0.1)
    (fresh,) = memory.on_fresh_servers(["null"], [2, 40], load, rounds=2)
    (kept,) = memory.on_running_servers({"null": null_broker}, [5], load, rounds=2)
    assert (fresh.servers, fresh.pairs, kept.servers, kept.pairs) == (2, 40, 0, 5)
    for middle, low, high in (fresh.memory_mb, kept.memory_mb, fresh.kb_per_pair):
        assert low <= middle <= high
    assert fresh.memory_mb[1] > 1
    assert all(math.isnan(slope) for slope in kept.kb_per_pair)


def test_every_round_connects_anew_and_has_phases_of_its_own(null_broker):
    row, (middle, low, high) = live.connect_many(
        null_broker, "null", 20, seconds=0.9, seed=3, rounds=3
    )
    assert (row.pairs, row.connections) == (20, 40)
    assert (middle, low, high) == (1, 1, 1)


def test_who_stays_awake_sends_every_message_too_and_none_early(null_broker):
    load = Workload(pairs=4, rate_per_s=25.0, seconds=0.8, ignore_s=0.1, awake_s=2e-3)
    run = drive(null_broker, load)
    assert run.summary.loss == 0
    assert (run.arrivals.sent_ns >= run.arrivals.due_ns).all()
    # all of 80 messages a second with 2 ms each: what it costs is the generator's
    assert run.generator_cores > 0.1


@pytest.mark.parametrize("awake_ms", [0, 3])
def test_a_timer_fires_once_at_its_time_and_at_once_when_late(awake_ms):
    fired = []

    async def use():
        loop = asyncio.get_running_loop()
        timer = Timer(loop, lambda: fired.append(monotonic_ns()), awake_ms * 1_000_000)
        due = monotonic_ns() + 20_000_000
        timer.at(due)
        await asyncio.sleep(0.06)
        assert len(fired) == 1
        assert fired[0] >= due
        timer.at(due)
        await asyncio.sleep(0.02)
        timer.close()
        assert len(fired) == 2

    with ThreadPoolExecutor(1) as pool:  # a browser of other tests may run a loop in this thread
        pool.submit(asyncio.run, use()).result()


def test_bare_sockets_pass_messages_and_wait_for_their_answers():
    if broker("redis").available() is not None:
        pytest.skip(broker("redis").available())
    with started("redis") as server:
        spent = pass_messages(Resp(), server.port, rate_per_s=200.0, seconds=0.3, payload=100)
        assert 0 < spent < 0.3
        begun = monotonic_ns()
        publish_in_turns(
            Resp(), server.port, rate_per_s=1000.0, clients=3, messages=100, payload=100
        )
        assert monotonic_ns() - begun >= 99_000_000


def test_a_generator_that_is_killed_is_told_and_the_next_one_runs(null_broker):
    def kill(start_ns, pids):
        os.kill(pids[0], signal.SIGKILL)

    load = Workload(pairs=2, rate_per_s=20.0, seconds=0.6, ignore_s=0.1)
    with pytest.raises(GeneratorFailed, match="ended early: no word"):
        drive(null_broker, load, during=kill)
    assert drive(null_broker, load).summary.loss == 0


def test_a_fork_server_that_was_killed_is_started_anew(null_broker):
    load = Workload(pairs=2, rate_per_s=20.0, seconds=0.6, ignore_s=0.1)
    assert drive(null_broker, load).summary.loss == 0
    first = _children._SERVER._process
    first.kill()
    first.wait()
    assert drive(null_broker, load).summary.loss == 0
    assert _children._SERVER._process is not first


def test_no_generator_is_left_when_its_owner_is_killed():
    program = (
        "from quire.brokers.load import _children\n"
        "child = _children.Child()\n"
        "print(_children._SERVER._process.pid, child.pid, flush=True)\n"
        "import time; time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.kill()
    until = monotonic_ns() + 10_000_000_000
    while any(children_of(pid) for pid in pids) and monotonic_ns() < until:
        time.sleep(0.05)
    assert not any(children_of(pid) for pid in pids)


def test_a_generator_is_told_what_it_cannot_read():
    child = Child()
    try:
        child.write({"no": "workload"})
        with pytest.raises(GeneratorFailed, match="KeyError"):
            child.read()
    finally:
        child.end()


def test_quality_2_arrives_once():
    if broker("mosquitto").available() is not None:
        pytest.skip(broker("mosquitto").available())
    with started("mosquitto") as server:
        run = drive(server, Workload(pairs=2, rate_per_s=20.0, seconds=0.8, ignore_s=0.1, qos=2))
    assert (run.summary.loss, run.summary.duplicates) == (0, 0)


def test_nobody_listens():
    with started("null") as server:
        port = server.port
    server.port = port
    with pytest.raises((GeneratorFailed, ValueError)):
        drive(server, Workload(pairs=1, seconds=0.5, ignore_s=0.1), processes=0)


def test_what_a_protocol_lacks_is_refused(null_broker):
    with pytest.raises(ValueError, match="qos = 1"):
        drive(null_broker, Workload(qos=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": 0},
        {"pairs": -1},
        {"rate_per_s": 0.0},
        {"rate_per_s": math.nan},
        {"rate_per_s": -3.0},
        {"payload": 23},
        {"payload": 10**9},
        {"seconds": math.inf},
        {"ignore_s": 6.0},
        {"arrival": "bursty"},
        {"qos": 3},
        {"subscribers": 0},
        {"pairs": 2, "subscribers": 5},
        {"seed": -1},
        {"drain_s": -1.0},
        {"awake_s": -1e-6},
        {"awake_s": math.nan},
    ],
    ids=str,
)
def test_an_impossible_workload_names_its_field(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Workload(**wrong)


def test_the_example_of_the_package_runs():
    text = inspect.getdoc(quire.brokers) or ""
    block = re.search(r"::\n\n((?:    .*\n|\n)+)", text)
    assert block is not None
    names: dict = {}
    exec(textwrap.dedent(block.group(1)), names)
    assert names["run"].summary.loss == 0.0
    assert names["run"].summary.p99_ms >= names["run"].summary.p50_ms
    assert names["law"].capacity_per_s(4.0) == pytest.approx(156_000, rel=0.005)
