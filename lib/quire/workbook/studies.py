"""Studies: a chapter run at every point of a grid, in parallel on Dask, into one Parquet table.

Each point is one run as `quire run` does it, in a fresh kernel that a Dask worker starts as its
child. The driver writes every point to disk as it arrives, so no file system need be shared. A
killed worker costs the point it was at, which Dask runs elsewhere; a killed driver costs those in
flight on a cluster of its own, and none on somebody's scheduler, which keeps them for the next run
of the same study. That executes only what is missing or failed.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.clusters import connect, default_workers
from quire.workbook.errors import ChapterFailed, UserError, check_timeout, plain_line, plain_text
from quire.workbook.execution import Progress, execute
from quire.workbook.files import check_writable, write_atomically
from quire.workbook.fingerprints import GROUPS, fingerprint
from quire.workbook.grids import points_of
from quire.workbook.home import home
from quire.workbook.ledger import stored_claims
from quire.workbook.parameters import declared, names_of
from quire.workbook.points import Point, PointStore, point_key, source_digest
from quire.workbook.provenance import git_commit, packages

if TYPE_CHECKING:
    import pandas as pd


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
        For bad input, before any cluster or kernel is started; when another study is working on
        the table; when the scheduler can not be reached, falls silent, or has no workers; when the
        disk is full (finished points are kept).
    """
    from quire.workbook.tables import check_names  # pandas and Arrow: a kernel needs neither

    found = find_chapter(chapter)
    check_names(found, names_of(found))
    parameters = points_of(found, grid, profile, given)
    if workers is not None and (workers < 1 or scheduler is not None):
        raise UserError(
            f"workers = {workers}", "give 1 or more, and only without a scheduler of your own"
        )
    check_timeout(timeout)
    table_path = _table_path(found, output)
    prints = fingerprint(found)
    source = source_digest(found, prints)
    wanted = {point_key(found, source, each): each for each in parameters}
    store = PointStore(table_path)
    tell = on_progress or (lambda done, total: None)
    with store.locked():
        loaded = {key: store.load(key, each) for key, each in wanted.items()}
        points = {key: point for key, point in loaded.items() if point and point.state == "done"}
        missing = {key: each for key, each in wanted.items() if key not in points}
        tell(len(points), len(wanted))
        if missing:
            from quire.workbook.dispatch import Dispatch  # Dask: a finished study needs none

            with connect(scheduler, min(workers or default_workers(), len(missing))) as client:
                tasks = {
                    key: (run_point, found.slug, key, each, timeout, prints)
                    for key, each in missing.items()
                }
                dispatch = Dispatch(client, tasks, timeout, scheduler and str(table_path))
                for key, fields, error in dispatch.results():
                    if fields is None:
                        point = _failed(key, missing[key], 0.0, error)
                    else:
                        point = Point(**{**fields, "claims": tuple(fields["claims"])})
                    store.save(point)
                    points[key] = point
                    tell(len(points), len(wanted))
        return _write_table(table_path, found, source, [points[key] for key in wanted])


def run_point(
    slug: str,
    key: str,
    parameters: dict[str, Any],
    timeout: float | None,
    prints: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run one point in this process, a Dask worker's, and return its `Point` as plain data.

    ``prints`` is the driver's `fingerprint`, by which a worker tells what it has otherwise.
    """
    started = time.monotonic()
    try:
        chapter = find_chapter(slug)
        _check_version(chapter, key, parameters, prints)
        defaults = {name: parameter.default for name, parameter in declared(chapter).items()}
        # Told apart as data: a default 1 is no 1.0, and True is no 1.
        chosen = {n: value for n, value in parameters.items() if repr(value) != repr(defaults[n])}
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


def _check_version(
    chapter: Chapter, key: str, parameters: Mapping[str, Any], prints: Mapping[str, str] | None
) -> None:
    """Check that this worker would compute the point that the driver asked for.

    Raises
    ------
    UserError
        When the chapter or the workbook differs here; names what does.
    """
    mine = fingerprint(chapter)
    if point_key(chapter, source_digest(chapter, mine), parameters) != key:
        others = [group for group in GROUPS if prints and prints.get(group) != mine[group]]
        raise UserError(
            f"the worker on {socket.gethostname()} has another version of {chapter.slug} or of "
            "quire" + (f" ({', '.join(others)})" if others else ""),
            "install the driver's version there, and let no source change during a study",
        )


def _failed(
    key: str, parameters: dict[str, Any], seconds: float, error: str, told: str = ""
) -> Point:
    return Point(
        key,
        parameters,
        "failed",
        round(seconds, 3),
        error=plain_line(error),
        traceback=plain_text(told),
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
