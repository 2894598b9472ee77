"""What a study costs besides its points: seconds a point, the driver's memory, a study's return.

``python benchmarks/cluster.py [POINTS] [FINISHED]``: a study of FINISHED points (10,000) that are
all done already; then POINTS trivial points (500) on a scheduler with two workers, all processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
from fault_field import Field, scheduler

from quire.workbook.chapters import find_chapter
from quire.workbook.grids import points_of
from quire.workbook.points import PointStore, point_key, source_digest

WORKERS = 2


def busy(process: subprocess.Popen[str]) -> float:
    """Return the seconds of the processor that a running process itself has had."""
    spent = psutil.Process(process.pid).cpu_times()
    return spent.user + spent.system


def timed(process: subprocess.Popen[str]) -> tuple[float, float, float]:
    """Wait for a driver; return the seconds it took, its greatest memory in MiB, and its work.

    The work is in seconds of the processor.
    """
    started, most, spent = time.monotonic(), 0, 0.0
    driver = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            most, spent = max(most, driver.memory_info().rss), busy(process)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    seconds = time.monotonic() - started
    if process.wait():
        raise SystemExit(process.communicate()[1])
    return seconds, most / 2**20, spent


def grid(field: Field, points: int) -> list[str]:
    return ["study", "99", "-p", f"size=1:{points}:{points}", "--output", str(field.table)]


def cost(folder: Path, points: int) -> None:
    """Print what ``points`` trivial points cost on two workers.

    Seconds of the clock depend on what else the machine does; seconds of the processor much less.
    """
    field = Field(folder)
    with scheduler(field, WORKERS) as (address, boss, workers):
        driver = field.start(*grid(field, points), "--scheduler", address)
        seconds, memory, spent = timed(driver)
        serving, working = busy(boss), sum(map(busy, workers))
    table = pd.read_parquet(field.table)
    if set(table["state"]) != {"done"} or len(set(field.kernels())) != points:
        raise SystemExit(f"not every point ran once: {dict(table['state'].value_counts())}")
    inside = float(table["seconds"].mean())
    outside = seconds * WORKERS / points - inside
    print(
        f"{points} points, {WORKERS} workers: {seconds:.0f} s; {inside:.2f} s a point in its worker"
    )
    print(f"outside of it {outside:.3f} s of a worker's time a point, start included")
    print(
        f"processor seconds a point, kernels apart: driver {spent / points:.3f}, "
        f"scheduler {serving / points:.3f}, workers {working / points:.3f}"
    )
    print(f"driver's memory at most {memory:.0f} MiB; load {os.getloadavg()[0]:.1f}")


def resumption(folder: Path, finished: int) -> None:
    """Print how long a study of ``finished`` points takes that an earlier run has done."""
    field = Field(folder)
    chapter = find_chapter("99", field.home)
    source, store = source_digest(chapter), PointStore(field.table)
    timed(field.start("study", "99", "-p", "size=1", "--output", str(field.table)))
    every = points_of(chapter, {"size": range(1, finished + 1)}, "default", None)
    first = store.load(point_key(chapter, source, every[0]))
    if first is None:
        raise SystemExit("the first point was not kept")
    for parameters in every:  # as if all had been run
        key = point_key(chapter, source, parameters)
        store.save(replace(first, key=key, parameters=parameters))
    seconds, memory, spent = timed(field.start(*grid(field, finished)))
    if len(pd.read_parquet(field.table)) != finished or len(field.kernels()) != 1:
        raise SystemExit("a finished point ran again")
    print(
        f"{finished} finished points: {seconds:.1f} s, {spent:.1f} of the processor; "
        f"memory at most {memory:.0f} MiB; load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    points, finished = (int(word) for word in (*sys.argv[1:], "500", "10000")[:2])
    for task, size in ((resumption, finished), (cost, points)):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["QUIRE_HOME"] = str(Path(folder) / "workbook")
            task(Path(folder), size)


if __name__ == "__main__":
    main()
