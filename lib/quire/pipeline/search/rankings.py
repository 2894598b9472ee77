"""Which module of which microbatch goes first: search over rankings of groups.

A *group* is all chains of one (module, microbatch). A ranking orders the groups; list scheduling by
that ranking gives the makespan. The paper names a hierarchical search whose top level ranks
modality modules; tree search and its rules here are a reconstruction, and ours.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from numbers import Real
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire import checks
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.search.bounds import lower_bound
from quire.signatures import checked

Ranking = Int[np.ndarray, " groups"]
"""Groups in the order of their priority, first the most urgent."""


@dataclass(frozen=True)
class SearchResult:
    """Best schedule found, the ranking behind it, and how the search got there.

    ``trace`` lists (evaluations, seconds, best makespan) at every improvement; ``bound`` is the
    lower bound that the search stopped against.
    """

    schedule: Schedule
    ranking: Ranking
    evaluations: int
    bound: float
    trace: tuple[tuple[int, float, float], ...]


class RankedSteps:
    """Evaluates rankings of one program: the meeting point of ranking and list scheduling."""

    def __init__(self, scheduler: ListScheduler) -> None:
        program = scheduler.program
        self.scheduler, self.program = scheduler, program
        pairs = np.column_stack([program.microbatch, program.module])
        self.groups, self._group = np.unique(pairs, axis=0, return_inverse=True)
        # operations in the order in which ties within a group are broken
        self._rows = np.lexsort((np.arange(program.operations), program.piece, program.segment))
        self._group_of_row = self._group[self._rows]
        self._sizes = np.bincount(self._group)
        work = np.bincount(self._group, weights=program.duration)
        self.work: Float[np.ndarray, " groups"] = work
        self.predecessor = self._predecessors()
        self.twin = self._twins()
        self.evaluations = 0

    def __reduce__(self) -> tuple[type, tuple[ListScheduler]]:
        return RankedSteps, (self.scheduler,)

    def _predecessors(self) -> Int[np.ndarray, " groups"]:
        """Group of the module before in the same microbatch, −1 for the first."""
        before = np.full(len(self.groups), -1, dtype=np.int64)
        same = self.groups[1:, 0] == self.groups[:-1, 0]
        before[1:][same] = np.flatnonzero(same)
        return before

    def _twins(self) -> Int[np.ndarray, " groups"]:
        """Previous group of the same module whose microbatch costs exactly the same, −1 if none."""
        twin = np.full(len(self.groups), -1, dtype=np.int64)
        last: dict[tuple[int, bytes], int] = {}
        cost_of = {
            int(i): np.sort(self.program.duration[self.program.microbatch == i]).tobytes()
            for i in np.unique(self.program.microbatch)
        }
        for group, (microbatch, module) in enumerate(self.groups.tolist()):
            kind = (module, cost_of[microbatch])
            twin[group] = last.get(kind, -1)
            last[kind] = group
        return twin

    def fifo(self) -> Ranking:
        """Return the groups by microbatch, then module."""
        return np.arange(len(self.groups))

    def key(self, ranking: Ranking) -> Int[np.ndarray, " n"]:
        """Operation key of a ranking, for list scheduling."""
        key = np.empty(len(self._rows), dtype=np.int32)
        begin = np.empty_like(self._sizes)  # of each group: the first of its keys
        begin[ranking] = np.cumsum(self._sizes[ranking]) - self._sizes[ranking]
        _number_into(self._rows, self._group_of_row, begin, key)
        return key

    def makespan(self, ranking: Ranking) -> float:
        """Makespan of the list schedule under the ranking."""
        self.evaluations += 1
        return self.scheduler.makespan(self.key(ranking))

    def schedule(self, ranking: Ranking) -> Schedule:
        """List schedule under the ranking."""
        return self.scheduler.run(self.key(ranking))


@njit(cache=True, nogil=True)
@no_type_check
def _number_into(rows, group_of_row, begin, key):
    """Give each group's rows numbers from ``begin`` on, which is used up."""
    for k in range(rows.shape[0]):
        group = group_of_row[k]
        key[rows[k]] = begin[group]
        begin[group] += 1


@dataclass
class BestSoFar:
    """Best ranking so far, with the clock and the stopping rules."""

    steps: RankedSteps
    bound: float
    evaluations: int
    seconds: float
    epsilon: float
    began: float
    ranking: Ranking | None = field(init=False, default=None)
    makespan: float = field(init=False, default=np.inf)
    trace: list[tuple[int, float, float]] = field(default_factory=list)

    def offer(self, ranking: Ranking) -> float:
        """Evaluate a ranking and keep it if it is the best."""
        makespan = self.steps.makespan(ranking)
        if makespan < self.makespan:
            self.ranking, self.makespan = ranking.copy(), makespan
            elapsed = time.perf_counter() - self.began
            self.trace.append((self.steps.evaluations, elapsed, makespan))
        return makespan

    @property
    def done(self) -> bool:
        """Whether evaluations or time are spent, or the bound is as good as reached."""
        return (
            self.steps.evaluations >= self.evaluations
            or self.makespan <= (1 + self.epsilon) * self.bound
            or time.perf_counter() - self.began >= self.seconds
        )

    def result(self) -> SearchResult:
        """Return the best ranking as a schedule, with the trace."""
        assert self.ranking is not None
        schedule = self.steps.schedule(self.ranking)
        return SearchResult(
            schedule, self.ranking, self.steps.evaluations, self.bound, tuple(self.trace)
        )


def first_rankings(scheduler: ListScheduler) -> tuple[RankedSteps, tuple[Ranking, ...]]:
    """Return the three rankings that need no search: first in, heaviest, lightest first."""
    steps = RankedSteps(scheduler)
    by_work = np.lexsort((steps.groups[:, 0], -steps.work))
    return steps, (steps.fifo(), by_work, by_work[::-1].copy())


