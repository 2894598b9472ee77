"""Dispatch: tasks handed to a Dask scheduler, results taken as they end, silence noticed.

A driver that is killed leaves its tasks running on somebody's scheduler. They are published there
under the study's name, so that the next driver of the same study takes them over, running or
finished, and nothing is executed twice.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker

from quire.workbook.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, Future

Result = tuple[str, dict[str, Any] | None, str]
"""A task's key, what it returned, and why it returned nothing."""

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_ANSWER = 10.0
_SECONDS_WITHOUT_WORKERS = 60.0
_SECONDS_OF_SILENCE = 30.0
_SECONDS_OF_GRACE = 30.0
_KEPT = "run the study again; finished points are kept"


class Dispatch:
    """Tasks on their way.

    Parameters
    ----------
    client
        A client of the scheduler.
    tasks
        By key: the function and its arguments. Each returns a mapping.
    timeout
        Seconds that a task gives itself; one that takes more than twice that, and some, is lost.
    study
        Under which name the scheduler keeps the tasks when this process is killed; None to keep
        none, on a cluster that ends with this process.
    """

    def __init__(
        self,
        client: Client,
        tasks: Mapping[str, tuple[Any, ...]],
        timeout: float | None,
        study: str | None,
    ) -> None:
        self.client = client
        self.tasks = tasks
        self.limit = None if timeout is None else 2 * (timeout + _SECONDS_OF_GRACE)
        self.name = study and f"quire-{_short(f'{socket.gethostname()} {study}')}"
        scheduler: Any = client.scheduler
        self.scheduler = scheduler
        self.address = str(scheduler.address)
        self.ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.futures: dict[str, Future] = {}
        self.taken_over: set[str] = set()
        self.first_seen: dict[str, float] = {}
        self.last_answer = self.last_worker = time.monotonic()

    def results(self) -> Iterator[Result]:
        """Yield each task's result as it ends, in whatever order that is.

        Raises
        ------
        UserError
            When the scheduler is gone, does not answer, or has had no worker for a minute.
        """
        try:
            self._submit()
            while self.futures:
                try:
                    future = self.ended.get(timeout=_SECONDS_BETWEEN_LOOKS)
                except queue.Empty:
                    yield from self._look()
                    continue
                self.last_answer = self.last_worker = time.monotonic()
                key = next((k for k, f in self.futures.items() if f is future), None)
                if key is not None and (result := self._result_of(key)):
                    del self.futures[key]
                    yield result
        finally:
            self._withdraw()

    def _submit(self) -> None:
        earlier: dict[str, Future] = {}
        if self.name and self.name in self.client.list_datasets():
            earlier = {future.key: future for future in self.client.get_dataset(self.name)}
        for key, (function, *arguments) in self.tasks.items():
            future = earlier.get(f"quire-{key}")
            if future is not None:
                self.taken_over.add(key)
            self._watch(key, future or self._send(key, function, arguments))
        if self.name:
            self.client.publish_dataset(list(self.futures.values()), name=self.name, override=True)

    def _send(self, key: str, function: Callable[..., Any], arguments: list[Any]) -> Future:
        return self.client.submit(function, *arguments, key=f"quire-{key}", pure=False)

    def _watch(self, key: str, future: Future) -> None:
        self.futures[key] = future
        future.add_done_callback(self.ended.put)

    def _result_of(self, key: str) -> Result | None:
        """Return what a task came to; None when it has to be, and was, sent again.

        Raises
        ------
        UserError
            When the scheduler is gone.
        """
        future = self.futures[key]
        if future.status in ("cancelled", "lost"):
            raise UserError("the scheduler is gone", f"start it and {_KEPT}")
        fault = future.exception()
        fields = None if fault is not None else future.result()
        if key in self.taken_over and (fields is None or fields.get("state") != "done"):
            # The killed driver's failure is no answer to this study: things may have been mended.
            self.taken_over.discard(key)
            function, *arguments = self.tasks[key]
            future.release()
            again = self.client.submit(
                function, *arguments, key=f"quire-{key}-{time.time_ns()}", pure=False
            )
            self._watch(key, again)
            return None
        if fault is None:
            return key, fields, ""
        if isinstance(fault, KilledWorker):
            return key, None, "every worker that ran it was killed"
        return key, None, f"{type(fault).__name__}: {fault}"

    def _look(self) -> Iterator[Result]:
        """Ask the scheduler how it is, and give up what is overdue.

        Raises
        ------
        UserError
            When the scheduler is gone, has been silent for too long, or has no workers left.
        """
        now = time.monotonic()
        if self.client.status not in ("running", "connecting"):
            raise UserError("the scheduler is gone", f"start it and {_KEPT}")
        try:
            processing = self.client.sync(
                self.scheduler.processing, callback_timeout=_SECONDS_TO_ANSWER
            )
        except Exception:  # TimeoutError of one kind or another, or the connection's own
            if time.monotonic() - self.last_answer > _SECONDS_OF_SILENCE:
                raise UserError(
                    f"the scheduler at {self.address} does not answer", f"mend it and {_KEPT}"
                ) from None
            return
        self.last_answer = now
        if processing:  # one entry for each worker, busy or not
            self.last_worker = now
        elif now - self.last_worker > _SECONDS_WITHOUT_WORKERS:
            raise UserError(
                f"the scheduler at {self.address} has no workers left",
                f"run 'dask worker {self.address}' and {_KEPT}",
            )
        yield from self._overdue({key for keys in processing.values() for key in keys}, now)

    def _overdue(self, processing: set[str], now: float) -> Iterator[Result]:
        for key, future in list(self.futures.items()):
            if future.key not in processing:
                self.first_seen.pop(key, None)
                continue
            since = self.first_seen.setdefault(key, now)
            if self.limit is not None and now - since > self.limit:
                del self.futures[key]
                future.cancel(force=True)
                yield key, None, f"its worker did not answer for {now - since:.0f} s"

    def _withdraw(self) -> None:
        """Let the scheduler forget what is not done: this process is there to say so."""
        if self.client.status != "running":
            return
        with suppress(Exception):
            if self.name:
                self.client.unpublish_dataset(self.name, callback_timeout=_SECONDS_TO_ANSWER)
        with suppress(Exception):
            self.client.cancel(list(self.futures.values()))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
