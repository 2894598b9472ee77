"""Queues whose servers are set up and released: what simple policies cost, and what is optimal.

Read in this order:

1. ``farm`` (a farm and its prices), ``errors``, ``policies`` (simple rules as tables of targets);
2. ``exact`` (queues with a formula; M/M/k with setup without truncation);
3. ``decisions`` (the semi-Markov models V1, V2, V3 of a farm, four solvers, the trade-off curve);
4. ``batched`` (thousands of farms at once in JAX: optimum with proof, tuned families, the atlas);
5. ``sites`` (several sites: routing rules, and routing decided together with allocation);
6. ``simulation`` (shares no code with the chains), ``autoscaler`` (two familiar settings);
7. ``peers`` (other people's solvers and simulators).
"""

from quire.queueing.autoscaler import (
    Autoscaler,
    AutoscalerCost,
    Metric,
    judge_autoscaler,
    window_for,
)
from quire.queueing.batched._atlas import AtlasPage, atlas, joined, random_points
from quire.queueing.batched._points import Points, points
from quire.queueing.batched.free_cancel import OptimalPolicies, optimum, static_costs
from quire.queueing.batched.staffing_rule import StaffingRule, fit_staffing_rule
from quire.queueing.batched.tuning import (
    Tuned,
    band_costs,
    dual_costs,
    tune_all,
    tune_bands,
    tune_delayed_off,
    tune_dual,
    tune_static,
)
from quire.queueing.decisions._linear_program import (
    LimitedOptimum,
    limited_optimum,
    linear_program,
)
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import (
    DecisionModel,
    committed_model,
    decisions_of,
    erlang_model,
    free_cancel_model,
)
from quire.queueing.decisions.index_policy import index_decisions
from quire.queueing.decisions.pareto import TradeOff, lower_hull, trade_off
from quire.queueing.decisions.semi_markov import SemiMarkov, discrete_problem
from quire.queueing.decisions.solvers import solve
from quire.queueing.decisions.stationary import (
    Performance,
    evaluate,
    evaluate_decisions,
    stationary_law,
)
from quire.queueing.decisions.textbook import admission_control, machine_replacement, naor_threshold
from quire.queueing.decisions.value_iteration import (
    OptimalPolicy,
    UniformisedModel,
    cost_bounds,
    modified_policy_iteration,
    relative_value_iteration,
)
from quire.queueing.errors import ConvergenceError, UnstableSystem
from quire.queueing.exact.closed_forms import (
    NPolicyQueue,
    UnlimitedSetup,
    best_n_policy,
    best_static,
    erlang_b,
    erlang_c,
    mm1_setup_response_time,
    mmk_response_time,
    n_policy,
    n_policy_cost,
    staggered_response_time,
    static_cost,
    unlimited_servers_setup,
)
from quire.queueing.exact.matrix_geometric import SetupQueue, setup_queue
from quire.queueing.farm import Costs, Farm, slowest_decay, truncation_level
from quire.queueing.policies import (
    Band,
    DelayedOff,
    DualThreshold,
    NPolicy,
    OnOff,
    Policy,
    Staggered,
    Static,
    cheapest_static,
    floor_policy,
    spare_policy,
)
from quire.queueing.simulation import Estimate, Simulated, simulate
from quire.queueing.sites.joint_committed import committed_joint_optimum
from quire.queueing.sites.joint_routing import JointPolicy, joint_optimum
from quire.queueing.sites.routing import (
    Routed,
    Site,
    at_random,
    join_idle_ready,
    join_shortest,
    least_marginal_cost,
    pack,
    route,
)

__all__ = [
    "AtlasPage",
    "Autoscaler",
    "AutoscalerCost",
    "Band",
    "ConvergenceError",
    "Costs",
    "DecisionModel",
    "DelayedOff",
    "DualThreshold",
    "Estimate",
    "Farm",
    "JointPolicy",
    "LimitedOptimum",
    "Metric",
    "NPolicy",
    "NPolicyQueue",
    "OnOff",
    "OptimalPolicies",
    "OptimalPolicy",
    "Performance",
    "Points",
    "Policy",
    "Routed",
    "SemiMarkov",
    "SetupQueue",
    "Simulated",
    "Site",
    "StaffingRule",
    "Staggered",
    "Static",
    "TradeOff",
    "Tuned",
    "UniformisedModel",
    "UnlimitedSetup",
    "UnstableSystem",
    "admission_control",
    "at_random",
    "atlas",
    "band_costs",
    "best_n_policy",
    "best_static",
    "cheapest_static",
    "committed_joint_optimum",
    "committed_model",
    "cost_bounds",
    "decisions_of",
    "discrete_problem",
    "dual_costs",
    "erlang_b",
    "erlang_c",
    "erlang_model",
    "evaluate",
    "evaluate_decisions",
    "fit_staffing_rule",
    "floor_policy",
    "free_cancel_model",
    "index_decisions",
    "join_idle_ready",
    "join_shortest",
    "joined",
    "joint_optimum",
    "judge_autoscaler",
    "least_marginal_cost",
    "limited_optimum",
    "linear_program",
    "lower_hull",
    "machine_replacement",
    "mm1_setup_response_time",
    "mmk_response_time",
    "modified_policy_iteration",
    "n_policy",
    "n_policy_cost",
    "naor_threshold",
    "optimum",
    "pack",
    "points",
    "policy_iteration",
    "random_points",
    "relative_value_iteration",
    "route",
    "setup_queue",
    "simulate",
    "slowest_decay",
    "solve",
    "spare_policy",
    "staggered_response_time",
    "static_cost",
    "static_costs",
    "stationary_law",
    "trade_off",
    "truncation_level",
    "tune_all",
    "tune_bands",
    "tune_delayed_off",
    "tune_dual",
    "tune_static",
    "unlimited_servers_setup",
    "window_for",
]