def best_so_far(
    scheduler: ListScheduler,
    evaluations: int,
    seconds: float,
    epsilon: float | None,
    bound: float | None,
) -> BestSoFar:
    """Begin a search's record with three rankings: first in, heaviest and lightest first.

    Raises
    ------
    ValueError
        If no evaluation is allowed, or a limit is no number.
    """
    evaluations = checks.integer("evaluations", evaluations)
    epsilon = -1.0 if epsilon is None else checks.non_negative("epsilon", epsilon)  # -1: never
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or math.isnan(seconds):
        raise ValueError(f"seconds = {seconds!r}: must be a number, infinite for no limit")
    began = time.perf_counter()
    if bound is None:
        bound = lower_bound(scheduler.program, scheduler.rules.memory_limit).value
    steps, rankings = first_rankings(scheduler)
    best = BestSoFar(steps, bound, evaluations, seconds, epsilon, began)
    for ranking in rankings:
        if best.ranking is None or not best.done:
            best.offer(ranking)
    return best


@checked
def swap_search(
    scheduler: ListScheduler,
    *,
    evaluations: int = 2000,
    seconds: float = np.inf,
    seed: int = 0,
    epsilon: float = 0.005,
    bound: float | None = None,
) -> SearchResult:
    """Random exchanges and moves of groups, kept if they are not worse.

    Stops after ``evaluations`` list schedules or ``seconds``, or at a makespan within ``epsilon``
    of the lower bound.
    """
    best = best_so_far(scheduler, evaluations, seconds, epsilon, bound)
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    assert best.ranking is not None
    ranking, cost = best.ranking.copy(), best.makespan
    groups = len(ranking)
    while not best.done and groups > 1:
        trial = ranking.copy()
        i, j = rng.integers(groups, size=2).tolist()
        if rng.random() < 0.5:
            trial[i], trial[j] = trial[j], trial[i]
        else:
            trial = _moved(ranking, i, j)
        new = best.offer(trial)
        if new <= cost:
            ranking, cost = trial, new
    return best.result()


def _moved(ranking: Ranking, i: int, j: int) -> Ranking:
    """Return the ranking with the group in place ``i`` taken out and put back in place ``j``."""
    trial = ranking.copy()
    if i < j:
        trial[i:j] = ranking[i + 1 : j + 1]
    else:
        trial[j + 1 : i + 1] = ranking[j:i]
    trial[j] = ranking[i]
    return trial


@dataclass
class _Node:
    """A prefix of the ranking: its actions, and the rewards seen below it."""

    untried: list[int]
    children: dict[int, _Node] = field(default_factory=dict)
    visits: int = 0
    best: float = 0.0
    total: float = 0.0


@checked
def tree_search(
    scheduler: ListScheduler,
    *,
    evaluations: int = 2000,
    seconds: float = np.inf,
    seed: int = 0,
    epsilon: float = 0.005,
    bound: float | None = None,
    exploration: float = 0.7,
) -> SearchResult:
    """Monte-Carlo tree search over rankings, with the maximum backed up beside the mean (max-UCT).

    A node is a prefix of groups; an action appends a group whose predecessor is placed, and of
    equal microbatches only the first. Selection takes ``(best + mean)/2 + c·√(ln N / n)`` over
    rewards ``(C_worst − C)/(C_worst − bound)``; a rollout appends the remaining groups in the order
    of the best ranking so far with one in ten exchanged at random. Stops as :func:`swap_search`
    does.
    """
    best = best_so_far(scheduler, evaluations, seconds, epsilon, bound)
    steps, rng = best.steps, np.random.default_rng(checks.integer("seed", seed, 0))
    exploration = checks.non_negative("exploration", exploration)
    assert best.ranking is not None
    worst = best.makespan * 1.25
    root = _Node(_actions(steps, []))
    while not best.done:
        node, prefix, path = root, [], [root]
        while not node.untried and node.children:
            node, action = _select(node, exploration)
            prefix.append(action)
            path.append(node)
        if node.untried:
            action = node.untried.pop(int(rng.integers(len(node.untried))))
            prefix.append(action)
            node.children[action] = _Node(_actions(steps, prefix))
            path.append(node.children[action])
        makespan = best.offer(_rollout(best.ranking, prefix, rng))
        reward = max(0.0, (worst - makespan) / (worst - best.bound))
        for visited in path:
            visited.visits += 1
            visited.total += reward
            visited.best = max(visited.best, reward)
    return best.result()


def _actions(steps: RankedSteps, prefix: list[int]) -> list[int]:
    placed = set(prefix) | {-1}
    return [
        group
        for group in range(len(steps.groups))
        if group not in placed
        and steps.predecessor[group] in placed
        and steps.twin[group] in placed
    ]


def _select(node: _Node, exploration: float) -> tuple[_Node, int]:
    log = np.log(node.visits)

    def score(action: int) -> float:
        child = node.children[action]
        value = (child.best + child.total / child.visits) / 2
        return float(value + exploration * np.sqrt(log / child.visits))

    action = max(node.children, key=score)
    return node.children[action], action


def _rollout(incumbent: Ranking, prefix: list[int], rng: np.random.Generator) -> Ranking:
    left = np.ones(len(incumbent), dtype=bool)
    left[prefix] = False
    rest = incumbent[left[incumbent]]
    for _ in range(max(1, len(rest) // 10)):
        if len(rest) > 1:
            i, j = rng.integers(len(rest), size=2)
            rest[i], rest[j] = rest[j], rest[i]
    return np.concatenate([np.array(prefix, dtype=np.int64), rest])
