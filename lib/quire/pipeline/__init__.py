"""Pipeline schedules for training multimodal models: costs, programs, schedules, search, proofs.

Read in this order:

1. ``workload``: transformer modules, what a layer costs, batches that vary.
2. ``program``, ``schedule``: the operations of a step and what they wait for; when each runs.
3. ``emulator``: the max-plus pass over a given order; ``failures``: how it can be impossible.
4. ``schedules``: GPipe, 1F1B, interleaved, zero bubble; list scheduling; static cuts, segments and
   pieces; published ideas as rivals; PyTorch's tables.
5. ``search``: bounds and certificates, rankings, exchanges on the critical path, orders replayed,
   plans, deadlines.
6. ``peers``: OR-Tools; ``peers.mctx`` is imported by its own name, since it loads JAX.
7. ``experiments``: the chapter's experiments; ``exercises``: the checks of its exercises.

Seconds and bytes throughout; any consistent unit will do for programs built by hand.
"""

from quire.pipeline.emulator import (
    PrefixEmulator,
    emulate,
    emulate_ranks,
    makespans,
    merge_rank_orders,
)
from quire.pipeline.failures import InfeasibleMemory, ScheduleDeadlock
from quire.pipeline.peers.ortools import SolverResult, solve_exactly
from quire.pipeline.peers.ortools_layers import tune_plan
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
    plan_free_bound,
    preemptive_bound,
)
from quire.pipeline.search.deadlines import (
    Planner,
    Step,
    Timing,
    decode_batch,
    decode_orders,
    encode_batch,
    encode_orders,
    fifo_schedule,
    fresh_fraction,
    generate_schedules,
    timed_search,
)
from quire.pipeline.search.order_annealing import Annealed, anneal_order
from quire.pipeline.search.plans import (
    PlanChoice,
    PlanTrial,
    Validation,
    choose_plan,
    mean_step,
    piece_caps,
)
from quire.pipeline.search.rankings import RankedSteps, SearchResult, swap_search, tree_search
from quire.pipeline.search.steps import search_step
from quire.pipeline.workload.batches import (
    CALIBRATED_SHAPE,
    Microbatch,
    calibrate_shape,
    microbatch_flops,
    sample_batch,
    smaller_microbatches,
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
    "CALIBRATED_SHAPE",
    "FORWARD",
    "KINDS",
    "MODELS",
    "WEIGHT",
    "Action",
    "ActionTable",
    "Annealed",
    "Bound",
    "Certificate",
    "Chain",
    "Hardware",
    "InfeasibleMemory",
    "LayerCost",
    "ListScheduler",
    "Microbatch",
    "Model",
    "Module",
    "Plan",
    "PlanChoice",
    "PlanTrial",
    "Planner",
    "PrefixEmulator",
    "Program",
    "RankedSteps",
    "Rules",
    "Schedule",
    "ScheduleDeadlock",
    "SearchResult",
    "SolverResult",
    "Step",
    "Timing",
    "Validation",
    "anneal_order",
    "assemble",
    "balanced_plan",
    "balancing_piece_tokens",
    "bubble_fraction",
    "calibrate_shape",
    "certify",
    "choose_plan",
    "critical_path",
    "cut_items",
    "decode_batch",
    "decode_orders",
    "disttrain_like",
    "emulate",
    "emulate_ranks",
    "encode_batch",
    "encode_orders",
    "fifo_schedule",
    "fresh_fraction",
    "fsdp_like_seconds",
    "generate_schedules",
    "gpipe",
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
    "mean_layer_seconds",
    "mean_step",
    "memory_curve",
    "merge_rank_orders",
    "microbatch_flops",
    "model_named",
    "one_f_one_b",
    "operation_index",
    "optimal_cut",
    "optimus_like",
    "peak_memory",
    "piece_caps",
    "plan_free_bound",
    "preemptive_bound",
    "rank_spans",
    "ranked_key",
    "read_actions",
    "replay",
    "sample_batch",
    "schedule_table",
    "search_step",
    "segmented_program",
    "smaller_microbatches",
    "solve_exactly",
    "staged_program",
    "static_gpipe",
    "static_program",
    "static_schedule",
    "static_zero_bubble",
    "swap_search",
    "timed_search",
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
