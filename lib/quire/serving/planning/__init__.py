"""Planning fleets of GPUs: how many, in which pools, and what a simulation says to the plan.

A planner needs the distribution of lengths, a rate and a profile of a GPU; it answers with two
pools and what they cost::

    from quire.serving.planning import A100, Lengths, SlotJudge, one_pool, saving, stream, sweep

    lengths = Lengths((512, 2048, 8192, 32768), (0.3, 0.8, 0.95, 1.0))
    plans = sweep(lengths, rate=50.0, boundary=8192, gpu_short=A100, gpu_long=A100)
    best = plans[0]  # the cheapest gamma
    best.short.gpus, best.long.gpus, best.dollars_per_hour
    saving(best, one_pool(lengths, 50.0, gpu=A100))  # per cent
    judge = SlotJudge(stream(lengths, 50.0, 20_000, seed=1))  # does a simulation agree?

Read in this order:

1. ``gpus``: a profile, t = W + H n, its slots and its power. ``lengths``: the share F(t).
2. ``erlang``: waiting in M/M/c and M/G/c. ``calibration``: what a GPU of a pool can serve.
3. ``pools``: two pools, compression, the savings law. ``grid``: plans by the million.
4. ``streams``: requests before the router. ``slots``: the judge "slot". ``engine``: the judge
   "engine", chapter 06's. ``certificate``: the cheapest fleet a judge accepts, proven.
5. ``power_law``: tokens a joule by window. ``relaxed``: design by gradients.
"""

from quire.serving.planning.calibration import (
    Calibration,
    calibrate,
    calibrate_by_sums,
    calibrate_exactly,
    calibrate_pairs,
)
from quire.serving.planning.certificate import Certificate, PoolKey, SlotJudge, recheck, search
from quire.serving.planning.engine import (
    Engine,
    EngineVerdict,
    Saturated,
    engine_of,
    judge_engine,
    saturate,
)
from quire.serving.planning.erlang import erlang_c, least_gpus, p99_wait
from quire.serving.planning.gpus import A10G, A100, GPUS, H100, GpuProfile, gpu, roofline_profile
from quire.serving.planning.grid import Grid, plan_grid
from quire.serving.planning.lengths import Lengths, lengths_of, read_lengths, split
from quire.serving.planning.pools import (
    GAMMAS,
    Plan,
    Pool,
    Rules,
    availability,
    one_pool,
    plan,
    saving,
    saving_law,
    size_pool,
    sweep,
)
from quire.serving.planning.power_law import (
    Logistic,
    WindowRow,
    by_window,
    exponent,
    fit_logistic,
    fit_steps,
    power_of,
)
from quire.serving.planning.relaxed import Moments, design, fluid_cost, moments
from quire.serving.planning.slots import (
    Requests,
    Verdict,
    freed_early,
    judge_slots,
    least_passing,
    poisson_requests,
    waits,
)
from quire.serving.planning.streams import (
    Routed,
    Stream,
    compress_and_route,
    replayed,
    resampled,
    stream,
)

__all__ = [
    "A10G",
    "A100",
    "GAMMAS",
    "GPUS",
    "H100",
    "Calibration",
    "Certificate",
    "Engine",
    "EngineVerdict",
    "GpuProfile",
    "Grid",
    "Lengths",
    "Logistic",
    "Moments",
    "Plan",
    "Pool",
    "PoolKey",
    "Requests",
    "Routed",
    "Rules",
    "Saturated",
    "SlotJudge",
    "Stream",
    "Verdict",
    "WindowRow",
    "availability",
    "by_window",
    "calibrate",
    "calibrate_by_sums",
    "calibrate_exactly",
    "calibrate_pairs",
    "compress_and_route",
    "design",
    "engine_of",
    "erlang_c",
    "exponent",
    "fit_logistic",
    "fit_steps",
    "fluid_cost",
    "freed_early",
    "gpu",
    "judge_engine",
    "judge_slots",
    "least_gpus",
    "least_passing",
    "lengths_of",
    "moments",
    "one_pool",
    "p99_wait",
    "plan",
    "plan_grid",
    "poisson_requests",
    "power_of",
    "read_lengths",
    "recheck",
    "replayed",
    "resampled",
    "roofline_profile",
    "saturate",
    "saving",
    "saving_law",
    "search",
    "size_pool",
    "split",
    "stream",
    "sweep",
    "waits",
]
