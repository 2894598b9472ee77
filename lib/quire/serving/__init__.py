"""Serving language models: what a device needs, what an engine does with it, and what it draws.

A simulator looks measured latencies up inside the loop of a real engine: continuous batching with
chunked prompts, a pool of blocks with a prefix cache, preemption, several devices and instances::

    from quire.serving import LLAMA_8B, SchedulerConfig, linear_profile, poisson_trace, replay

    profile = linear_profile(LLAMA_8B, fixed_ms=6.5, per_sequence_ms=0.36)  # or read_bundle(...)
    trace = poisson_trace(200, per_second=20.0, n_in=(50, 900), n_out=(20, 400), seed=1)
    config = SchedulerConfig(blocks=LLAMA_8B.kv_blocks(memory_gib=80, utilisation=0.9))
    result = replay(trace, profile, config)
    served = result.served()
    served.cell("TTFT", "P99"), served.cell("TPOT", "mean")  # milliseconds
    served.tokens_per_s, result.preemptions

Read in this order:

1. ``workload``: traces of requests (``trace``), metrics (``metrics``), logs of servers (``logs``),
   indexes of prefixes (``prefixes``), Mooncake's and Azure's traces (``mooncake``, ``azure``).
2. ``profiles``: shapes of models (``models``); measured curves (``curves``), attention
   (``attention``), unequal lengths (``skew``) and experts (``experts``), together a
   ``LatencyTable`` (``latency``); readers of bundles (``bundles``) and of operators
   (``operators``); a model that nobody measured (``borrowed``), memory that computes
   (``offload``).
3. ``links``: what a collective or a transfer costs (``collectives``).
4. ``engine``: the state (``state``), blocks (``blocks``), one step (``scheduler``), whole replays
   (``loops``), an engine driven step by step (``instance``), several of them (``fleet``), one with
   attention in memory (``offloaded``), many configurations at once (``batched``) and their slopes
   (``slopes``).
5. ``loading``: a package of its own beside the engine: prefixes fetched from far away, in stages
   (`quire.serving.loading`).
6. ``planning`` and ``routing``: how many devices a fleet needs, by formulas and by judges
   (`quire.serving.planning`), and who gets a request (`quire.serving.routing`).
7. ``power``: a server as states (``node``), the clock at a power cap (``clock``).
8. ``peers``; ``experiments``: what the chapters measure; ``exercises``: their exercises' checks.

An instance hears and tells events only, so that routers, stages of loading and planners come as
packages of their own beside ``engine``: ``submit`` takes a priority, ``role`` splits prefill from
decode, ``Tier`` and ``Link`` price what is kept and sent elsewhere.
"""

from quire.serving.engine.batched import BatchResult, replay_batch
from quire.serving.engine.config import Replay, SchedulerConfig, Tier
from quire.serving.engine.fleet import (
    least_loaded,
    round_robin,
    serve_pool,
    serve_split,
    serve_wave,
)
from quire.serving.engine.instance import Instance, replay
from quire.serving.engine.offloaded import Offloaded, serve_offloaded
from quire.serving.engine.slopes import means_and_slopes
from quire.serving.links.collectives import (
    Link,
    all_gather_ns,
    all_reduce_ns,
    reduce_scatter_ns,
)
from quire.serving.power.clock import ClockModel, fit_energies
from quire.serving.power.node import A6000_SERVER, DevicePower, NodePower, busy_stretches
from quire.serving.profiles.attention import (
    AttentionGrid,
    PhaseTables,
    grid_from_rows,
    leave_one_out,
)
from quire.serving.profiles.borrowed import borrowed_profile
from quire.serving.profiles.bundles import (
    profile_from_predictions,
    profile_from_tables,
    read_bundle,
)
from quire.serving.profiles.csvfiles import read_columns
from quire.serving.profiles.curves import Curve
from quire.serving.profiles.latency import Batch, LatencyTable, linear_profile
from quire.serving.profiles.models import (
    LLAMA_8B,
    LLAMA_70B,
    MIXTRAL_8X7B,
    QWEN3_30B_A3B,
    QWEN3_32B,
    ModelShape,
    shape_from_config,
)
from quire.serving.profiles.offload import HBM2_PIM, MemoryDevice
from quire.serving.profiles.operators import profile_from_operators
from quire.serving.profiles.skew import SkewTable, fit_alpha, skew_from_rows
from quire.serving.workload.logs import (
    read_published,
    read_simulator_log,
    read_simulator_summary,
    read_vllm_log,
)
from quire.serving.workload.metrics import Served, served
from quire.serving.workload.mooncake import PrefixTrace, read_mooncake
from quire.serving.workload.prefixes import PrefixIndex, prefix_hits
from quire.serving.workload.trace import Trace, poisson_trace, read_trace

__all__ = [
    "A6000_SERVER",
    "HBM2_PIM",
    "LLAMA_8B",
    "LLAMA_70B",
    "MIXTRAL_8X7B",
    "QWEN3_30B_A3B",
    "QWEN3_32B",
    "AttentionGrid",
    "Batch",
    "BatchResult",
    "ClockModel",
    "Curve",
    "DevicePower",
    "Instance",
    "LatencyTable",
    "Link",
    "MemoryDevice",
    "ModelShape",
    "NodePower",
    "Offloaded",
    "PhaseTables",
    "PrefixIndex",
    "PrefixTrace",
    "Replay",
    "SchedulerConfig",
    "Served",
    "SkewTable",
    "Tier",
    "Trace",
    "all_gather_ns",
    "all_reduce_ns",
    "borrowed_profile",
    "busy_stretches",
    "fit_alpha",
    "fit_energies",
    "grid_from_rows",
    "least_loaded",
    "leave_one_out",
    "linear_profile",
    "means_and_slopes",
    "poisson_trace",
    "prefix_hits",
    "profile_from_operators",
    "profile_from_predictions",
    "profile_from_tables",
    "read_bundle",
    "read_columns",
    "read_mooncake",
    "read_published",
    "read_simulator_log",
    "read_simulator_summary",
    "read_trace",
    "read_vllm_log",
    "reduce_scatter_ns",
    "replay",
    "replay_batch",
    "round_robin",
    "serve_offloaded",
    "serve_pool",
    "serve_split",
    "serve_wave",
    "served",
    "shape_from_config",
    "skew_from_rows",
]
