"""How fast, and how much memory: each task in a process of its own, on one thread."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quire.self_healing.experiments.intervals import mean_interval

_RUN = "from quire.self_healing.experiments import speed; speed.main()"


@dataclass(frozen=True)
class RaceRow:
    """Two ways to the same end.

    Attributes
    ----------
    what
        The task.
    size
        Its size.
    reference_ms, ours_ms
        Median milliseconds of processor time.
    ratio, low, high
        Geometric mean of reference over ours, with its interval over rounds or problems.
    gap
        Largest relative difference of the results, ours above theirs positive.
    """

    what: str
    size: int
    reference_ms: float
    ours_ms: float
    ratio: float
    low: float
    high: float
    gap: float


@dataclass(frozen=True)
class Memory:
    """The peak of a whole run.

    Attributes
    ----------
    stage
        Up to and with what.
    megabytes
        Largest resident size of the process so far.
    """

    stage: str
    megabytes: float


def alone(task: str, timeout: float = 500.0, **request: Any) -> tuple[Any, ...]:
    """Run a task of this module in a process of its own and return its rows.

    Parameters
    ----------
    task
        ``discovery``, ``retrieval``, ``parsing`` or ``memory``.
    timeout
        Seconds allowed.
    **request
        What the task takes, as plain data.

    Raises
    ------
    RuntimeError
        When the process fails or takes too long, with the last line it wrote.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    settings = {
        **threads,
        "XLA_FLAGS": flags.strip(),
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN], input=json.dumps({"task": task, **request}),
            capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, **settings},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"timeout = {timeout} s: the timed process needs more time") from late
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise RuntimeError(f"the timed process ended with status {done.returncode}: {last}")
    kind = Memory if task == "memory" else RaceRow
    return tuple(kind(**row) for row in json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the task that stands in standard input and print its rows as JSON."""
    asked = json.load(sys.stdin)
    tasks: dict[str, Callable[..., list[Any]]] = {
        "discovery": discovery, "retrieval": retrieval, "parsing": parsing, "memory": memory,
    }  # fmt: skip
    print(json.dumps([asdict(row) for row in tasks[asked.pop("task")](**asked)]))


def discovery(
    sizes: Sequence[int], problems: int = 5, bins: int = 450, seed: int = 14
) -> list[RaceRow]:
    """Time masked discovery in JAX against L-BFGS, each on the same problems with right priors.

    Both get the Gram matrices; JAX's compilation is left out. The gap is how far our objective
    lies above theirs, at the most.
    """
    from quire.self_healing.reasoning.dynotears import discover, discovery_problem
    from quire.self_healing.reasoning.lbfgs import discover_by_lbfgs
    from quire.self_healing.reasoning.priors import Prior, penalty_mask
    from quire.self_healing.reasoning.structures import simulate_process, standardised

    rows = []
    for d in sizes:
        ours, theirs, gaps = [], [], []
        names = [str(k) for k in range(d)]
        for k in range(problems):
            process = simulate_process(d, bins, 1000 * seed + k)
            pairs = np.argwhere(process.W != 0)[::2].tolist()
            mask = penalty_mask(names, [Prior(names[i], names[j], "curated") for i, j in pairs])
            problem = discovery_problem(standardised(process.X), mask_w=mask, mask_a=mask)
            if k == 0:
                discover(problem)
            started = time.process_time()
            found = discover(problem)
            ours.append(time.process_time() - started)
            started = time.process_time()
            other = discover_by_lbfgs(problem)
            theirs.append(time.process_time() - started)
            gaps.append(found.objective / other.objective - 1)
        rows.append(_row("discovery", d, theirs, ours, max(gaps)))
    return rows


def retrieval(queries: Sequence[str], references: Sequence[str], rounds: int = 5) -> list[RaceRow]:
    """Time the nearest reference by difflib's ratio, by rapidfuzz and by our tf-idf product."""
    from difflib import SequenceMatcher

    from quire.self_healing.peers.rapidfuzz import ratios
    from quire.self_healing.perception.retrieval import fit_vectoriser

    vectoriser = fit_vectoriser(references)
    rows = vectoriser.vectors(references)

    def by_difflib() -> Any:
        return [
            [SequenceMatcher(None, q, r, autojunk=False).ratio() for r in references]
            for q in queries
        ]

    ways: dict[str, Callable[[], Any]] = {
        "rapidfuzz": lambda: ratios(queries, references),
        "tf-idf": lambda: (vectoriser.vectors(queries) @ rows.T).toarray(),
    }
    slow, first = [], np.zeros((0, 0))
    for _ in range(rounds):
        started = time.process_time()
        first = np.asarray(by_difflib())
        slow.append(time.process_time() - started)
    found = []
    for name, way in ways.items():
        way()
        times = []
        for _ in range(rounds):
            started = time.process_time()
            second = np.asarray(way())
            times.append(time.process_time() - started)
        agree = float(np.mean(first.argmax(axis=1) == second.argmax(axis=1)))
        found.append(_row(f"nearest reference by {name}", len(queries), slow, times, 1 - agree))
    return found


def parsing(logs: dict[str, Sequence[str]], rounds: int = 5) -> list[RaceRow]:
    """Time Drain (drain3) and our inducer on whole logs, in lines a second."""
    from quire.self_healing.peers.drain3 import drain
    from quire.self_healing.perception.induction import induce

    theirs, ours, lines = [], [], sum(len(log) for log in logs.values())
    for _ in range(rounds):
        started = time.process_time()
        for system, log in logs.items():
            drain(system, log)
        theirs.append(time.process_time() - started)
        started = time.process_time()
        for log in logs.values():
            induce(log)
        ours.append(time.process_time() - started)
    return [_row("templates of logs", lines, theirs, ours, 0.0)]


def memory(tables: dict[str, str], cases: str, d: int = 20) -> list[Memory]:
    """Run the whole pipeline offline and tell the process's peak after each stage."""
    from quire.self_healing.perception.induction import induce
    from quire.self_healing.perception.readers import read_log
    from quire.self_healing.perception.routes import Perception

    found = [Memory("start", _peak())]
    for system, table in tables.items():
        log = read_log(system, table)
        parse = induce(log.contents)
        first = {t: k for k, t in reversed(list(enumerate(parse.line_templates)))}
        Perception([log.contents[k] for k in first.values()], list(first)).perceive(log.contents)
    found.append(Memory("perception of all lines", _peak()))
    from quire.self_healing.action.cases import read_cases
    from quire.self_healing.experiments.abstention import edge_first

    edge_first(read_cases(cases), splits=3)
    found.append(Memory("diagnosis of all windows", _peak()))
    from quire.self_healing.reasoning.dynotears import discover, discovery_problem
    from quire.self_healing.reasoning.structures import simulate_process, standardised

    discover(discovery_problem(standardised(simulate_process(d, 450, 1).X)))
    found.append(Memory("discovery in JAX", _peak()))
    return found


def _peak() -> float:
    """Return the peak resident size of this program in MB.

    Linux hands the peak of the process that started it on to ``getrusage``, so that it is read from
    the kernel's account of this program's memory there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size * (1 if sys.platform == "darwin" else 1024) / 1e6


def _row(what: str, size: int, theirs: list[float], ours: list[float], gap: float) -> RaceRow:
    ratios = np.log(np.array(theirs) / np.maximum(ours, 1e-6))
    mean, low, high = (float(np.exp(v)) for v in mean_interval(ratios.tolist()))
    return RaceRow(what, size, 1e3 * float(np.median(theirs)), 1e3 * float(np.median(ours)),
                   mean, low, high, gap)  # fmt: skip
