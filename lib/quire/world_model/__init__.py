"""A world model of small parts: composed, learned, unlearned, asked for causes, and kept in bounds.

Everything is deterministic and every answer can be checked::

    import numpy as np
    from quire.world_model import (
        Learner, causal_graph, event, identify, identify_counterfactual, solve, statistics)

    front_door = causal_graph([("X", "M"), ("M", "Y")], bidirected=[("X", "Y")])
    str(identify(front_door, "Y", "X"))      # Σ_{M} P(M | X) [Σ_{X} P(X) P(Y | X, M)]
    identify_counterfactual(front_door, [event("Y", 1, {"X": 0})], [event("X", 1)])
    rows = np.arange(12.0).reshape(6, 2) ** 2
    monday = statistics(rows, rows @ [1.0, 2.0])
    both = Learner().learn("monday", monday).learn("tuesday", statistics(rows + 1, rows[:, 0]))
    both.forget("tuesday").digest() == Learner().learn("monday", monday).digest()   # True
    solve(both.forget("tuesday").total)      # the bits of a model that never saw Tuesday: 1, 2

Read in this order:

1. ``nano``: units and power ports (``units``), many models as arrays (``population``).
2. ``composition``: port-Hamiltonian models and their interconnection (``port_hamiltonian``), steps
   that keep the energy balance (``discrete_gradient``), signal wires (``signals``).
3. ``learning``: exact statistics and untraining (``statistics``), fits of measured records
   (``output_error``, ``tanks``).
4. ``causal``: graphs and separation (``graphs``), estimands (``expressions``), ID
   (``identification``), ID* (``counterfactuals``), models with known truth (``models``), questions
   in words (``cladder``).
5. ``determinism``: hashes of states. ``planning``: inputs under barriers (``barriers``) and plans
   over a horizon (``predictive``). ``domains``: seven laws.
6. ``kernel``: the safety kernel, a process of its own, and attempts to get past it.
7. ``loop``: sense, believe, plan, ask the kernel, act, learn, forget (``aara``).
8. ``certificate``: all of it in one file that a stand-alone verifier accepts.
9. ``experiments``: what the chapter measures; ``exercises``: its exercises' checks.

Names load when they are first asked for, so that the kernel's process starts with the standard
library alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.later import loaded_later

if TYPE_CHECKING:
    from quire.world_model.causal.cladder import Answer, answer
    from quire.world_model.causal.counterfactuals import Event, event, identify_counterfactual
    from quire.world_model.causal.graphs import (
        CausalGraph,
        backdoor,
        causal_graph,
        d_separated,
        frontdoor,
        instrument,
        latent_projection,
    )
    from quire.world_model.causal.identification import Estimand, identify
    from quire.world_model.causal.models import DiscreteModel, random_model
    from quire.world_model.composition.discrete_gradient import Trajectory, simulate
    from quire.world_model.composition.port_hamiltonian import (
        PortHamiltonian,
        interconnect,
        port_hamiltonian,
        wire,
    )
    from quire.world_model.composition.signals import Node, active, schedule
    from quire.world_model.determinism import chain, state_hash
    from quire.world_model.errors import (
        AlgebraicLoop,
        CyclicGraph,
        InfeasibleSafeSet,
        KernelUnavailable,
        NonFinite,
        NotIdentified,
        NotSkewSymmetric,
        PortArity,
        StatisticsOverflow,
        TokenExpired,
        TokenForged,
        TokenRefused,
        TokenReplayed,
        UnitMismatch,
        UnknownShard,
        Unreadable,
        WorldModelError,
    )
    from quire.world_model.kernel.client import Client, Kernel
    from quire.world_model.kernel.policy import Barrier, Policy
    from quire.world_model.learning.statistics import Learner, Statistics, solve, statistics
    from quire.world_model.nano.population import Population, random_population
    from quire.world_model.nano.units import Port, Unit, port, unit
    from quire.world_model.planning.barriers import closed_form, nearest_safe
    from quire.world_model.planning.predictive import Linear, plan, predictive_program

__all__ = [
    "AlgebraicLoop",
    "Answer",
    "Barrier",
    "CausalGraph",
    "Client",
    "CyclicGraph",
    "DiscreteModel",
    "Estimand",
    "Event",
    "InfeasibleSafeSet",
    "Kernel",
    "KernelUnavailable",
    "Learner",
    "Linear",
    "Node",
    "NonFinite",
    "NotIdentified",
    "NotSkewSymmetric",
    "Policy",
    "Population",
    "Port",
    "PortArity",
    "PortHamiltonian",
    "Statistics",
    "StatisticsOverflow",
    "TokenExpired",
    "TokenForged",
    "TokenRefused",
    "TokenReplayed",
    "Trajectory",
    "Unit",
    "UnitMismatch",
    "UnknownShard",
    "Unreadable",
    "WorldModelError",
    "active",
    "answer",
    "backdoor",
    "causal_graph",
    "chain",
    "closed_form",
    "d_separated",
    "event",
    "frontdoor",
    "identify",
    "identify_counterfactual",
    "instrument",
    "interconnect",
    "latent_projection",
    "nearest_safe",
    "plan",
    "port",
    "port_hamiltonian",
    "predictive_program",
    "random_model",
    "random_population",
    "schedule",
    "simulate",
    "solve",
    "state_hash",
    "statistics",
    "unit",
    "wire",
]

_PLACES = {
    "causal.cladder": ("Answer", "answer"),
    "causal.counterfactuals": ("Event", "event", "identify_counterfactual"),
    "causal.graphs": (
        "CausalGraph",
        "backdoor",
        "causal_graph",
        "d_separated",
        "frontdoor",
        "instrument",
        "latent_projection",
    ),
    "causal.identification": ("Estimand", "identify"),
    "causal.models": ("DiscreteModel", "random_model"),
    "composition.discrete_gradient": ("Trajectory", "simulate"),
    "composition.port_hamiltonian": ("PortHamiltonian", "interconnect", "port_hamiltonian", "wire"),
    "composition.signals": ("Node", "active", "schedule"),
    "determinism": ("chain", "state_hash"),
    "errors": (
        "AlgebraicLoop",
        "CyclicGraph",
        "InfeasibleSafeSet",
        "KernelUnavailable",
        "NonFinite",
        "NotIdentified",
        "NotSkewSymmetric",
        "PortArity",
        "StatisticsOverflow",
        "TokenExpired",
        "TokenForged",
        "TokenRefused",
        "TokenReplayed",
        "UnitMismatch",
        "UnknownShard",
        "Unreadable",
        "WorldModelError",
    ),
    "kernel.client": ("Client", "Kernel"),
    "kernel.policy": ("Barrier", "Policy"),
    "learning.statistics": ("Learner", "Statistics", "solve", "statistics"),
    "nano.population": ("Population", "random_population"),
    "nano.units": ("Port", "Unit", "port", "unit"),
    "planning.barriers": ("closed_form", "nearest_safe"),
    "planning.predictive": ("Linear", "plan", "predictive_program"),
}

__getattr__ = loaded_later(__name__, _PLACES)
