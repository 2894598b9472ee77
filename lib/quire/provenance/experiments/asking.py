"""Ten questions, asked of records, of text, of spans; and what confidence and intent are worth."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.provenance.calibration.recalibration import corp
from quire.provenance.capture.fidelity import rationalised_share
from quire.provenance.experiments.identifiability import extracted, rendered
from quire.provenance.questions.functions import QUESTIONS, Rows
from quire.provenance.questions.population import NOT_CODED, Population
from quire.provenance.replay.alignment import compare_runs
from quire.provenance.replay.mock import RecordedTools, mock_replay
from quire.provenance.schema.records import Record
from quire.provenance.schema.shapes import INTENT_CODES
from quire.provenance.worlds.agents import POLICIES, Runs, replay, run_with, simulate
from quire.provenance.worlds.rca import KINDS, World
from quire.provenance.worlds.recording import population_of, records_of


@dataclass(frozen=True)
class Simulated:
    """A simulated population: the world, its runs, and the columns of its records."""

    world: World
    runs: Runs
    taus: tuple[float, ...]
    models: np.ndarray
    columns: Population


def simulated(
    count: int, services: int, reasons: int, max_steps: int, taus: Sequence[float], seed: int
) -> Simulated:
    """Return runs in pairs: both prompts on each incident, models by temperature in turn."""
    world = World(services, reasons)
    incident = np.arange(count) // 2
    models = incident % len(taus)
    runs = simulate(
        world, incident, np.arange(count) % 2, np.asarray(taus, float)[models], seed,
        max_steps=max_steps,
    )  # fmt: skip
    names = tuple(f"tau {tau:g}" for tau in taus)
    return Simulated(
        world, runs, tuple(taus), models, population_of(world, runs, models, names, seed)
    )


@dataclass(frozen=True)
class QuestionRow:
    """One question: its answer's first row from records, and whether text and spans give it."""

    question: str
    answer: str
    text: str
    spans: str
    text_wrong: bool
    spans_wrong: bool


def asked_of_text(columns: Population, leak: float, styles: int, seed: int) -> Population:
    """Return what an extractor makes of checkpoints with generations.

    Calls, order and verdict are there. Intents are read from prose that states them with
    probability ``leak`` in one of ``styles`` styles; inferences and plans only where a generation
    speaks of them, with the same probability; confidence as a word, read back as its middle; which
    steps are evidence and what they reject is never said, so every step counts as evidence.
    """
    random = np.random.default_rng(seed)
    steps, runs = len(columns.run), len(columns)
    said = random.random(steps) < leak
    style = random.integers(0, styles, steps)
    heard: dict[tuple[int, int], int] = {}
    intent = np.full(steps, NOT_CODED)
    for k in np.flatnonzero(said):
        key = (int(columns.intent[k]), int(style[k]))
        if key not in heard:
            found = extracted(rendered(INTENT_CODES[key[0]], "service-03", key[1]))
            heard[key] = INTENT_CODES.index(found) if found else NOT_CODED
        intent[k] = heard[key]
    told = random.random(runs) < leak
    # sure, likely, unsure: what a generation says instead of a number
    words = np.select([columns.confidence > 0.9, columns.confidence > 0.6], [0.95, 0.75], 0.5)
    spoken = random.random(steps) < leak
    return dataclasses.replace(
        columns,
        confidence=np.where(told, words, np.nan),
        trigger=np.where(random.random(runs) < leak, columns.trigger, 0),
        plans=np.where(told, columns.plans, 1),
        plan=np.where(spoken, columns.plan, 1),
        intent=intent,
        inference=np.where(spoken, columns.inference, NOT_CODED),
        evidence=np.ones(steps, np.int64),
        rejects=np.zeros(steps, np.int64),
    )


def asked_of_spans(columns: Population) -> Population:
    """Return what spans hold: calls, their order, model; verdict and review by run id, no why."""
    steps, runs = len(columns.run), len(columns)
    return dataclasses.replace(
        columns,
        confidence=np.full(runs, np.nan),
        trigger=np.zeros(runs, np.int64),
        plans=np.ones(runs, np.int64),
        plan=np.ones(steps, np.int64),
        intent=np.full(steps, NOT_CODED),
        inference=np.full(steps, NOT_CODED),
        touches=np.full(steps, NOT_CODED),
        evidence=np.zeros(steps, np.int64),
        rejects=np.zeros(steps, np.int64),
    )


def compare_answers(columns: Population, text: Population, spans: Population) -> list[QuestionRow]:
    """Return the ten questions with the answers of records, text and spans."""
    rows = []
    for name, question in QUESTIONS.items():
        right, one, two = question(columns), question(text), question(spans)
        rows.append(
            QuestionRow(
                name.replace("_", " "),
                _told(right),
                _told(one),
                _told(two),
                not near(right, one, 0.01),
                not near(right, two, 0.01),
            )
        )
    return rows


def near(first: Rows, second: Rows, by: float = 1e-9) -> bool:
    """Return whether two answers agree: the same rows by name, every share and mean within ``by``.

    Counts of runs are not compared: an answer from fewer runs may still be right.
    """
    if [_names(row) for row in first] != [_names(row) for row in second]:
        return False
    return all(
        abs(a - b) <= by
        for one, two in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
        if isinstance(a, float)
    )


def _names(row: tuple[Any, ...]) -> list[str]:
    return [part for part in row if isinstance(part, str)]


