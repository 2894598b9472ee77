"""Queues whose servers are set up and released: what simple policies cost, and what is optimal.

Read in this order:

1. ``system`` (a farm, its prices), ``errors``;
2. ``closed_forms`` (queues with a formula), ``matrix_geometric`` (M/M/k with setup, exactly);
3. ``policies`` (simple rules as tables of targets);
4. ``semi_markov`` (the problem the solvers see), ``decision`` (models V1, V2, V3 of a farm),
   ``stationary`` (a policy's long-run averages);
5. four solvers of one model: ``value_iteration`` (relative value iteration and modified policy
   iteration, with two-sided bounds), ``policy_iteration``, ``linear_program``; ``index_policy``;
   ``pareto`` (the trade-off between servers and time);
6. many farms at once, in JAX: ``points``, ``racing`` (the infinite tail), ``levels`` (block
   elimination), ``batched_optimum`` (policy iteration), ``tuning``, ``atlas``;
7. ``routing`` and ``joint_routing`` (several sites), ``simulation``, ``autoscaler``,
   ``rule_of_thumb``; ``textbook`` and ``peers`` (known answers, other people's solvers).
"""

from quire.queueing.atlas import AtlasPage, atlas, joined, random_points
from quire.queueing.autoscaler import Autoscaler, Metric, Verdict, judge_autoscaler, window_for
from quire.queueing.batched_optimum import BatchOptimum, optimum, static_costs
from quire.queueing.closed_forms import (
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
from quire.queueing.decision import (
    DecisionModel,
    committed_model,
    decisions_of,
    erlang_model,
    free_cancel_model,
)
from quire.queueing.errors import ConvergenceError, UnstableSystem
from quire.queueing.index_policy import index_decisions
from quire.queueing.joint_routing import JointOptimum, joint_optimum
from quire.queueing.linear_program import FrequencyOptimum, linear_program
from quire.queueing.matrix_geometric import SetupQueue, setup_queue
from quire.queueing.pareto import TradeOff, lower_hull, trade_off
from quire.queueing.points import Points, points
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
from quire.queueing.policy_iteration import policy_iteration
from quire.queueing.routing import (
    Routed,
    Site,
    at_random,
    join_idle_ready,
    join_shortest,
    least_marginal_cost,
    pack,
    route,
)
from quire.queueing.rule_of_thumb import RuleOfThumb, fit_rule
from quire.queueing.semi_markov import SemiMarkov, discrete_problem
from quire.queueing.simulation import Estimate, Simulated, simulate
from quire.queueing.stationary import Performance, evaluate, evaluate_decisions, stationary_law
from quire.queueing.system import Costs, Farm, slowest_decay, truncation_level
from quire.queueing.textbook import admission_control, machine_replacement, naor_threshold
from quire.queueing.tuning import (
    Tuned,
    band_costs,
    dual_costs,
    tune_all,
    tune_bands,
    tune_delayed_off,
    tune_dual,
    tune_static,
)
from quire.queueing.value_iteration import (
    Optimum,
    UniformisedModel,
    cost_bounds,
    modified_policy_iteration,
    relative_value_iteration,
)

__all__ = [
    "AtlasPage",
    "Autoscaler",
    "Band",
    "BatchOptimum",
    "ConvergenceError",
    "Costs",
    "DecisionModel",
    "DelayedOff",
    "DualThreshold",
    "Estimate",
    "Farm",
    "FrequencyOptimum",
    "JointOptimum",
    "Metric",
    "NPolicy",
    "NPolicyQueue",
    "OnOff",
    "Optimum",
    "Performance",
    "Points",
    "Policy",
    "Routed",
    "RuleOfThumb",
    "SemiMarkov",
    "SetupQueue",
    "Simulated",
    "Site",
    "Staggered",
    "Static",
    "TradeOff",
    "Tuned",
    "UniformisedModel",
    "UnlimitedSetup",
    "UnstableSystem",
    "Verdict",
    "admission_control",
    "at_random",
    "atlas",
    "band_costs",
    "best_n_policy",
    "best_static",
    "cheapest_static",
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
    "fit_rule",
    "floor_policy",
    "free_cancel_model",
    "index_decisions",
    "join_idle_ready",
    "join_shortest",
    "joined",
    "joint_optimum",
    "judge_autoscaler",
    "least_marginal_cost",
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
