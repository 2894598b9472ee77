"""Agents in the simulated world, many at once: what they ask, believe, intend, and conclude.

Two prompts stand for two ways to work. ``greedy`` asks for the largest expected information gain;
``script`` walks down from the entry services and then looks at its suspect in a fixed order. The
same call can come from either, with another intent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from quire.checks import between, integer, positive, real_array, whole_array
from quire.provenance.schema.shapes import INFERENCE_CODES, INTENT_CODES
from quire.provenance.worlds.rca import OUTCOMES, World, truths, uniform
from quire.signatures import checked

POLICIES = ("greedy", "script")
NEVER, MISSED = -1, -2  # in an outcome table: not recorded; asked for and missed

_VERIFY, _RULE_OUT, _LOCALISE, _EXPLAIN, _GATHER = range(5)
_SUPPORTS, _REFUTES, _NEUTRAL, _REPLAN, _CONCLUDE = range(5)
assert INTENT_CODES[:5] == ("verify", "rule_out", "localise", "explain", "gather")
assert INFERENCE_CODES == ("supports", "refutes", "neutral", "replan", "conclude")
_SCRIPT = np.array([4, 3, 0, 2, 1])  # kinds in the order in which the script looks at its suspect
_BLOCK = 4096


@dataclass(frozen=True)
class Runs:
    """Finished runs, one per row; steps stand in columns, -1 where there is none.

    Attributes
    ----------
    incident, truth, policy
        What happened, what was true (a hypothesis), and who looked (an index of `POLICIES`).
    tool, outcome, intent, inference, plan
        Per step: the tool, what it said, why, what followed, the plan version.
    verdict, second
        The most likely hypothesis at the end, and the next.
    confidence
        What the agent reports: the belief in its verdict, sharpened by its temperature.
    misses
        Calls that a replay had no recording of.
    """

    incident: Int[np.ndarray, " runs"]
    truth: Int[np.ndarray, " runs"]
    policy: Int[np.ndarray, " runs"]
    tool: Int[np.ndarray, "runs steps"]
    outcome: Int[np.ndarray, "runs steps"]
    intent: Int[np.ndarray, "runs steps"]
    inference: Int[np.ndarray, "runs steps"]
    plan: Int[np.ndarray, "runs steps"]
    verdict: Int[np.ndarray, " runs"]
    second: Int[np.ndarray, " runs"]
    confidence: Float[np.ndarray, " runs"]
    misses: Int[np.ndarray, " runs"]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def lengths(self) -> Int[np.ndarray, " runs"]:
        """Steps of every run."""
        return (self.tool >= 0).sum(axis=1)


@checked
def simulate(
    world: World,
    incidents: np.ndarray,
    policy: np.ndarray,
    tau: np.ndarray,
    seed: int,
    *,
    max_steps: int = 12,
    threshold: float = 0.9,
) -> Runs:
    """Run agents to their verdicts.

    Parameters
    ----------
    world
        Where.
    incidents
        One number per run; equal numbers are the same incident.
    policy
        One index of `POLICIES` per run.
    tau
        The temperature of every run's reported confidence: 1 is calibrated, less is overconfident.
    seed
        Of truths and outcomes.
    max_steps
        After how many steps an agent must conclude.
    threshold
        The belief at which it concludes.
    """
    seed = integer("seed", seed, 0, 2**64 - 1)
    incidents = whole_array("incidents", incidents, 1)
    truth = truths(world, seed, incidents)

    def tables(rows: slice) -> np.ndarray:
        return world.outcomes(seed, incidents[rows], truth[rows])

    return _run(world, incidents, truth, policy, tau, tables, max_steps, threshold)


@checked
def replay(
    world: World,
    recorded: Runs,
    policy: np.ndarray,
    tau: np.ndarray,
    *,
    max_steps: int = 12,
    threshold: float = 0.9,
) -> Runs:
    """Run agents against recorded outputs alone: what was not recorded says nothing (``stub``).

    The beliefs, intents and conclusions are made anew; only tool outputs come from the record.

    Parameters
    ----------
    world
        Whose likelihoods the agents believe in; its tools are never called.
    recorded
        Whose outputs are served.
    policy, tau, max_steps, threshold
        As `simulate` has them.
    """

    def tables(rows: slice) -> np.ndarray:
        tools, outcomes = recorded.tool[rows], recorded.outcome[rows]
        table = np.full((len(tools), world.tools), NEVER, np.int8)
        r, k = np.nonzero(tools >= 0)
        table[r, tools[r, k]] = outcomes[r, k]
        return table

    return _run(world, recorded.incident, recorded.truth, policy, tau, tables, max_steps, threshold)


def _run(world, incidents, truth, policy, tau, tables, max_steps, threshold):  # type: ignore[no-untyped-def]
    max_steps = integer("max_steps", max_steps, 1, 64)
    threshold = between("threshold", threshold, 0, 1)
    tau = real_array("tau", tau, 1, above=0.0)
    policy = whole_array("policy", policy, 1, least=0, most=1)
    count = len(incidents)
    if policy.shape != (count,) or tau.shape != (count,):
        raise ValueError(
            f"policy = {policy.shape}, tau = {tau.shape}: must be one of each per run, {count}"
        )
    parts = []
    for low in range(0, count, _BLOCK):
        rows = slice(low, min(low + _BLOCK, count))
        ask = _from_table(tables(rows))
        parts.append(_block(world, ask, policy[rows], tau[rows], max_steps, threshold))
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return Runs(np.asarray(incidents), np.asarray(truth), policy, *joined)


def run_with(
    world: World,
    ask: Callable[[np.ndarray, np.ndarray], np.ndarray],
    incident: int,
    truth: int,
    policy: int,
    *,
    max_steps: int = 12,
    threshold: float = 0.9,
) -> Runs:
    """Run one agent whose tools are a function of row and tool: the way to replay one record."""
    ways = np.array([policy])
    found = _block(world, ask, ways, np.ones(1), max_steps, threshold)
    return Runs(np.array([incident]), np.array([truth]), ways, *found)


def _from_table(table: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda rows, tool: table[rows, tool]


def _block(
    world: World,
    ask: Callable[[np.ndarray, np.ndarray], np.ndarray],
    policy: np.ndarray,
    tau: np.ndarray,
    max_steps: int,
    threshold: float,
) -> tuple[np.ndarray, ...]:
    """Run one block of agents together; those that have concluded leave the arrays."""
    n, count = world.services, len(policy)
    flat, unsure, by_tool = world.single
    steps = [np.full((count, max_steps), -1, np.int16) for _ in range(5)]
    tools, outcomes, intents, inferences, plans = steps
    belief = np.tile(world.prior.astype(np.float32), (count, 1))
    final = np.empty((count, world.hypotheses), np.float32)
    misses = np.zeros(count, np.int64)
    rows, asked = np.arange(count), np.zeros((count, world.tools), bool)
    version = np.ones(count, np.int16)
    entries = int((world.tiers == 0).sum())
    for k in range(max_steps):
        leader = belief.argmax(axis=1)
        suspect, most = np.minimum(leader // world.reasons, n - 1), belief.max(axis=1)
        tool = _gain(belief, flat, unsure, asked)
        scripted = policy[rows] == 1
        if scripted.any():
            tool[scripted] = _scripted(
                k, entries, suspect[scripted], asked[scripted], tool[scripted], n
            )
        intent = _intents(k, entries, scripted, tool % n, suspect, most)
        said = ask(rows, tool)
        missing = said == NEVER
        misses[rows] += missing
        weight = by_tool[tool, np.maximum(said, 0)]
        weight[missing] = 1.0
        asked[np.arange(len(rows)), tool] = True
        before, belief = belief, belief * weight
        belief /= belief.sum(axis=1, keepdims=True)
        top = belief.max(axis=1)
        done = (top >= threshold) | (k == max_steps - 1)
        now = belief.argmax(axis=1)
        held, was = belief[np.arange(len(rows)), leader], before[np.arange(len(rows)), leader]
        turned = (now // world.reasons != leader // world.reasons) & ((k > 0) | (top > 0.12))
        inference = np.select(
            [done, turned, held < 0.5 * was, held > 1.2 * was],
            [_CONCLUDE, _REPLAN, _REFUTES, _SUPPORTS],
            _NEUTRAL,
        )
        tools[rows, k], intents[rows, k] = tool, intent
        outcomes[rows, k] = np.where(missing, MISSED, said)
        inferences[rows, k], plans[rows, k] = inference, version
        version = version + (turned & ~done).astype(np.int16)
        final[rows[done]] = belief[done]
        keep = ~done
        rows, belief, asked, version = rows[keep], belief[keep], asked[keep], version[keep]
        if not len(rows):
            break
    order = np.argpartition(-final, 1, axis=1)[:, :2]
    first = np.take_along_axis(final, order, 1).argmax(axis=1)
    verdict = order[np.arange(count), first]
    second = order[np.arange(count), 1 - first]
    logs = np.log(np.maximum(final, 1e-30)) / tau[:, None].astype(np.float32)
    logs -= logs.max(axis=1, keepdims=True)
    confidence = 1.0 / np.exp(logs).sum(axis=1, dtype=float)
    return (tools, outcomes, intents, inferences, plans, verdict, second, confidence, misses)


def _gain(
    belief: np.ndarray, flat: np.ndarray, unsure: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Return the tool that tells most: H(outcome) - E H(outcome | hypothesis), in thousandths.

    Rounding makes ties of what another processor would round otherwise; the first tool wins one.
    """
    p = belief @ flat
    p *= np.log(np.maximum(p, 1e-12))
    gain = -p.reshape(len(belief), -1, OUTCOMES).sum(axis=2) - belief @ unsure
    gain[asked] = -1
    return np.rint(gain * 1e3).argmax(axis=1)


