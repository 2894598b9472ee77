"""Put a certificate together: the body, which a model alone determines, and its grant."""

from __future__ import annotations

import hashlib
import pathlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from quire.checks import integer, non_negative, positive, real_array
from quire.world_model.causal.graphs import CausalGraph, backdoor
from quire.world_model.composition.discrete_gradient import simulate
from quire.world_model.composition.port_hamiltonian import PortHamiltonian, port_hamiltonian
from quire.world_model.errors import KernelUnavailable, NotIdentified
from quire.world_model.kernel import canonical
from quire.world_model.kernel.client import Client
from quire.world_model.learning.statistics import Learner, Statistics, solve


@dataclass(frozen=True)
class Oscillator:
    """A mass on a spring that stiffens, with damping: ``H = p^2/2m + k1 q^2/2 + k3 q^4/4``."""

    mass: float = 1.0
    k1: float = 1.0
    k3: float = 0.5
    damping: float = 0.1

    def model(self) -> PortHamiltonian:
        """Return it as a port-Hamiltonian model without ports."""
        m, k1 = positive("mass", self.mass), positive("k1", self.k1)
        k3, d = non_negative("k3", self.k3), non_negative("damping", self.damping)

        def energy(x: Float[Array, " n"]) -> Float[Array, ""]:
            return jnp.asarray(x[1] ** 2 / (2 * m) + k1 * x[0] ** 2 / 2 + k3 * x[0] ** 4 / 4)

        flow = np.array([[0.0, 1.0], [-1.0, 0.0]])
        return port_hamiltonian(energy, flow, np.diag([0.0, d]), np.zeros((2, 0)), [])


def body(
    oscillator: Oscillator,
    start: Float[np.ndarray, "2"],
    steps: int,
    step_s: float,
    graph: CausalGraph,
    treatment: str,
    outcome: str,
    adjustment: Sequence[str],
    learner: Learner,
    ridge: float = 0.0,
) -> dict[str, Any]:
    """Return the body of a certificate: parts (i), (ii), (iii) and (v).

    Raises
    ------
    NotIdentified
        When the adjustment set leaves a back door open, or the graph has hidden causes.
    """
    if graph.bidirected or not backdoor(graph, treatment, outcome, adjustment):
        raise NotIdentified(
            f"adjustment = {list(adjustment)}: must close every back door", adjustment
        )
    count = integer("steps", steps)
    first = real_array("start", start, 1)
    run = simulate(oscillator.model(), first, np.zeros((count, 0)), step_s)
    last = b""
    for state in run.states:
        last = hashlib.sha256(last + struct.pack("<2d", *state)).digest()
    assert learner.total is not None
    theta = solve(learner.total, ridge)
    parameters = {
        "mass": oscillator.mass,
        "k1": oscillator.k1,
        "k3": oscillator.k3,
        "damping": oscillator.damping,
        "step": step_s,
    }
    return {
        "states": [[float(v).hex() for v in state] for state in run.states],
        "chain": last.hex(),
        "model": {name: float(value).hex() for name, value in parameters.items()},
        "causal": {
            "edges": sorted(map(list, graph.directed)),
            "treatment": treatment,
            "outcome": outcome,
            "adjustment": sorted(adjustment),
        },
        "data": {
            "shards": {name: _plain(found) for name, found in sorted(learner.shards.items())},
            "total": _plain(learner.total),
            "theta": [float(t).hex() for t in theta],
            "ridge": float(ridge).hex(),
        },
    }


def grant(made: dict[str, Any], client: Client, log: str) -> dict[str, Any]:
    """Return part (iv): the kernel's token for a body, its ledger entry and its proof.

    Raises
    ------
    KernelUnavailable
        When the kernel does not grant it.
    """
    params = {"certificate": hashlib.sha256(canonical.canonical(made).encode()).hexdigest()}
    decision = client.authorize("certify", params)
    if not decision.allowed or decision.index is None:
        raise KernelUnavailable(f"the kernel does not grant the certificate: {decision.reason}")
    answer = client.connection.ask({"op": "inclusion", "index": decision.index})
    with pathlib.Path(log).open(encoding="utf-8") as file:
        entry = file.read().splitlines()[decision.index]
    return {
        "token": decision.token,
        "entry": entry,
        "index": decision.index,
        **{name: answer[name] for name in ("proof", "root", "size", "time", "signature")},
    }


def _plain(found: Statistics) -> dict[str, Any]:
    return {
        "gram": [[str(v) for v in row] for row in found.gram],
        "moment": [str(v) for v in found.moment],
        "square": str(found.square),
        "count": found.count,
        "shift": found.shift,
    }
