"""Which brokers there are, how each is started on loopback, and what is missing of the others."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from quire.brokers.protocols._dialect import Dialect
from quire.brokers.protocols.amqp import Amqp
from quire.brokers.protocols.frames import Frames
from quire.brokers.protocols.mqtt import Mqtt
from quire.brokers.protocols.nats import Nats
from quire.brokers.protocols.resp import Resp
from quire.brokers.servers.running import (
    BrokerUnavailable,
    Launch,
    Server,
    new_folder,
    running,
)
from quire.checks import integer
from quire.ports import free_port
from quire.signatures import checked

_JAVA = Path("/usr/share/java")
_JARS = (
    "activemq-broker",
    "activemq-client",
    "activemq-console",
    "activemq-mqtt",
    "activemq-openwire-legacy",
    "mqtt-client",
    "hawtdispatch",
    "hawtdispatch-transport",
    "hawtbuf",
    "slf4j-api",
    "slf4j-nop",
)
_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass(frozen=True)
class Broker:
    """One broker: what it is, how to talk to it, how to start it.

    Attributes
    ----------
    name, label
        How it is chosen, and how a table calls it.
    kind
        ``native``, ``enterprise`` (Erlang), ``jvm``, or ``floor`` (ours, a lower bound).
    dialect
        Makes a client's protocol; None where only a library speaks it (Zenoh).
    launch
        Makes the way to start it from a folder and a port; None for what is not to be had here.
    needs
        What is missing when it cannot be started, or None.
    """

    name: str
    label: str
    kind: str
    dialect: Callable[[], Dialect] | None
    launch: Callable[[Path, int], Launch] | None
    needs: Callable[[], str | None]

    def available(self) -> str | None:
        """Return None when it can be started here, else what is missing."""
        if sys.platform != "linux":
            return "needs Linux"
        return self.needs()


def _mosquitto(folder: Path, port: int, nodelay: bool = True) -> Launch:
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        f"set_tcp_nodelay {'true' if nodelay else 'false'}\nmax_queued_messages 100000\n"
        "log_type error\nlog_type warning\n" + ("user root\n" if os.geteuid() == 0 else "")
    )
    return Launch(((_found("mosquitto"), "-c", str(config)),), port)


def _redis(folder: Path, port: int) -> Launch:
    words = f"--port {port} --bind 127.0.0.1 --dir {folder} --appendonly no --maxclients 50000"
    words += " --protected-mode no"  # clients come from other addresses of loopback
    return Launch(((_found("redis-server"), *words.split(), "--save", ""),), port)


def _nats(folder: Path, port: int) -> Launch:
    config = folder / "nats.conf"
    config.write_text(f'host: "127.0.0.1"\nport: {port}\nmax_connections: 65536\n')
    return Launch(((_found("nats-server"), "-c", str(config)),), port)


def _zenoh(folder: Path, port: int) -> Launch:
    program = str(Path(__file__).with_name("_zenoh_router.py"))
    return Launch(((sys.executable, "-I", program, str(port)),), port)


def _relay(folder: Path, port: int) -> Launch:
    program = str(Path(__file__).with_name("_relay.py"))
    return Launch(((sys.executable, "-I", program, str(port)),), port)


def _activemq(folder: Path, port: int) -> Launch:
    path = os.pathsep.join(
        str(jar) for name in (*_JARS, "geronimo-j*") for jar in sorted(_JAVA.glob(f"{name}.jar"))
    )
    uri = f"broker:(mqtt+nio://127.0.0.1:{port}?maximumConnections=65536)"
    java = [_found("java"), "-Xmx512m", f"-Djava.io.tmpdir={folder}", "-cp", path]
    uri += "?persistent=false&useJmx=false"
    start = ["org.apache.activemq.console.Main", "start", uri]
    return Launch(
        ((*java, *start),), port, {"ACTIVEMQ_HOME": str(folder), "ACTIVEMQ_BASE": str(folder)}, 60.0
    )


def _rabbitmq(folder: Path, port: int, mqtt: bool) -> Launch:
    names, other = free_port(), free_port()
    (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{other if mqtt else port}\n"
        f"mqtt.listeners.tcp.1 = 127.0.0.1:{port if mqtt else other}\n"
        "num_acceptors.tcp = 10\nlog.console = false\nlog.file.level = error\n"
    )
    environment = {
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_NODENAME": f"q{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
    }
    epmd = shutil.which("epmd") or "epmd"
    return Launch(((str(_RABBIT),), (epmd, "-port", str(names))), port, environment, 90.0)


def _program(name: str, package: str) -> Callable[[], str | None]:
    def needs() -> str | None:
        return None if _where(name) else f"needs program {name} (Debian: {package})"

    return needs


def _where(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _found(name: str) -> str:
    found = _where(name)
    if found is None:
        raise BrokerUnavailable(f"needs program {name}")
    return found


def _needs_zenoh() -> str | None:
    return None if importlib.util.find_spec("zenoh") else "needs package eclipse-zenoh"


def _needs_activemq() -> str | None:
    if not _where("java"):
        return "needs program java"
    absent = [name for name in _JARS if not (_JAVA / f"{name}.jar").is_file()]
    if absent:
        return (
            f"needs {absent[0]}.jar (Debian: activemq, libmqtt-client-java, libhawtdispatch-java)"
        )
    return None


def _needs_rabbitmq() -> str | None:
    if not _RABBIT.is_file() or not shutil.which("epmd"):
        return "needs program rabbitmq-server (Debian: rabbitmq-server)"
    return None


def _absent(why: str) -> Callable[[], str]:
    return lambda: why


def _guest() -> Dialect:
    return Mqtt("guest", "guest")


_ALL = (
    Broker("null", "null broker (ours)", "floor", Frames, _relay, lambda: None),
    Broker(
        "mosquitto", "Mosquitto", "native", Mqtt, _mosquitto, _program("mosquitto", "mosquitto")
    ),
    Broker("redis", "Redis", "native", Resp, _redis, _program("redis-server", "redis-server")),
    Broker("nats", "NATS", "native", Nats, _nats, _program("nats-server", "nats-server")),
    Broker("zenoh", "Zenoh", "native", None, _zenoh, _needs_zenoh),
    Broker(
        "rabbitmq-mqtt",
        "RabbitMQ MQTT",
        "enterprise",
        _guest,
        lambda folder, port: _rabbitmq(folder, port, True),
        _needs_rabbitmq,
    ),
    Broker(
        "rabbitmq-amqp",
        "RabbitMQ AMQP",
        "enterprise",
        Amqp,
        lambda folder, port: _rabbitmq(folder, port, False),
        _needs_rabbitmq,
    ),
    Broker("activemq-classic", "ActiveMQ Classic", "jvm", Mqtt, _activemq, _needs_activemq),
    Broker(
        "artemis",
        "ActiveMQ Artemis",
        "jvm",
        None,
        None,
        _absent("not packaged by Debian (its package artemis is a genome browser); jars on Maven"),
    ),
    Broker(
        "hivemq", "HiveMQ CE", "jvm", None, None, _absent("not packaged by Debian; jars on Maven")
    ),
    Broker(
        "emqx", "EMQX", "enterprise", None, None, _absent("not packaged by Debian, PyPI or npm")
    ),
)
BROKERS = {one.name: one for one in _ALL}
"""Every broker by name, those that cannot be started here included."""


@checked
def broker(name: str) -> Broker:
    """Return a broker by name.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name not in BROKERS:
        raise ValueError(f"broker = {name!r}: must be one of {', '.join(BROKERS)}")
    return BROKERS[name]