def _scripted(
    k: int, entries: int, suspect: np.ndarray, asked: np.ndarray, other: np.ndarray, n: int
) -> np.ndarray:
    """Return what the script asks: traces of entry services, then its suspect, kind by kind."""
    if k < min(entries, 3):
        return np.full(len(suspect), 4 * n + k)
    wanted = _SCRIPT[None, :] * n + suspect[:, None]
    open_ = ~np.take_along_axis(asked, wanted, 1)
    first = open_.argmax(axis=1)
    chosen = wanted[np.arange(len(suspect)), first]
    return np.where(open_.any(axis=1), chosen, other)


def _intents(
    k: int,
    entries: int,
    scripted: np.ndarray,
    at: np.ndarray,
    suspect: np.ndarray,
    most: np.ndarray,
) -> np.ndarray:
    """Return why a step is taken: a plan's reason for the script, a belief's for the other."""
    reacting = np.select(
        [most < 0.15, at != suspect, most > 0.5], [_GATHER, _RULE_OUT, _VERIFY], _LOCALISE
    )
    planned = np.where(k < min(entries, 3), _VERIFY, np.where(at == suspect, _EXPLAIN, _RULE_OUT))
    return np.where(scripted, planned, reacting)


def evidence(world: World, runs: Runs, least: float = 0.25) -> np.ndarray:
    """Return which steps carry the verdict: log P(outcome | verdict) / P(outcome | else) > least.

    Under the prior over the other hypotheses, in nats; (runs, steps), false where there is none.
    """
    least = positive("least", least)
    p, prior = world.likelihood, world.prior[:, None, None]
    rest = ((prior * p).sum(axis=0) - prior * p) / (1 - prior)
    weight = np.log(p / rest)
    tools, said = np.maximum(runs.tool, 0), np.maximum(runs.outcome, 0)
    return (runs.outcome >= 0) & (weight[runs.verdict[:, None], tools, said] > least)


def rejecting_step(world: World, runs: Runs) -> Int[np.ndarray, " runs"]:
    """Return the column of the step that speaks most against the second hypothesis, -1 for none."""
    tools, said = np.maximum(runs.tool, 0), np.maximum(runs.outcome, 0)
    logs = np.log(world.likelihood)
    ratio = logs[runs.verdict[:, None], tools, said] - logs[runs.second[:, None], tools, said]
    ratio = np.where(runs.outcome >= 0, ratio, -np.inf)
    best = ratio.argmax(axis=1)
    return np.where(ratio.max(axis=1) > 0.1, best, -1)


def stated_targets(
    world: World, runs: Runs, seed: int, rationalising: float = 0.0
) -> Int[np.ndarray, "runs steps"]:
    """Return the service that every step says it is about.

    A rationalising agent names a random one with that probability, and the tool's own otherwise.
    """
    r, k = runs.tool.shape
    counter = np.arange(r)[:, None] * 64 + np.arange(k)
    lies = uniform(seed, counter, np.int64(-2)) < rationalising
    drawn = (uniform(seed, counter, np.int64(-3)) * world.services).astype(np.int64)
    return np.where(lies, drawn, runs.tool % world.services)
