"""The cheapest fleet that a judge accepts, with a certificate that nothing on the grid is cheaper.

A cell is a boundary, a gamma and a GPU for either pool. The judge sees each pool's own requests.
Where it is monotone in the number of GPUs (the slot judge is), two judgements settle a pool: n
passes, n - 1 fails. Cells are searched in the order of a guess; one is closed when its pools cannot
undercut the best fleet so far, and the failed judgements that show it are the certificate.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from quire.checks import integer
from quire.serving.planning.gpus import GpuProfile
from quire.serving.planning.slots import judge_slots
from quire.serving.planning.streams import Stream, compress_and_route

MOST_GPUS = 10**7
"""A pool that as many do not satisfy is given up."""

Judge = Callable[["PoolKey", int], bool]


@dataclass(frozen=True)
class PoolKey:
    """A pool of the grid, without its size.

    Attributes
    ----------
    boundary, gamma
        Of its cell.
    gpu
        Profile.
    which
        ``"short"`` or ``"long"``.
    """

    boundary: int
    gamma: float | int
    gpu: GpuProfile
    which: str


@dataclass(frozen=True)
class Certificate:
    """The best fleet, and why no other is better.

    Attributes
    ----------
    short, long
        Its pools.
    gpus_short, gpus_long
        How many.
    dollars_per_hour
        Its cost.
    bound
        No cell can cost less: equal to the cost when the search ended.
    cells, judged
        Of the grid; and judgements made.
    passed, failed
        By pool: the least number that passed, the largest that failed.
    """

    short: PoolKey
    long: PoolKey
    gpus_short: int
    gpus_long: int
    dollars_per_hour: float | int
    bound: float | int
    cells: int
    judged: int
    passed: dict[PoolKey, int]
    failed: dict[PoolKey, int]

    @property
    def gap(self) -> float:
        """Share of the cost that is not proven necessary; 0 for an optimum."""
        return 1 - self.bound / self.dollars_per_hour if self.dollars_per_hour > 0 else 0.0


def search(
    boundaries: Iterable[Any],
    gammas: Iterable[Any],
    gpus: Iterable[GpuProfile],
    judge: Judge,
    *,
    guess: Callable[[PoolKey], float] | None = None,
    judgements: Any = 10_000,
) -> Certificate:
    """Return the cheapest fleet on a grid that the judge accepts.

    Parameters
    ----------
    boundaries, gammas, gpus
        The grid; either pool may have any GPU.
    judge
        Whether a pool of so many GPUs passes; must be monotone. A pool without requests passes
        with none.
    guess
        A pool's number of GPUs, roughly: where to begin.
    judgements
        At most; beyond them the gap is what is not proven.

    Raises
    ------
    ValueError
        When no fleet was found.
    """
    devices = list(gpus)
    grid = [(integer("boundaries", b), float(g)) for b in boundaries for g in gammas]
    cells = [
        (PoolKey(b, g, s, "short"), PoolKey(b, g, k, "long"))
        for b, g in grid
        for s in devices
        for k in devices
    ]
    if not cells:
        raise ValueError("boundaries, gammas, gpus: must hold one of each at least")
    book = _Book(judge, guess or (lambda key: 8.0), integer("judgements", judgements))
    cells.sort(key=lambda c: sum(book.guess(k) * k.gpu.dollars_per_hour for k in c))
    best, found = math.inf, None
    for near, far in cells:
        size = book.settle(near, _most(best - book.floor(far), near))
        if size is None:
            continue
        other = book.settle(far, _most(best - size * near.gpu.dollars_per_hour, far))
        if other is None:
            continue
        cost = size * near.gpu.dollars_per_hour + other * far.gpu.dollars_per_hour
        if cost < best - 1e-9:
            best, found = cost, (near, far, size, other)
    if found is None:
        raise ValueError(f"judgements = {judgements}: no fleet was found")
    bound = min(book.floor(near) + book.floor(far) for near, far in cells)
    bound = best if bound > best - 1e-9 else bound  # sums of prices, in another order
    return Certificate(*found, best, bound, len(cells), book.count, book.passed, book.failed)


def recheck(found: Certificate, judge: Judge) -> bool:
    """Return whether all judgements of a certificate come out again, and close every cell."""
    for key, n in found.passed.items():
        if not judge(key, n):
            return False
    for key, n in found.failed.items():
        if n >= 0 and judge(key, n):
            return False
    keys = {*found.failed, *found.passed}
    shorts = [k for k in keys if k.which == "short"]
    for near in shorts:
        for far in keys:
            if far.which == "short" or (far.boundary, far.gamma) != (near.boundary, near.gamma):
                continue
            floor = sum((found.failed.get(k, -1) + 1) * k.gpu.dollars_per_hour for k in (near, far))
            if floor < found.bound - 1e-9:
                return False
    return True


def _most(money: float | int, key: PoolKey) -> float | int:
    """GPUs that cost less than ``money``: a fleet must be cheaper, not as cheap."""
    if math.isinf(money) or (key.gpu.dollars_per_hour == 0 and money > 1e-9):
        return math.inf
    if key.gpu.dollars_per_hour == 0:
        return -1
    return math.ceil(money / key.gpu.dollars_per_hour - 1e-9) - 1


class _Book:
    """Judgements made, by pool: the least that passed and the largest that failed (-1 for none)."""

    def __init__(self, judge: Judge, guess: Callable[[PoolKey], float], most: int) -> None:
        self.judge, self._guess, self.most = judge, guess, most
        self.passed: dict[PoolKey, int] = {}
        self.failed: dict[PoolKey, int] = {}
        self.count = 0
        self._guessed: dict[PoolKey, float] = {}

    def guess(self, key: PoolKey) -> float:
        if key not in self._guessed:
            self._guessed[key] = self._guess(key)
        return self._guessed[key]

    def floor(self, key: PoolKey) -> float:
        """Dollars that the pool costs at least."""
        return float((self.failed.setdefault(key, -1) + 1) * key.gpu.dollars_per_hour)

    def ask(self, key: PoolKey, n: int) -> bool:
        known = self.passed.get(key)
        if known is not None and n >= known:
            return True
        if n <= self.failed.setdefault(key, -1):
            return False
        self.count += 1
        if self.judge(key, n):
            self.passed[key] = n
            return True
        self.failed[key] = n
        return False

    def settle(self, key: PoolKey, most: float | int) -> int | None:
        """Return the least number that passes, None if it is above ``most`` or time is up."""
        if most < 0:
            return None
        if math.isfinite(most) and not self.ask(key, int(most)):
            return None
        self.failed.setdefault(key, -1)
        n, step = max(0, round(self.guess(key))), 1
        while self.passed.get(key, math.inf) - self.failed[key] > 1:
            low, high = self.failed[key], self.passed.get(key)
            if self.count >= self.most or (high is None and low >= MOST_GPUS):
                return None
            if not low < n < (math.inf if high is None else high):
                n = low + step if high is None else (low + high) // 2
            n += -step if self.ask(key, n) else step
            step *= 2
        return self.passed[key]


class SlotJudge:
    """The slot judge over one stream: each pool's own requests, its P99 within the SLO.

    Parameters
    ----------
    whole
        The stream.
    slo_ms
        Of the P99 time to the first token, wait and the prompt alone.
    long_window
        Of the long pool.
    """

    def __init__(
        self, whole: Stream, slo_ms: float | int = 500.0, long_window: int = 65536
    ) -> None:
        self.whole, self.slo_ms, self.long_window = whole, slo_ms, long_window
        self._routed: dict[tuple[int, float], Any] = {}
        self._pools: dict[PoolKey, Any] = {}

    def pool(self, key: PoolKey) -> Any:
        """Return arrivals, service times, prompts' seconds and slots of a pool; None if empty."""
        if key not in self._pools:
            cell = key.boundary, key.gamma
            if cell not in self._routed:
                self._routed[cell] = compress_and_route(self.whole, *cell)
            which = getattr(self._routed[cell], key.which)
            window = key.boundary if key.which == "short" else self.long_window
            if which.size == 0:
                self._pools[key] = None
            else:
                mine = self._routed[cell].requests(self.whole, key.which)
                self._pools[key] = (
                    mine.arrival_s,
                    mine.service_s(key.gpu, window),
                    mine.prefill_s(key.gpu),
                    key.gpu.slots(window),
                )
        return self._pools[key]

    def guess(self, key: PoolKey) -> float:
        """Return the fluid number of GPUs: rate x E[S] / slots."""
        held = self.pool(key)
        if held is None:
            return 0.0
        at, service, _, slots = held
        if at.size < 2:
            return 1.0
        return max(1.0, float(service.sum() / (at[-1] - at[0]) / slots))

    def __call__(self, key: PoolKey, n: int) -> bool:
        """Whether ``n`` GPUs keep the SLO."""
        held = self.pool(key)
        if held is None:
            return True
        if n < 1:
            return False
        at, service, prefill, slots = held
        if at.size < 2:
            return bool(1e3 * prefill.max() <= self.slo_ms)
        return judge_slots(at, service, n * slots, prefill).ttft_p99_ms <= self.slo_ms