def _told(rows: Rows) -> str:
    if not rows:
        return "no answer"
    parts = [part if isinstance(part, str) else f"{part:.3f}" for part in rows[0][:-1]]
    return ", ".join(str(part) for part in parts)


@dataclass(frozen=True)
class CalibrationRow:
    """Agents of one temperature: what they say and what is so."""

    tau: float
    confidence: float
    accuracy: float
    errors: float
    brier: float
    miscalibration: float
    discrimination: float
    unsure: float


def calibration(s: Simulated) -> list[CalibrationRow]:
    """Return the calibration of every temperature, with the second question's answer beside it."""
    rows = []
    for k, tau in enumerate(s.taus):
        mine = s.models == k
        p, y = s.runs.confidence[mine], s.columns.right[mine]
        parts = corp(p, y)
        error = np.sqrt((p * (1 - p)).sum()) / len(p)
        low = p < 0.7
        rows.append(
            CalibrationRow(
                tau,
                float(p.mean()),
                float(y.mean()),
                float(abs(p.mean() - y.mean()) / error),
                parts.brier,
                parts.miscalibration,
                parts.discrimination,
                float((y[low] == 0).mean()) if low.any() else float("nan"),
            )
        )
    return rows


def unsure_gaps(world: World, count: int, max_steps: int, seeds: Sequence[int]) -> list[float]:
    """Return per seed how far the disagreement below 0.7 differs at temperatures 0.5 and 1.

    The runs are the same; only the stated confidence differs.
    """
    gaps = []
    for seed in seeds:
        rates = []
        for tau in (0.5, 1.0):
            runs = simulate(
                world, np.arange(count), np.zeros(count, int), np.full(count, tau), seed,
                max_steps=max_steps,
            )  # fmt: skip
            low = runs.confidence < 0.7
            rates.append(float((runs.verdict != runs.truth)[low].mean()))
        gaps.append(abs(rates[0] - rates[1]))
    return gaps


def wrong_counts(s: Simulated, leak: float, styles: int, seeds: Sequence[int]) -> list[int]:
    """Return per seed how many of the ten answers come out wrong from text."""
    spans = asked_of_spans(s.columns)
    return [
        sum(
            row.text_wrong
            for row in compare_answers(
                s.columns, asked_of_text(s.columns, leak, styles, seed), spans
            )
        )
        for seed in seeds
    ]


@dataclass(frozen=True)
class ReplayRow:
    """One seed of a changed prompt: agreement of the replay with the record and with a live run."""

    seed: int
    with_record: float
    with_live: float
    missed: float
    divergent: float


def changed_prompt(
    world: World, count: int, max_steps: int, seeds: Sequence[int]
) -> list[ReplayRow]:
    """Record the first prompt, replay the records with the second, and run the second live."""
    rows = []
    for seed in seeds:
        incident, ones = np.arange(count), np.ones(count)
        first, second = np.zeros(count, int), np.ones(count, int)
        recorded = simulate(world, incident, first, ones, seed, max_steps=max_steps)
        live = simulate(world, incident, second, ones, seed, max_steps=max_steps)
        again = replay(world, recorded, second, ones, max_steps=max_steps)
        rows.append(
            ReplayRow(
                seed,
                float((again.verdict == recorded.verdict).mean()),
                float((again.verdict == live.verdict).mean()),
                float((again.misses / again.lengths).mean()),
                float((live.verdict != recorded.verdict).mean()),
            )
        )
    return rows


def made_up_intents(
    s: Simulated, shares: Sequence[float], seeds: Sequence[int]
) -> list[tuple[float, float, float]]:
    """Return the share of made-up intents, what is recovered from consistency, and the error.

    The mean over seeds, and the largest error of a seed.
    """
    rows = []
    for share in shares:
        found = []
        for seed in seeds:
            columns = population_of(s.world, s.runs, s.models, ("m",) * len(s.taus), seed, share)
            consistency = float(columns.touches.mean())
            found.append(rationalised_share(consistency, 1 / s.world.services))
        rows.append((share, float(np.mean(found)), float(np.abs(np.array(found) - share).max())))
    return rows


def same_policy_differences(s: Simulated, count: int) -> int:
    """Replay records one by one with the policy that made them; count what differs.

    The agent gets the envelope and the recorded tools alone: its beliefs, intents and verdict are
    made anew, and a call that was not recorded raises.
    """
    chosen = range(min(count, len(s.runs)))
    records = records_of(s.world, s.runs, chosen)
    steps = int(s.runs.tool.shape[1])
    faults = 0
    for row, record in zip(chosen, records, strict=True):

        def agent(envelope: Any, tools: RecordedTools, row: int = row) -> Record:
            def ask(rows: np.ndarray, tool: np.ndarray) -> np.ndarray:
                kind, at = divmod(int(tool[0]), s.world.services)
                said = tools.call(KINDS[kind], {"service": f"service-{at:02d}"})
                return np.array([said["level"]])

            policy = POLICIES.index(envelope["agent"]["prompt_version"])
            run = run_with(
                s.world, ask, int(s.runs.incident[row]), int(s.runs.truth[row]), policy,
                max_steps=steps,
            )  # fmt: skip
            return records_of(s.world, run, [0])[0]

        again, tools = mock_replay(record, agent, "strict")
        found = compare_runs(record, again)
        faults += tools.missed + (found.converged is not True) + (found.matched != 1)
        faults += len(found.pairs) - found.count("equal")
    return faults