@checked
@contextmanager
def started(
    name: str, *, port: int | None = None, cpus: Sequence[int] = (), nodelay: bool = True
) -> Iterator[Server]:
    """Run a broker on loopback within a ``with`` block.

    Parameters
    ----------
    name
        One of `BROKERS`.
    port
        A port of 127.0.0.1; a free one when None.
    cpus
        Processors that it may use.
    nodelay
        Mosquitto's own ``set_tcp_nodelay``.

    Raises
    ------
    BrokerUnavailable
        When it cannot be started here, with what is missing.
    BrokerFailed
        When it does not come up.
    """
    chosen = broker(name)
    missing = chosen.available()
    if missing is not None or chosen.launch is None:
        raise BrokerUnavailable(f"{chosen.label}: {missing}")
    port = free_port() if port is None else integer("port", port, 1, 65_535)
    folder = new_folder(name)
    try:
        launch = (
            _mosquitto(folder, port, nodelay)
            if name == "mosquitto"
            else chosen.launch(folder, port)
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    with running(chosen.label, launch, folder, cpus=cpus) as server:
        yield server


@checked
@contextmanager
def all_started(names: Sequence[str], *, cpus: Sequence[int] = ()) -> Iterator[dict[str, Server]]:
    """Run several brokers, all started at once; those that are not available are left out.

    Raises
    ------
    BrokerFailed
        When one that is available does not come up.
    """
    with starting(names, cpus=cpus) as when_started:
        yield when_started()


@checked
@contextmanager
def starting(
    names: Sequence[str], *, cpus: Sequence[int] = ()
) -> Iterator[Callable[[], dict[str, Server]]]:
    """Begin to run several brokers, and yield a function that waits until all accept calls.

    A server takes from a tenth of a second to fifteen until it answers; something else can be done
    meanwhile. Those that are not available are left out. What the function returns is the same each
    time. All are stopped at the end of the block, those that nobody waited for as well.
    """
    wanted = [name for name in names if broker(name).available() is None]
    pool = ThreadPoolExecutor(max(1, len(wanted)))
    begun = [pool.submit(_entered, name, cpus) for name in wanted]
    pool.shutdown(wait=False)
    try:
        yield lambda: {name: one.result()[1] for name, one in zip(wanted, begun, strict=True)}
    finally:
        _leave(begun)


def _leave(begun: Sequence[Future[tuple[AbstractContextManager[Server], Server]]]) -> None:
    """Stop every server that comes up, all at the same time."""
    up = [one.result()[0] for one in begun if one.exception() is None]
    with ThreadPoolExecutor(max(1, len(up))) as pool:
        for ended in [pool.submit(one.__exit__, None, None, None) for one in up]:
            ended.result()


def _entered(name: str, cpus: Sequence[int]) -> tuple[AbstractContextManager[Server], Server]:
    """Return a running broker and what ends it."""
    manager = started(name, cpus=cpus)
    return manager, manager.__enter__()
