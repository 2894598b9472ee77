"""Studies on a real scheduler with real workers, all processes, some of which are killed."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.studies import study

from .counted import count_runs, gone, kernels, runs, wait_for

SIZES = [1, 2, 3, 4, 5]
DRIVER = """\
import sys
from quire.workbook.studies import study
study("99", {"size": [1, 2, 3, 4, 5]}, scheduler=sys.argv[1], output=sys.argv[2])
"""

Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python process in ``tmp_path``; at the end kill those that are left."""
    started: list[subprocess.Popen] = []

    def run(*words: str) -> subprocess.Popen:
        with (tmp_path / f"process-{len(started)}.log").open("w") as said:
            process = subprocess.Popen([sys.executable, *words], cwd=tmp_path, stderr=said)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(start: Start, tmp_path: Path) -> tuple[str, subprocess.Popen]:
    """A scheduler's address and process."""
    file = tmp_path / "scheduler.json"
    words = ("--port", "0", "--dashboard-address", "127.0.0.1:0", "--host", "127.0.0.1")
    process = start("-m", "dask", "scheduler", "--scheduler-file", str(file), *words)
    wait_for(lambda: file.exists() and file.read_text().endswith("}"), 60, "a scheduler")
    return json.loads(file.read_text())["address"], process


def start_worker(start: Start, address: str, folder: Path) -> subprocess.Popen:
    words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
    return start("-m", "dask", "worker", address, "--local-directory", str(folder), *words)


def test_killed_worker_and_killed_driver_lose_nothing(
    tiny: Chapter, start: Start, scheduler: tuple[str, subprocess.Popen], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    count_runs(tiny, log, pause=0.3)
    address, scheduler_process = scheduler
    workers = [start_worker(start, address, tmp_path / "scratch") for _ in range(2)]
    output = tmp_path / "table.parquet"
    kept = output.with_name("table.parquet.points")

    # A worker dies by SIGKILL in the middle of a run: its kernel must follow it.
    driver = start("-c", DRIVER, address, str(output))
    wait_for(lambda: len(kernels(log)) >= 2 or driver.poll(), 120, "two runs to start")
    victim = next(w for w in workers if set(_children(w)) & set(kernels(log)))
    orphans = _children(victim)
    victim.kill()
    victim.wait()
    wait_for(lambda: gone(orphans), 20, "the killed worker's kernel to go")

    # Then the driver dies by SIGKILL, before all is done.
    wait_for(lambda: len(list(kept.glob("*.json"))) >= 2 or driver.poll(), 120, "two points")
    assert driver.poll() is None
    driver.kill()
    driver.wait()
    assert not output.exists()
    # What a write in progress may leave behind is a hidden file, never a point.
    finished = {json.loads(file.read_text())["parameters"]["size"] for file in kept.glob("[!.]*")}
    assert 2 <= len(finished) < len(SIZES)

    # The rerun does what is missing, and nothing else.
    table = study("99", {"size": SIZES}, scheduler=address, output=output)
    assert list(table["size"]) == SIZES
    assert set(table["state"]) == {"done"}, list(table["error"])
    ended = Counter(runs(log))
    assert sorted(ended) == SIZES
    assert {size: ended[size] for size in finished} == dict.fromkeys(finished, 1)
    assert len(list(kept.glob("[!.]*.json"))) == len(SIZES)

    # Everything is there: a third run needs no scheduler at all, and starts no kernel.
    started = len(kernels(log))
    again = study("99", {"size": SIZES}, scheduler="tcp://127.0.0.1:1", output=output)
    assert again.equals(table)
    assert len(kernels(log)) == started

    # Finally the scheduler dies under a study, which says so and stops.
    def stop_scheduler(done: int, total: int) -> None:
        if done == 1:
            scheduler_process.send_signal(signal.SIGKILL)

    with pytest.raises(UserError, match="scheduler"):
        study(
            "99",
            {"size": [7, 8]},
            scheduler=address,
            output=output,
            on_progress=stop_scheduler,
        )
    assert again.equals(study("99", {"size": SIZES}, output=output))


def test_workers_that_come_and_go_lose_nothing(
    tiny: Chapter, start: Start, scheduler: tuple[str, subprocess.Popen], tmp_path: Path
) -> None:
    log, sizes = tmp_path / "log", [1, 2, 3, 4]
    count_runs(tiny, log, pause=0.3)
    address, _ = scheduler
    first = start_worker(start, address, tmp_path / "scratch")
    late: list[subprocess.Popen] = []

    def come_and_go(done: int, total: int) -> None:
        if done == 1:  # a second worker comes, and the first is asked to leave, as at a job's end
            late.append(start_worker(start, address, tmp_path / "scratch"))
            first.terminate()
        if done == 2:  # for a while there is none at all: the next one is started in its place
            late[0].terminate()
            late.append(start_worker(start, address, tmp_path / "scratch"))

    output = tmp_path / "table.parquet"
    table = study("99", {"size": sizes}, scheduler=address, output=output, on_progress=come_and_go)
    assert list(table["size"]) == sizes
    assert set(table["state"]) == {"done"}, list(table["error"])
    assert len(late) == 2
    assert set(runs(log)) == set(sizes)
    wait_for(lambda: gone([first.pid, late[0].pid]), 20, "the workers that left to end")


def _children(process: subprocess.Popen) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
