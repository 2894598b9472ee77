"""Servers are stopped whatever happens: block left, driver killed, kernel of a notebook killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from quire.brokers import (
    BROKERS,
    BrokerFailed,
    BrokerUnavailable,
    PortBusy,
    all_started,
    broker,
    started,
    starting,
)
from quire.brokers.experiments import live
from quire.brokers.measuring.processes import (
    busiest_share,
    children_of,
    is_loopback,
    thread_seconds,
)
from quire.brokers.servers import catalogue
from quire.brokers.servers.resets import resetting
from quire.brokers.servers.running import Launch, new_folder, running
from quire.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are started on Linux")


def is_gone(pid: int, within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not children_of(pid):
            return True
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["null", "mosquitto", "redis", "nats", "zenoh"])
def test_a_server_runs_on_loopback_and_is_gone_afterwards(name):
    if broker(name).available() is not None:
        pytest.skip(broker(name).available())
    with started(name) as server:
        assert server.usage().resident_mb > 1
        assert server.listening()
        assert all(map(is_loopback, server.listening()))
        socket.create_connection(("127.0.0.1", server.port)).close()
    assert is_gone(server.pid)
    assert not server.folder.exists()
    assert server.guard.returncode == 0


def test_a_server_is_gone_when_its_block_raises():
    with pytest.raises(KeyError), started("null") as server:
        raise KeyError
    assert is_gone(server.pid)


DRIVER = """
import sys, time
from quire.brokers import started
with started("null") as server:
    print(server.pid, server.guard.pid, server.folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_no_server_outlives_its_driver(how):
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        assert driver.stdout is not None
        server, guard, folder = driver.stdout.readline().split()
        driver.send_signal(how)
        driver.wait(20)
    assert is_gone(int(server))
    assert is_gone(int(guard))
    assert not Path(folder).exists()


def test_no_server_outlives_its_guard():
    with contextlib.suppress(BrokerFailed), started("null") as server:
        os.kill(server.guard.pid, signal.SIGKILL)
        assert is_gone(server.pid)
    assert not server.folder.exists()


def test_no_server_outlives_the_kernel_of_a_notebook():
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute(
            "from quire.brokers import started\nblock = started('null')\n"
            "server = block.__enter__()\n"
            "print(server.pid, server.guard.pid, flush=True)"
        )
        told = ""
        while not told:
            message = client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream":
                told = message["content"]["text"]
            assert message["msg_type"] != "error", message["content"]["evalue"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    server, guard = map(int, told.split())
    assert is_gone(server)
    assert is_gone(guard)


def test_a_daemon_of_a_server_is_ended_too():
    folder, port = new_folder("daemon"), free_port()
    relay = Path(sys.modules[running.__module__].__file__ or "").with_name("_relay.py")
    program = (
        "import os, subprocess, sys\n"
        f"own = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"open('daemon', 'w').write(str(own.pid))\n"
        f"os.execv(sys.executable, [sys.executable, '-I', {str(relay)!r}, '{port}'])"
    )
    with running("x", Launch(((sys.executable, "-c", program),), port), folder) as server:
        daemon = int((server.folder / "daemon").read_text())
        assert children_of(daemon)
    assert is_gone(daemon)


def test_a_server_that_exits_is_told_with_its_log():
    folder = new_folder("broken")
    program = "import sys; print('no such option', file=sys.stderr); sys.exit(3)"
    launch = Launch(((sys.executable, "-c", program),), free_port())
    with pytest.raises(BrokerFailed, match="no such option"), running("broken", launch, folder):
        pass
    assert not folder.exists()


def test_a_program_that_is_missing_is_told():
    launch = Launch((("/no/such/program",),), free_port())
    with (
        pytest.raises(BrokerFailed, match="could not be started"),
        running("gone", launch, new_folder("gone")),
    ):
        pass


def test_a_server_that_is_open_to_others_is_not_used():
    port = free_port()
    program = (
        "import socket, time\ns = socket.socket()\n"
        f"s.bind(('0.0.0.0', {port}))\ns.listen()\ntime.sleep(60)"
    )
    launch = Launch(((sys.executable, "-c", program),), port)
    with pytest.raises(BrokerFailed, match="loopback"), running("open", launch, new_folder("open")):
        pass


def test_a_port_that_is_taken_is_told_before_anything_is_started():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        before = set(Path(tempfile.gettempdir()).glob("quire-null-*"))
        with pytest.raises(PortBusy, match=f"port = {port}"), started("null", port=port):
            pass
        assert set(Path(tempfile.gettempdir()).glob("quire-null-*")) <= before


@pytest.mark.parametrize("port", [0, 65_536])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ValueError, match="port"), started("null", port=port):
        pass


def test_brokers_that_cannot_be_had_say_what_is_missing():
    for name in ("emqx", "hivemq", "artemis"):
        assert "not packaged" in (broker(name).available() or "")
        with pytest.raises(BrokerUnavailable, match=BROKERS[name].label), started(name):
            pass
    with pytest.raises(ValueError, match="kafka"):
        broker("kafka")


def test_a_program_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "Debian: mosquitto" in (broker("mosquitto").available() or "")
    with all_started(["mosquitto"]) as found:
        assert found == {}


def test_a_thread_has_its_share(null_broker):
    before = thread_seconds(os.getpid())
    for _ in range(200_000):
        pass
    after = thread_seconds(os.getpid())
    own = threading.get_native_id()
    assert after[own] > before[own]  # far less than a tick of the clock has passed
    assert sum(thread_seconds(null_broker.pid).values()) > 0
    assert busiest_share({}, {1: 3.0, 2: 1.0}) == 0.75
    assert busiest_share({1: 3.0}, {1: 4.0, 2: 3.0}) == 0.75
    with pytest.raises(ValueError, match="no more processor time"):
        busiest_share({1: 1.0}, {1: 1.0})


def test_several_brokers_are_started_at_once_and_none_is_left():
    with all_started(["null", "null"]) as found:
        pids = [server.pid for server in found.values()]
        assert all(children_of(pid) for pid in pids)
    assert not any(children_of(pid) for pid in pids)


def test_something_else_is_done_while_brokers_start_and_nobody_need_wait_for_them():
    with starting(["null", "null"]) as when_started:
        servers = when_started()
        assert when_started() == servers
        assert live.settle(servers.values(), within_s=20.0)
    assert not any(children_of(server.pid) for server in servers.values())
    before = set(Path(tempfile.gettempdir()).glob("quire-null-*"))
    with pytest.raises(KeyError), starting(["null"]):
        raise KeyError
    assert set(Path(tempfile.gettempdir()).glob("quire-null-*")) <= before


def test_a_server_that_works_is_not_at_rest(null_broker):
    assert not live.settle([null_broker], within_s=1e-9)
    with pytest.raises(ValueError, match="within_s"):
        live.settle([], within_s=0.0)


def test_where_one_broker_fails_the_others_are_stopped(monkeypatch):
    kept = []

    def entered(name, cpus):
        if name == "redis":
            raise BrokerFailed("it does not come up")
        made = catalogue_entered(name, cpus)
        kept.append(made[1].pid)
        return made

    catalogue_entered = catalogue._entered
    monkeypatch.setattr(catalogue, "_entered", entered)
    monkeypatch.setattr(catalogue.Broker, "available", lambda self: None)
    with pytest.raises(BrokerFailed, match="come up"), all_started(["null", "redis"]):
        pass
    assert len(kept) == 1
    until = time.monotonic() + 10
    while children_of(kept[0]) and time.monotonic() < until:  # the guard itself ends a moment later
        time.sleep(0.05)
    assert not children_of(kept[0])


def test_a_proxy_asks_for_times(null_broker):
    with pytest.raises(ValueError, match="up_s"), resetting(null_broker, up_s=0.0, down_s=1.0):
        pass
