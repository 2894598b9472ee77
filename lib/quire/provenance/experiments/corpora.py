"""Published runs, asked again: tau-bench, OpenRCA, Who&When, SWE-agent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, fisher_exact

from quire.provenance.calibration.scores import expected_calibration_error, murphy
from quire.provenance.exchange.importers import (
    from_swe_agent,
    from_tau_bench,
    points_of,
    speaker_of,
)
from quire.provenance.questions.corpora import (
    Attribution,
    Constant,
    best_constant,
    chance_of_agent,
    chance_of_step,
    leave_one_out_confidence,
    most_frequent_speaker,
    pass_hat_k,
)

TAU_TABLE = (0.420, 0.273, 0.220, 0.200)
"""pass^1 to pass^4 in tau-bench's repository."""

CHANCE_TABLE = {"agent": (29.10, 19.06), "step": (12.00, 4.16)}
"""Who&When's random baselines, per cent: algorithm-generated, hand-crafted; cells set right."""


@dataclass(frozen=True)
class SilentRow:
    """Of a corpus: turns with a call, and how many say why."""

    corpus: str
    turns: int
    stated: int
    share: float


def silence(tau: Sequence[Mapping[str, Any]], swe: Sequence[Mapping[str, Any]]) -> list[SilentRow]:
    """Return how many turns with a call carry text; ``think`` in tau-bench as a row of its own."""
    rows = []
    runs = [from_tau_bench(run) for run in tau]
    steps = [step for run in runs for step in run.steps]
    stated = sum(bool(step["intent"].strip()) for step in steps)
    thoughts = sum(step["tool_calls"][0]["tool"] == "think" for step in steps)
    if steps:
        rows.append(SilentRow("tau-bench", len(steps), stated, stated / len(steps)))
        both = stated + thoughts
        rows.append(SilentRow("tau-bench, with think", len(steps), both, both / len(steps)))
    turns = [s for k, t in enumerate(swe) for s in from_swe_agent(t, f"swe-{k}").steps]
    if turns:
        said = sum(bool(step["intent"]) for step in turns)
        rows.append(SilentRow("SWE-agent", len(turns), said, said / len(turns)))
    return rows


def tau_successes(runs: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return success of every task and trial, (tasks, trials)."""
    tasks = 1 + max(run["task_id"] for run in runs)
    trials = 1 + max(run["trial"] for run in runs)
    table = np.zeros((tasks, trials))
    for run in runs:
        table[run["task_id"], run["trial"]] = run["reward"] == 1
    return table


def tau_pass(successes: np.ndarray) -> list[tuple[int, float, float]]:
    """Return k, pass^k, and the repository's number."""
    counts = successes.sum(axis=1)
    n = successes.shape[1]
    return [(k, pass_hat_k(counts, n, k), TAU_TABLE[k - 1]) for k in range(1, n + 1)]


def tau_confidence(successes: np.ndarray, bins: int) -> dict[str, float]:
    """Return the Brier parts and the calibration error of confidence from a task's other trials."""
    p, y = leave_one_out_confidence(successes)
    parts = murphy(p, y)
    return {
        "Brier": parts.brier,
        "reliability": parts.reliability,
        "resolution": parts.resolution,
        "uncertainty": parts.uncertainty,
        "ECE": expected_calibration_error(p, y, bins),
    }


@dataclass(frozen=True)
class OpenRcaRow:
    """One file of the archive: rows, those the agent and the best constant answer in full."""

    file: str
    rows: int
    agent: int
    constant: int
    answer: str


def openrca(files: Mapping[str, Sequence[Mapping[str, str]]]) -> list[OpenRcaRow]:
    """Return the score of the published agent and of the best constant per file."""
    rows = []
    for name, answers in files.items():
        best: Constant = best_constant([points_of(row) for row in answers])
        agent = sum(float(row["score"]) == 1 for row in answers)
        words = ", ".join(part for part in (best.component, best.reason) if part)
        rows.append(OpenRcaRow(name, len(answers), agent, best.right, words))
    return rows


def openrca_tests(files: Mapping[str, Sequence[Mapping[str, str]]]) -> tuple[float, float]:
    """Return p of agent against constant: Fisher's exact test, and the paired sign test."""
    table = openrca(files)
    total, agent = sum(r.rows for r in table), sum(r.agent for r in table)
    constant = sum(r.constant for r in table)
    fisher = fisher_exact([[agent, total - agent], [constant, total - constant]])[1]
    better = worse = 0
    for row, answers in zip(table, files.values(), strict=True):
        words = set(row.answer.split(", "))
        for answer in answers:
            points = set(points_of(answer))
            by_constant = bool(points) and points <= words
            by_agent = float(answer["score"]) == 1
            better += by_agent and not by_constant
            worse += by_constant and not by_agent
    paired = binomtest(better, better + worse).pvalue if better + worse else 1.0
    return float(fisher), float(paired)


@dataclass(frozen=True)
class ChanceRow:
    """One part of Who&When: chance of agent and step, and of who speaks most, per cent."""

    part: str
    logs: int
    agent: float
    agent_merged: float
    step: float
    most_frequent: float
    most_frequent_merged: float


def chance(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[ChanceRow]:
    """Return the baselines of both parts, by label and with an agent's labels merged."""
    rows = []
    for name, logs in parts.items():
        written, merged = [], []
        for log in logs:
            labels = tuple(str(m.get("name") or m.get("role")) for m in log["history"])
            speakers = tuple(speaker_of(m) for m in log["history"])
            agent, step = str(log["mistake_agent"]), int(log["mistake_step"])
            written.append(Attribution(labels, agent, step))
            merged.append(Attribution(speakers, agent, step))
        by_label = float(np.mean([1 / len(set(log.speakers)) for log in written]))
        rows.append(
            ChanceRow(
                name,
                len(logs),
                100 * by_label,
                100 * chance_of_agent(merged),
                100 * chance_of_step(written),
                100 * most_frequent_speaker(written),
                100 * most_frequent_speaker(merged),
            )
        )
    return rows
