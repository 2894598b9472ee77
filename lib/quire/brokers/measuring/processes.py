"""Processor seconds and memory of a process and all its descendants, read from Linux' /proc."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quire.checks import integer

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_OF_ALL_THREADS = 2  # the kind of clock that clock_getcpuclockid asks for
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Usage:
    """Processor seconds since their start, resident MB now, and how many processes."""

    cpu_s: float
    resident_mb: float
    processes: int


def children_of(pid: int) -> list[int]:
    """Return a process and all its descendants, parents first; empty when it is gone."""
    pid = integer("pid", pid)
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            found = _stat(int(entry.name))
            if found:
                parents.setdefault(int(found[1]), []).append(int(entry.name))
    if _stat(pid) is None:
        return []
    tree, queue = [], [pid]
    while queue:
        one = queue.pop()
        tree.append(one)
        queue += parents.get(one, [])
    return tree


def usage(pid: int) -> Usage:
    """Return what a process and its descendants use; zeros when it is gone.

    Processor time is the kernel's count to the nanosecond, of all threads, ended ones too.
    """
    cpu, resident, count = 0.0, 0.0, 0
    for one in children_of(pid):
        found = _stat(one)
        if found is None or found[0] == "Z":
            continue
        cpu += _spent(one, found)
        resident += int(found[21]) * _PAGE / 1e6
        count += 1
    return Usage(cpu, resident, count)


def thread_seconds(pid: int) -> dict[int, float]:
    """Return the seconds on a processor of every thread of a process tree, by thread.

    Where the kernel keeps them they come from its scheduler, to the nanosecond; else in ticks.
    """
    spent = {}
    for one in children_of(pid):
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
        except OSError:
            continue
        for task in tasks:
            found = _on_processor(task)
            if found is not None:
                spent[int(task.name)] = found
    return spent


def busiest_share(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the busiest thread's share of what a process tree spent between two looks.

    A thread that the first look did not see began in between.

    Raises
    ------
    ValueError
        When nothing was spent.
    """
    spent = [seconds - before.get(thread, 0.0) for thread, seconds in after.items()]
    if not sum(spent) > 0:
        raise ValueError("after: holds no more processor time than before")
    return max(spent) / sum(spent)


def listening(pid: int) -> list[str]:
    """Return the addresses (``ip:port``) on which a process and its descendants accept calls."""
    inodes = set()
    for one in children_of(pid):
        try:
            links = list(Path(f"/proc/{one}/fd").iterdir())
        except OSError:
            continue
        for link in links:
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                found.append(_address(words[1]))
    return sorted(found)


def is_loopback(address: str) -> bool:
    """Return whether ``ip:port`` can be reached from this host alone."""
    ip = address.rpartition(":")[0]
    return ip.startswith("127.") or ip == "::1" or ip.startswith("::ffff:127.")


def steal_share(before: list[int], after: list[int]) -> float:
    """Return the share of processor time that other guests took between two `host_ticks`."""
    spent = [b - a for a, b in zip(before, after, strict=True)]
    return spent[7] / sum(spent) if sum(spent) else 0.0


def host_ticks() -> list[int]:
    """Return the host's counters: user, nice, system, idle, iowait, irq, softirq, steal."""
    file = Path("/proc/stat")
    if not file.exists():
        return [0] * 8
    return [int(word) for word in file.read_text().splitlines()[0].split()[1:9]]


def _address(words: str) -> str:
    raw, port = words.split(":")
    groups = [bytes.fromhex(raw[k : k + 8])[::-1] for k in range(0, len(raw), 8)]
    data = b"".join(groups)
    if len(data) == 4:
        ip = ".".join(map(str, data))
    elif data[:12] == bytes(10) + b"\xff\xff":
        ip = "::ffff:" + ".".join(map(str, data[12:]))
    elif data == bytes(15) + b"\x01":
        ip = "::1"
    else:
        ip = data.hex(":", 2)
    return f"{ip}:{int(port, 16)}"


def _on_processor(task: Path) -> float | None:
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        pass  # not every kernel keeps it
    try:
        fields = (task / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICK


def _spent(pid: int, stat: list[str]) -> float:
    """Return seconds on a processor by the process' own clock, or else in ticks of 10 ms."""
    try:
        return time.clock_gettime((~pid << 3) | _OF_ALL_THREADS)
    except OSError:
        return (int(stat[11]) + int(stat[12])) / _TICK


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
