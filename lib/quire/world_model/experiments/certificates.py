"""A certificate, its forgeries, its bytes after untraining; identification against the truth."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer
from quire.world_model.causal.counterfactuals import event, identify_counterfactual
from quire.world_model.causal.graphs import CausalGraph, causal_graph
from quire.world_model.causal.identification import identify
from quire.world_model.causal.models import random_model
from quire.world_model.certificate import issue
from quire.world_model.certificate.verifier import verify
from quire.world_model.errors import NotIdentified, WorldModelError
from quire.world_model.kernel.canonical import canonical
from quire.world_model.kernel.client import Kernel
from quire.world_model.kernel.policy import Policy
from quire.world_model.learning.statistics import Learner, statistics

TEXTBOOK: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "chain": ([("X", "Z"), ("Z", "Y")], []),
    "bow arc": ([("X", "Y")], [("X", "Y")]),
    "back door": ([("Z", "X"), ("Z", "Y"), ("X", "Y")], []),
    "front door": ([("X", "M"), ("M", "Y")], [("X", "Y")]),
    "front door with a leak": ([("X", "M"), ("M", "Y"), ("X", "Y")], [("X", "Y")]),
    "instrument": ([("Z", "X"), ("X", "Y")], [("X", "Y")]),
    "napkin": ([("W", "R"), ("R", "X"), ("X", "Y")], [("W", "X"), ("W", "Y")]),
    "M graph": ([("X", "Y"), ("M", "W")], [("X", "M"), ("M", "Y")]),
    "hidden mediator arc": ([("X", "M"), ("M", "Y")], [("X", "M")]),
    "verma": ([("A", "X"), ("X", "C"), ("C", "Y")], [("X", "Y")]),
    "two mediators": ([("X", "A"), ("X", "B"), ("A", "Y"), ("B", "Y")], [("X", "Y"), ("A", "B")]),
    "mediator and outcome": ([("X", "M"), ("M", "Y")], [("M", "Y"), ("X", "Y")]),
}
FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a state": lambda c: c["body"]["states"].__setitem__(5, c["body"]["states"][6]),
    "damping": lambda c: c["body"]["model"].__setitem__("damping", (0.2).hex()),
    "adjustment set": lambda c: c["body"]["causal"].__setitem__("adjustment", []),
    "an arrow more": lambda c: c["body"]["causal"]["edges"].append(["Y", "Z"]),
    "a coefficient": lambda c: c["body"]["data"]["theta"].__setitem__(0, (1.01).hex()),
    "a shard left out": lambda c: c["body"]["data"]["shards"].pop("s1"),
    "another place": lambda c: c["grant"].__setitem__("index", 0),
    "another time": lambda c: c["grant"].__setitem__("time", 1),
    "no proof": lambda c: c["grant"].__setitem__("proof", []),
    "another token": lambda c: c["grant"].__setitem__("token", c["grant"]["token"][:-4] + "AAAA"),
}


@dataclass(frozen=True)
class Checked:
    """A certificate and what the verifier said of it."""

    certificate: str
    accepted: bool
    said: str


def certificates(seed: int) -> tuple[list[Checked], bool, int]:
    """Return the verdicts on genuine and forged certificates, whether bytes agree, the size."""
    rng = np.random.default_rng(integer("seed", seed, 0))
    x = rng.normal(size=(90, 3))
    y = x @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=90)
    learner = Learner()
    for k in range(3):
        learner = learner.learn(f"s{k}", statistics(x[k::3], y[k::3]))
    graph = causal_graph([("Z", "X"), ("Z", "Y"), ("X", "Y")])

    def body(known: Learner) -> dict[str, Any]:
        start, model = np.array([1.0, 0.0]), issue.Oscillator()
        return issue.body(model, start, 100, 0.05, graph, "X", "Y", ["Z"], known)

    rules = Policy(allow_subjects=("model",), allow_actions=("certify",), levels={"certify": 1})
    with Kernel(rules) as kernel, kernel.client("model", ("certify",)) as client:
        client.authorize("certify", {"certificate": "another"})
        made = body(learner)
        genuine = {"body": made, "grant": issue.grant(made, client, str(kernel.log))}
        key = kernel.public.hex()
    rows = [_checked("as issued", genuine, key)]
    for name, change in FORGERIES.items():
        forged = copy.deepcopy(genuine)
        change(forged)
        rows.append(_checked(name, forged, key))
    rows.append(_checked("another kernel's key", genuine, "00" * 32))
    never = Learner()
    for k in (2, 0):
        never = never.learn(f"s{k}", statistics(x[k::3], y[k::3]))
    same = canonical(body(learner.forget("s1"))) == canonical(body(never))
    return rows, same, len(canonical(genuine))


def _checked(name: str, certificate: dict[str, Any], key: str) -> Checked:
    faults = verify(certificate, key)
    return Checked(name, not faults, faults[0] if faults else "good")


@dataclass(frozen=True)
class Truth:
    """Random queries: how many are identified and refused, and the largest error."""

    kind: str
    identified: int
    refused: int
    error: float


def against_truth(queries: int, seed: int) -> list[Truth]:
    """Return effects and counterfactuals of random models, identified and enumerated."""
    rng = np.random.default_rng(integer("seed", seed, 0))
    rows = []
    for kind, size in (("effects (ID)", 4), ("counterfactuals (ID*)", 3)):
        good, refused, worst = 0, 0, 0.0
        for k in range(integer("queries", queries)):
            graph = _random_graph(rng, size)
            model = random_model(graph, seed + k)
            names = list(map(str, rng.permutation(list(graph.nodes))))
            try:
                if size == 4:
                    x, y = names[:2]
                    truth = model.probability([event(y, 0, {x: 1})])
                    got = identify(graph, [y], [x]).evaluate(model.joint(), {x: 1, y: 0})
                else:
                    asked = [event(names[0], 1, {names[1]: 0}), event(names[1], 1)]
                    if k % 2:
                        asked.append(event(names[2], int(rng.integers(2)), {names[1]: 1}))
                    truth = model.probability(asked)
                    got = identify_counterfactual(graph, asked).evaluate(model.joint())
            except NotIdentified:
                refused += 1
                continue
            except WorldModelError:
                continue
            good, worst = good + 1, max(worst, abs(got - truth))
        rows.append(Truth(kind, good, refused, worst))
    return rows


def textbook() -> list[tuple[str, bool]]:
    """Return for each textbook graph whether our ID identifies P(Y | do(X))."""
    found = []
    for name, (arrows, arcs) in TEXTBOOK.items():
        try:
            identify(causal_graph(arrows, arcs), "Y", "X")
            found.append((name, True))
        except NotIdentified:
            found.append((name, False))
    return found


def textbook_treated() -> list[bool]:
    """Return for each textbook graph whether our ID* identifies ``P(Y_{X=0} = 1, X = 1)``."""
    found = []
    for arrows, arcs in TEXTBOOK.values():
        asked = [event("Y", 1, {"X": 0}), event("X", 1)]
        try:
            identify_counterfactual(causal_graph(arrows, arcs), asked)
            found.append(True)
        except NotIdentified:
            found.append(False)
    return found


def _random_graph(rng: np.random.Generator, n: int) -> CausalGraph:
    names = [chr(65 + i) for i in range(n)]
    pairs = list(itertools.combinations(names, 2))
    arrows = [p for p in pairs if rng.random() < 0.6]
    return causal_graph(arrows, [p for p in pairs if rng.random() < 0.25], names)
