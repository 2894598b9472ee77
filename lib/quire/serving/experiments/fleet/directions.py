"""Twenty-one directions, ours, in the paper's three tiers: each a function with one number.

The paper's own list was not seen. Every function takes the same `World` and returns its number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quire.serving.experiments.fleet.routers import (
    bandit_rows,
    cascade_rows,
    replicas,
    route_trace,
)
from quire.serving.planning import (
    A10G,
    A100,
    H100,
    Lengths,
    Rules,
    availability,
    calibrate,
    design,
    judge_slots,
    lengths_of,
    moments,
    one_pool,
    p99_wait,
    plan,
    plan_grid,
    poisson_requests,
    saving,
    sweep,
)
from quire.serving.routing import Rule, conflicts, estimates
from quire.serving.workload.mooncake import PrefixTrace
from quire.serving.workload.trace import Trace

B = (1024, 2048, 4096, 6144, 8192)


@dataclass(frozen=True)
class World:
    """What the directions are tried on.

    Attributes
    ----------
    lengths
        Azure's distribution, as the upstream planner has it.
    conversations, code
        Azure's traces.
    prefixes
        A trace whose prompts share prefixes.
    seed
        Of the random numbers.
    """

    lengths: Lengths
    conversations: Trace
    code: Trace
    prefixes: PrefixTrace
    seed: int = 0


def boundary_saving(w: World) -> float:
    """Cost that the best boundary saves against one pool."""
    return max(saving(plan(w.lengths, 200, b), one_pool(w.lengths, 200)) for b in B)


def gamma_saving(w: World) -> float:
    """Further saving of the best gamma at B = 6,144."""
    plans = sweep(w.lengths, 200, 6144)
    return saving(plans[0], next(p for p in plans if p.gamma == 1.0))


def estimator_errors(w: World) -> float:
    """Share sent to the wrong pool by a fixed ratio of bytes, minus that by a learnt one."""
    rng = np.random.default_rng(w.seed)
    n_in, n_out = w.code.n_in[:3000], w.code.n_out[:3000]
    drift = np.linspace(4.2, 3.0, n_in.size) * rng.normal(1, 0.05, n_in.size)
    total, wrong = n_in + n_out, []
    for rate in (0.0, 0.05):
        told = estimates(n_in * drift, n_in, n_out, ["code"] * n_in.size, rate=rate)
        wrong.append(float(((told <= 2048) != (total <= 2048)).mean()))
    return 100 * (wrong[0] - wrong[1])


def spill_over(w: World) -> float:
    """P99 wait of the short pool in bursts, over that with a tenth of its requests spilled."""
    pool = plan(w.lengths, 200, 6144).short
    assert pool.calibration is not None
    r = poisson_requests(pool, 40_000, w.seed, cv2=8.0)
    servers, held = (pool.gpus - 1) * pool.calibration.slots, r.service_s(pool.gpu, pool.window)
    keep = np.random.default_rng(w.seed).random(held.size) > 0.1
    a = judge_slots(r.arrival_s, held, servers).wait_p99_ms
    b = judge_slots(r.arrival_s[keep], held[keep], servers).wait_p99_ms
    return float((a + 1) / (b + 1))


def affinity_hits(w: World) -> float:
    """Prompt tokens found cached by prefix affinity, minus by round robin."""
    a, b = (
        route_trace(w.prefixes, replicas(8), p, load_weight=0.1).hit_rate
        for p in ("prefix affinity", "round robin")
    )
    return float(100 * (a - b))


def rule_conflicts(w: World) -> float:
    """Conflicting pairs in a set of six plain rules."""
    s = frozenset
    rules = [
        Rule("code", s({"code"}), s(), "large"),
        Rule("short chat", s({"chat"}), s({"long"}), "small"),
        Rule("long", s({"long"}), s(), "long"),
        Rule("maths", s({"maths"}), s({"code"}), "large"),
        Rule("private", s({"private"}), s(), "local", 1),
        Rule("else", s(), s({"code", "maths", "long", "chat"}), "small"),
    ]
    return float(len(conflicts(rules, [{"code", "chat", "maths"}])))


def power_knee(w: World) -> float:
    """Largest cut of power (steps of five per cent) that 30 H100s stand at 300 a second."""
    best = 0.0
    for cut in range(5, 55, 5):
        n = min(H100.slots(8192), H100.batch_at(H100.nominal_w * (1 - cut / 100)))
        capped = H100.capped(n, 8192)
        c = calibrate(w.lengths, 8192, capped)
        wait = p99_wait(30 * n, 300.0, c.gpu_rate / n, c.cv2)
        if 1000 * (wait + c.prefill_s) <= 500:
            best = float(cut)
    return best


def prefill_decode(w: World) -> float:
    """GPUs for prompts over GPUs for answers: code over conversations, by W and H alone."""

    def ratio(t: Trace) -> float:
        prompts = (-(-t.n_in // H100.chunk)).mean() * H100.step_s(1)
        return float(prompts / (t.n_out.mean() * H100.step_s(128, 2000.0) / 128))

    return ratio(w.code) / ratio(w.conversations)


def node_margin(w: World) -> float:
    """GPUs that failing nodes add (0.0065 a day, 48 hours of repair), at 1,000 a second."""
    a = one_pool(w.lengths, 1000).gpus
    rules = Rules(availability=availability(0.0065, 48))
    return float(one_pool(w.lengths, 1000, rules=rules).gpus - a)


def online_boundary(w: World) -> float:
    """Cost of keeping conversations' best boundary when all turns to code, over code's best."""
    fit = [
        plan_grid(lengths_of(t.n_in + t.n_out), B, (1.0,), (500.0,), [A100]).cost()[:, 0, 0, 0, 0]
        for t in (w.conversations, w.code)
    ]
    return 100 * float(fit[1][int(fit[0].argmin())] / fit[1].min() - 1)


def bandit_gain(w: World) -> float:
    """Reward that LinUCB keeps against the best fixed model, of the oracle's."""
    rows = {r.policy: r.regret for r in bandit_rows(1500, range(w.seed, w.seed + 2))}
    return rows["best fixed model"] - rows["linucb"]


