"""Studies: a chapter run at every point of a grid, in parallel on Dask, into one Parquet table.

Each point is one run as `quire run` does it, in a fresh kernel that a Dask worker starts as its
child. The driver writes every point to disk as it arrives, so no file system need be shared. A
killed worker costs the point it was at, which Dask runs elsewhere; a killed driver costs those in
flight. The next run of the same study executes only what is missing or failed.
"""

from __future__ import annotations

import re
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.clusters import connect, default_workers
from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.execution import Progress, execute
from quire.workbook.files import check_writable, write_atomically
from quire.workbook.grids import points_of
from quire.workbook.home import home
from quire.workbook.ledger import stored_claims
from quire.workbook.parameters import declared
from quire.workbook.points import Point, PointStore, point_key, source_digest
from quire.workbook.provenance import git_commit, packages

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client, Future


_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def study(
    chapter: str,
    grid: Mapping[str, Sequence[Any]],
    *,
    profile: ProfileName = "default",
    given: Mapping[str, Any] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    output: Path | str | None = None,
    timeout: float | None = None,
    on_progress: Progress | None = None,
) -> pd.DataFrame:
    """Run a chapter at every point of a grid and return one tidy table, which is also written.

    Parameters
    ----------
    chapter
        Slug or number.
    grid
        The values of each swept parameter; the points are their product, the last one fastest.
    profile
        The card's values for the parameters that are not swept.
    given
        Values that win over the profile's, the same for all points.
    scheduler
        Address of a running Dask scheduler (``tcp://host:8786``), whose workers have this version
        of the workbook; by default a cluster on this machine, for the time of the study.
    workers
        Processes of that own cluster; by default 2, or 1 on a single core.
    output
        The Parquet table, by default ``SLUG-study.parquet`` in the current folder. Finished points
        are kept beside it in ``OUTPUT.points/``: a second run executes only what is missing or
        failed.
    timeout
        Seconds that each point may take.
    on_progress
        Called with (points done, points in all), first with those that an earlier run had done.

    Returns
    -------
    pandas.DataFrame
        One row per point, in the order of the grid; `quire.workbook.tables` tells the columns. A
        point that failed is a row too (``state``, ``error``, ``traceback``).

    Raises
    ------
    UserError
        For bad input, before any cluster or kernel is started; when the scheduler can not be
        reached or has no workers; when the disk is full (finished points are kept).
    """
    from quire.workbook.tables import check_names  # pandas and Arrow: a kernel needs neither

    found = find_chapter(chapter)
    parameters = points_of(found, grid, profile, given)
    check_names(found, parameters[0])
    if workers is not None and (workers < 1 or scheduler is not None):
        raise UserError(
            f"workers = {workers}", "give 1 or more, and only without a scheduler of your own"
        )
    if timeout is not None and not timeout > 0:
        raise UserError(f"timeout = {timeout}", "give a positive number of seconds")
    table_path = _table_path(found, output)
    source = source_digest(found)
    wanted = {point_key(found, source, each): each for each in parameters}
    store = PointStore(table_path)
    points = {key: point for key in wanted if (point := store.load(key)) and point.state == "done"}
    missing = {key: each for key, each in wanted.items() if key not in points}
    tell = on_progress or (lambda done, total: None)
    tell(len(points), len(wanted))
    if missing:
        with connect(scheduler, min(workers or default_workers(), len(missing))) as client:
            for point in _run_all(client, found, missing, timeout):
                store.save(point)
                points[point.key] = point
                tell(len(points), len(wanted))
    return _write_table(table_path, found, source, [points[key] for key in wanted])


def run_point(
    slug: str, key: str, parameters: dict[str, Any], timeout: float | None
) -> dict[str, Any]:
    """Run one point in this process, a Dask worker's, and return its `Point` as plain data."""
    started = time.monotonic()
    try:
        chapter = find_chapter(slug)
        if point_key(chapter, source_digest(chapter), parameters) != key:
            raise UserError(
                f"the worker on {socket.gethostname()} has another version of {slug} or of quire",
                "install the driver's version there, and let no source change during a study",
            )
        defaults = {name: parameter.default for name, parameter in declared(chapter).items()}
        chosen = {n: value for n, value in parameters.items() if value != defaults[n]}
        executed = execute(chapter, chosen, timeout=timeout)
    except UserError as fault:
        told = fault.traceback if isinstance(fault, ChapterFailed) else ""
        point = _failed(key, parameters, time.monotonic() - started, str(fault), told)
    except Exception as fault:  # a point's fault of any kind must not stop the others
        error = f"{type(fault).__name__}: {fault}"
        point = _failed(key, parameters, time.monotonic() - started, error, traceback.format_exc())
    else:
        seconds = round(time.monotonic() - started, 3)
        point = Point(key, parameters, "done", seconds, tuple(stored_claims(executed)))
    return asdict(point)


def _run_all(
    client: Client,
    chapter: Chapter,
    missing: Mapping[str, dict[str, Any]],
    timeout: float | None,
) -> Iterator[Point]:
    """Yield the missing points as their runs end, in whatever order that is."""
    from distributed import as_completed

    # Dask knows a task by its key, too: a point that a dead driver left running is not run twice.
    futures = {
        client.submit(run_point, chapter.slug, key, each, timeout, key=f"quire-{key}"): key
        for key, each in missing.items()
    }
    try:
        for future in as_completed(futures, loop=client.loop):
            yield _point_of(future, futures[future], missing[futures[future]])
    finally:
        client.cancel([future for future in futures if not future.done()])


def _point_of(future: Future, key: str, parameters: dict[str, Any]) -> Point:
    """Return the point that a future holds, a failed one where the run never came to an end."""
    if future.status == "cancelled":
        raise UserError(
            "the scheduler is gone", "start it and run the study again; finished points are kept"
        )
    from distributed import KilledWorker

    fault = future.exception()
    if fault is None:
        fields = future.result()
        return Point(**{**fields, "claims": tuple(fields["claims"])})
    if isinstance(fault, KilledWorker):
        return _failed(key, parameters, 0.0, "every worker that ran it was killed")
    return _failed(key, parameters, 0.0, f"{type(fault).__name__}: {fault}")


def _failed(
    key: str, parameters: dict[str, Any], seconds: float, error: str, told: str = ""
) -> Point:
    line = " ".join(error.split())
    return Point(
        key, parameters, "failed", round(seconds, 3), error=line, traceback=_ANSI.sub("", told)
    )


def _table_path(chapter: Chapter, output: Path | str | None) -> Path:
    path = Path(output) if output is not None else Path(f"{chapter.slug}-study.parquet")
    if path.suffix != ".parquet":
        raise UserError(f"{path} is no name for a Parquet table", "let it end in .parquet")
    return check_writable(path)


def _write_table(
    path: Path, chapter: Chapter, source: str, points: Sequence[Point]
) -> pd.DataFrame:
    from quire.workbook.tables import parquet, tabulate

    table = tabulate(chapter, points)
    about = {
        "chapter": chapter.slug,
        "source": source,
        "commit": git_commit(home()),
        "packages": packages(),
    }
    write_atomically(path, parquet(table, about))
    return table
