"""Pipeline schedules for training multimodal models: costs, programs, schedules, search,
certificates.

Read in this order:

1. ``modules``, ``costs``, ``workload``: transformer modules, what a layer costs, batches that vary.
2. ``program``, ``schedule``: the operations of a step and what they wait for; when each runs.
3. ``emulator``, ``heaps``, ``listing``: the max-plus pass over a given order; list scheduling.
4. ``linear``, ``words``, ``filling``, ``zero_bubble``: GPipe, 1F1B, interleaved, zero bubble.
5. ``partition``, ``segments``, ``multimodal``: static cuts, segments and pieces, baselines.
6. ``ranking``, ``refine``, ``tuning``, ``mctx_search``: the three-level search, a peer.
7. ``bounds``, ``optimal``: lower bounds and certificates; proven optima of small steps.
8. ``asynchronous``, ``torch_csv``, ``torch_run``: schedules with a deadline; PyTorch's tables;
   ``comparison``: one batch under every scheduler.
9. ``failures``: how a schedule can be impossible.

Seconds and bytes throughout; any consistent unit will do for programs built by hand.
"""

from quire.pipeline.emulator import (
    PrefixEmulator,
    emulate,
    emulate_ranks,
    makespans,
    merge_rank_orders,
)
from quire.pipeline.experiments import BASELINES, SPLIT, STAGES, Comparison, compare, equal_memory
from quire.pipeline.failures import InfeasibleMemory, ScheduleDeadlock
from quire.pipeline.peers.mctx import mctx_search
from quire.pipeline.peers.ortools import SolverResult, solve_exactly
from quire.pipeline.peers.torch import gradient_difference
from quire.pipeline.program import (
    BACKWARD,
    FORWARD,
    KINDS,
    WEIGHT,
    Chain,
    Program,
    assemble,
    topological_order,
)
from quire.pipeline.schedule import (
    Schedule,
    bubble_fraction,
    critical_path,
    memory_curve,
    peak_memory,
    rank_spans,
    schedule_table,
    violations,
)
from quire.pipeline.schedules.action_tables import (
    Action,
    ActionTable,
    read_actions,
    replay,
    write_actions,
)
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules, list_schedule, ranked_key
from quire.pipeline.schedules.multimodal import (
    disttrain_like,
    fsdp_like_seconds,
    optimus_like,
    static_gpipe,
    static_schedule,
    static_zero_bubble,
)
from quire.pipeline.schedules.partition import (
    layer_times,
    mean_layer_seconds,
    optimal_cut,
    static_program,
)
from quire.pipeline.schedules.segments import (
    Plan,
    balanced_plan,
    balancing_piece_tokens,
    cut_items,
    segmented_program,
)
from quire.pipeline.schedules.static import (
    gpipe,
    interleaved,
    one_f_one_b,
    operation_index,
    staged_program,
    uniform_program,
)
from quire.pipeline.schedules.zero_bubble import longest_span, zb_1p, zb_2p, zb_v, zero_bubble
from quire.pipeline.search.bounds import (
    Bound,
    Certificate,
    certify,
    heads_and_tails,
    lower_bound,
    preemptive_bound,
)
from quire.pipeline.search.deadlines import (
    Step,
    fifo_schedule,
    fresh_fraction,
    generate_schedules,
    timed_tree_search,
)
from quire.pipeline.search.order_annealing import refine
from quire.pipeline.search.rankings import RankedSteps, SearchResult, swap_search, tree_search
from quire.pipeline.search.tuning import tune_plan
from quire.pipeline.workload.batches import (
    CALIBRATED_SHAPE,
    Microbatch,
    calibrate_shape,
    microbatch_flops,
    sample_batch,
    video_microbatch,
    vision_microbatch,
    work_ratio,
)
from quire.pipeline.workload.costs import (
    Hardware,
    LayerCost,
    hop_seconds,
    kernel_efficiency,
    layer_cost,
    layer_flops,
)
from quire.pipeline.workload.modules import MODELS, Model, Module, model_named

__all__ = [
    "BACKWARD",
    "BASELINES",
    "CALIBRATED_SHAPE",
    "FORWARD",
    "KINDS",
    "MODELS",
    "SPLIT",
    "STAGES",
    "WEIGHT",
    "Action",
    "ActionTable",
    "Bound",
    "Certificate",
    "Chain",
    "Comparison",
    "Hardware",
    "InfeasibleMemory",
    "LayerCost",
    "ListScheduler",
    "Microbatch",
    "Model",
    "Module",
    "Plan",
    "PrefixEmulator",
    "Program",
    "RankedSteps",
    "Rules",
    "Schedule",
    "ScheduleDeadlock",
    "SearchResult",
    "SolverResult",
    "Step",
    "assemble",
    "balanced_plan",
    "balancing_piece_tokens",
    "bubble_fraction",
    "calibrate_shape",
    "certify",
    "compare",
    "critical_path",
    "cut_items",
    "disttrain_like",
    "emulate",
    "emulate_ranks",
    "equal_memory",
    "fifo_schedule",
    "fresh_fraction",
    "fsdp_like_seconds",
    "generate_schedules",
    "gpipe",
    "gradient_difference",
    "heads_and_tails",
    "hop_seconds",
    "interleaved",
    "kernel_efficiency",
    "layer_cost",
    "layer_flops",
    "layer_times",
    "list_schedule",
    "longest_span",
    "lower_bound",
    "makespans",
    "mctx_search",
    "mean_layer_seconds",
    "memory_curve",
    "merge_rank_orders",
    "microbatch_flops",
    "model_named",
    "one_f_one_b",
    "operation_index",
    "optimal_cut",
    "optimus_like",
    "peak_memory",
    "preemptive_bound",
    "rank_spans",
    "ranked_key",
    "read_actions",
    "refine",
    "replay",
    "sample_batch",
    "schedule_table",
    "segmented_program",
    "solve_exactly",
    "staged_program",
    "static_gpipe",
    "static_program",
    "static_schedule",
    "static_zero_bubble",
    "swap_search",
    "timed_tree_search",
    "topological_order",
    "tree_search",
    "tune_plan",
    "uniform_program",
    "video_microbatch",
    "violations",
    "vision_microbatch",
    "work_ratio",
    "write_actions",
    "zb_1p",
    "zb_2p",
    "zb_v",
    "zero_bubble",
]
