"""Clusters: the Dask workers that run a study, our own or those of a running scheduler."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quire.workbook.errors import UserError
from quire.workbook.files import work_folder

if TYPE_CHECKING:
    from distributed import Client, Worker

# distributed takes most of a second to import, and only studies need it: not at the top.

_SECONDS_TO_CONNECT = 5
_SECONDS_FOR_A_WORKER = 30


@contextmanager
def connect(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Yield a client of the cluster at ``scheduler``, or of a local one with ``workers`` processes.

    A cluster of our own is closed at the end of the block, however the block ends.

    Raises
    ------
    UserError
        When no scheduler answers at that address, or it has no workers, or none can be started.
    """
    with _quiet():
        if scheduler is None:
            with _local(workers) as client:
                yield client
        else:
            with _remote(scheduler) as client:
                yield client


def default_workers() -> int:
    """Return how many workers a cluster of our own has: a chapter's kernel uses several cores."""
    return min(2, os.cpu_count() or 1)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    # Dask would cap the workers' BLAS at one thread; a point is to run as `quire run` runs it.
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}}),
        work_folder() as scratch,
    ):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,  # papermill changes the process's working folder
                dashboard_address="127.0.0.1:0",  # any free port: 8787 may be somebody's
                scheduler_kwargs={"dashboard": False},
                local_directory=str(scratch),
                memory_limit=0,  # the work is in the kernels, where Dask does not look
                silence_logs=logging.CRITICAL,
                preload=[__name__],  # for dask_setup, below
            )
        except (RuntimeError, OSError, TimeoutError) as fault:
            raise UserError(
                f"no local cluster could be started ({fault})",
                "call study() under 'if __name__ == \"__main__\":', or give a scheduler's address",
            ) from None
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


def dask_setup(worker: Worker) -> None:
    """Let a worker live through Ctrl-C, which a terminal sends to the driver's children as well.

    Dask calls this in every worker process as it starts. The driver closes its workers itself. The
    handler does nothing, rather than being `SIG_IGN`, which the kernels would inherit.
    """
    signal.signal(signal.SIGINT, lambda number, frame: None)


@contextmanager
def _remote(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        # Asked by a thread of its own: a notebook's already runs an event loop.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _shake_hands(address)).result()
    except Exception:  # whatever it is that answers there, it is no scheduler
        raise UserError(
            f"no Dask scheduler answers at {address}",
            "start one with 'dask scheduler', or leave out the address for a local cluster",
        ) from None
    with Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS_FOR_A_WORKER)
        except TimeoutError:
            raise UserError(
                f"the scheduler at {address} has no workers", f"run 'dask worker {address}'"
            ) from None
        yield client


async def _shake_hands(address: str) -> None:
    """Raise unless a Dask process answers; a `Client` that fails would linger and complain."""
    from distributed.comm import connect

    # Its own timeout does not cover a stranger that takes the connection and says nothing.
    comm = await asyncio.wait_for(connect(address), _SECONDS_TO_CONNECT)
    comm.abort()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log off the screen: what matters of it is told in one line or in the table."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