def cascade_gain(w: World) -> float:
    """Worth of a cascade minus that of the better model alone, at a price of 0.05."""
    row = cascade_rows(8000, w.seed, (0.05,))[0]
    return 100 * (row.worth - max(row.small, row.large))


def mixed_gpus(w: World) -> float:
    """Cost that choosing each pool's GPU from three saves against A100s alone."""
    a, b = (
        plan_grid(w.lengths, B, (1.0,), (1000.0,), g).cheapest()[0][0]
        for g in ([A100], [A100, H100, A10G])
    )
    return 100 * float(1 - b / a)


def energy_price(w: World) -> float:
    """Joules a token of H100s at a third of their batch over those at the whole one."""
    full = H100.slots(8192)
    spent = [H100.power_w(n) * H100.step_s(n, 4096) / n for n in (full // 3, full)]
    return float(spent[0] / spent[1])


def compressed_prefix(w: World) -> float:
    """Tokens whose cache compression would destroy over tokens that it removes."""
    told = route_trace(w.prefixes, replicas(8), "prefix affinity", load_weight=0.1)
    n_in = w.prefixes.n_in
    band = (n_in > 6144) & (n_in <= 2 * 6144)
    return float(told.hit_tokens[band].sum() / max(1, (n_in[band] - 6144).sum()))


def sticky_sessions(w: World) -> float:
    """P99 to the first token of sticky sessions over prefix affinity's."""
    a, b = (
        route_trace(w.prefixes, replicas(8), p, load_weight=0.1, sticky_block=2).ttft(99)
        for p in ("sticky", "prefix affinity")
    )
    return float(a / b)


def joint_design(w: World) -> float:
    """Cost that a joint choice saves against boundary, gamma and GPUs in turn."""
    grid = plan_grid(w.lengths, B, (1.0, 1.5, 2.0), (1000.0,), [A100, H100])
    cost = grid.cost()[:, :, 0]
    b = int(cost[:, 0, 0, 0].argmin())
    g = int(cost[b, :, 0, 0].argmin())
    return 100 * float(1 - cost.min() / cost[b, g].min())


def robust_fleet(w: World) -> float:
    """GPUs a fleet needs for the worst of three mixes over the mean of what each needs."""
    both = np.concatenate(
        [w.conversations.n_in + w.conversations.n_out, w.code.n_in + w.code.n_out]
    )
    mixes = [lengths_of(x) for x in (both, w.code.n_in + w.code.n_out, both[:15000])]
    needs = [plan(m, 500, 4096).gpus for m in mixes]
    return 100 * (max(needs) / float(np.mean(needs)) - 1)


def drifting_regret(w: World) -> float:
    """Regret of LinUCB without discount over with it, in a world that changes."""
    old, new = (
        next(r.regret for r in bandit_rows(2000, range(w.seed, w.seed + 2), discount=d)
             if r.policy == "linucb")
        for d in (1.0, 0.999)
    )  # fmt: skip
    return float(old / new)


def loading_aware(w: World) -> float:
    """P99 with caches of 800 blocks over that with 8,000: what a slower, larger tier may cost."""
    small, large = (
        route_trace(w.prefixes, replicas(8, c), "prefix affinity", load_weight=0.1).ttft(99)
        for c in (800, 8000)
    )
    return float(small / large)


def gradient_design(w: World) -> float:
    """Cost of the boundary that gradients find, made whole, over the grid's best."""
    found, _ = design(
        moments(w.lengths, A100), A100, np.array([1000.0]), np.ones(1), np.ones(1), starts=2
    )
    costs = plan_grid(w.lengths, [*B, max(64, int(found[0]))], (1.0,), (1000.0,), [A100]).cost()[
        :, 0, 0, 0, 0
    ]
    return 100 * float(costs[-1] / costs.min() - 1)


Direction = tuple[str, Callable[[World], float], str]
DIRECTIONS: tuple[Direction, ...] = (
    ("A", boundary_saving, "% of cost"),
    ("A", gamma_saving, "% of cost"),
    ("A", estimator_errors, "percentage points"),
    ("A", spill_over, "times"),
    ("A", affinity_hits, "percentage points"),
    ("A", rule_conflicts, "pairs"),
    ("A", power_knee, "% of power"),
    ("A", prefill_decode, "times"),
    ("A", node_margin, "GPUs"),
    ("B", online_boundary, "% of cost"),
    ("B", bandit_gain, "% of reward"),
    ("B", cascade_gain, "points"),
    ("B", mixed_gpus, "% of cost"),
    ("B", energy_price, "times"),
    ("B", compressed_prefix, "times"),
    ("B", sticky_sessions, "times"),
    ("C", joint_design, "% of cost"),
    ("C", robust_fleet, "% of GPUs"),
    ("C", drifting_regret, "times"),
    ("C", loading_aware, "times"),
    ("C", gradient_design, "% of cost"),
)


@dataclass(frozen=True)
class DirectionRow:
    """A direction, its tier and its number."""

    number: int
    tier: str
    question: str
    value: float | int
    unit: str


def directions(world: World) -> list[DirectionRow]:
    """Return the number of every direction."""
    rows = []
    for k, (tier, function, unit) in enumerate(DIRECTIONS, start=1):
        question = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
        rows.append(DirectionRow(k, tier, question, float(function(world)), unit))
    return rows
