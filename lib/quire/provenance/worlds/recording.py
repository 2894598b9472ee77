"""Simulated runs as columns for the questions, and as records of the format."""

from typing import Any

import numpy as np

from quire.provenance.questions.population import Population
from quire.provenance.schema.records import Record
from quire.provenance.schema.shapes import INFERENCE_CODES, INTENT_CODES
from quire.provenance.worlds.agents import (
    POLICIES,
    Runs,
    evidence,
    rejecting_step,
    stated_targets,
)
from quire.provenance.worlds.rca import KINDS, REASONS, World

_SAYS = {
    0: ("normal", "slightly raised", "raised", "very high"),
    3: ("quiet", "a process was killed", "disk errors", "timeouts"),
    4: ("fine", "slow here", "slow below", "errors here"),
}


def population_of(
    world: World,
    runs: Runs,
    models: np.ndarray,
    model_names: tuple[str, ...],
    seed: int = 0,
    rationalising: float = 0.0,
) -> Population:
    """Return simulated runs as a population; the review is the known truth.

    Parameters
    ----------
    world, runs
        What was simulated.
    models
        One index of ``model_names`` per run.
    model_names
        What the models are called.
    seed, rationalising
        As `stated_targets` has them.
    """
    row, column = np.nonzero(runs.tool >= 0)
    chain, reject = evidence(world, runs), rejecting_step(world, runs)
    first = (runs.inference == INFERENCE_CODES.index("replan")) & (runs.plan == 1)
    says = stated_targets(world, runs, seed, rationalising)
    at = runs.tool % world.services
    return Population(
        None,
        runs.incident - runs.incident.min(),
        runs.policy.astype(np.int64),
        np.asarray(models, np.int64),
        np.where(runs.verdict == world.hypotheses - 1, world.reasons, runs.verdict % world.reasons),
        runs.confidence,
        (runs.verdict == runs.truth).astype(np.int64),
        np.where(first.any(axis=1), first.argmax(axis=1) + 1, 0),
        runs.plan.max(axis=1).astype(np.int64),
        row,
        column + 1,
        runs.plan[row, column].astype(np.int64),
        runs.intent[row, column].astype(np.int64),
        runs.inference[row, column].astype(np.int64),
        (runs.tool[row, column] // world.services).astype(np.int64),
        (says == at)[row, column].astype(np.int64),
        chain[row, column].astype(np.int64),
        (reject[row] == column).astype(np.int64),
        {
            "incident": tuple(f"incident-{k}" for k in range(int(np.ptp(runs.incident)) + 1)),
            "prompt": POLICIES,
            "model": model_names,
            "category": (*REASONS[: world.reasons], "No fault"),
            "tool": KINDS,
        },
    )


def records_of(
    world: World, runs: Runs, rows: Any, seed: int = 0, rationalising: float = 0.0
) -> list[Record]:
    """Return chosen runs as records, with texts beside the codes.

    Verdicts are categorised by reason, as `population_of` has them.
    """
    chain, reject = evidence(world, runs), rejecting_step(world, runs)
    says = stated_targets(world, runs, seed, rationalising)
    return [_record(world, runs, int(r), chain[r], int(reject[r]), says[r]) for r in rows]


def _record(
    world: World, runs: Runs, r: int, chain: np.ndarray, reject: int, says: np.ndarray
) -> Record:
    count = int(runs.lengths[r])
    plans: list[dict[str, Any]] = [{"plan_version": 1, "rationale": "find the faulty service"}]
    steps = []
    for k in range(count):
        tool, said = int(runs.tool[r, k]), int(runs.outcome[r, k])
        kind, at = divmod(tool, world.services)
        intent = INTENT_CODES[runs.intent[r, k]]
        inference = INFERENCE_CODES[runs.inference[r, k]]
        words = _SAYS.get(kind, _SAYS[0])[max(said, 0)]
        target = f"service-{int(says[k]):02d}"
        step_id = f"step_{k + 1:03d}"
        steps.append(
            {
                "step_id": step_id,
                "plan_version": int(runs.plan[r, k]),
                "sequence": k + 1,
                "intent": f"{intent.replace('_', ' ')} {target}",
                "intent_code": intent,
                "target": target,
                "tool_calls": [
                    {
                        "tool": KINDS[kind],
                        "input": {"service": f"service-{at:02d}"},
                        "output": {"level": said, "says": words},
                    }
                ],
                "observation": f"{KINDS[kind]} of service-{at:02d}: {words}",
                "inference": inference,
                "inference_code": inference,
            }
        )
        if k + 1 < count and runs.plan[r, k + 1] > runs.plan[r, k]:
            version = int(runs.plan[r, k + 1])
            plans.append(
                {
                    "plan_version": version,
                    "supersedes": version - 1,
                    "revision_trigger": step_id,
                    "rationale": "another service is suspected",
                }
            )
    verdict, second = int(runs.verdict[r]), int(runs.second[r])
    rejected = (
        []
        if reject < 0
        else [{"hypothesis": world.category(second), "rejected_by": f"step_{reject + 1:03d}"}]
    )
    last = world.category(verdict).split(" > ")
    return Record(
        {
            "investigation_id": f"sim-{int(runs.incident[r])}-{POLICIES[runs.policy[r]]}",
            "trigger": {"source": "simulation", "reference": f"incident-{int(runs.incident[r])}"},
            "agent": {"model": "bayes", "prompt_version": POLICIES[runs.policy[r]]},
        },
        tuple(plans),
        tuple(steps),
        {
            "root_cause_category": last[-1],
            "root_cause_summary": world.category(verdict),
            "confidence": float(runs.confidence[r]),
            "evidence_chain": [f"step_{k + 1:03d}" for k in range(count) if chain[k]],
            "alternatives_rejected": rejected,
        },
        {"review": {"agrees": bool(runs.verdict[r] == runs.truth[r])}},
    )
