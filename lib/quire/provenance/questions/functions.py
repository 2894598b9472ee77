"""Ten questions about a population of runs, as functions on columns.

Each returns rows of plain values, the same as the SQL of `quire.provenance.questions.sql` gives,
in the same order. The first four are those of the paper's introduction; the paper promises ten and
lists no others.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from quire.checks import between, integer
from quire.provenance.questions.population import Population
from quire.provenance.schema.shapes import INFERENCE_CODES, INTENT_CODES

Rows = list[tuple[Any, ...]]


def replan_after_first_step(p: Population) -> Rows:
    """1. Share of runs per category whose second plan was triggered by the first step.

    Rows of category, share, runs.
    """
    return _means(p, p.category, p.trigger == 1, p.category >= 0, "category")


def disagreement_when_unsure(p: Population, below: float = 0.7) -> Rows:
    """2. Share of reviewed verdicts below a confidence with which the expert disagrees.

    One row of share, verdicts.
    """
    below = between("below", below, 0, 1 + 1e-9)
    chosen = (p.confidence < below) & (p.right >= 0)
    count = int(chosen.sum())
    return [(float((p.right[chosen] == 0).mean()), count)] if count else []


def prompt_versions_compared(p: Population) -> Rows:
    """3. Accuracy of every pair of prompt versions on the incidents that both were reviewed on.

    Rows of first version, second, accuracy of the first, of the second, incidents. Of repeated
    runs of one prompt on one incident the mean counts.
    """
    chosen = (p.prompt >= 0) & (p.right >= 0)
    kinds = len(p.names["prompt"])
    key = p.incident[chosen].astype(np.int64) * kinds + p.prompt[chosen]
    size = kinds * len(p.names["incident"])
    if not key.size:
        return []
    counts = np.bincount(key, minlength=size).reshape(-1, kinds)
    with np.errstate(invalid="ignore"):
        means = np.bincount(key, p.right[chosen], size).reshape(-1, kinds) / counts
    rows = []
    names = p.names["prompt"]
    for a in range(kinds):
        for b in range(kinds):
            both = (counts[:, a] > 0) & (counts[:, b] > 0)
            if names[a] < names[b] and both.any():
                first, second = means[both, a].mean(), means[both, b].mean()
                rows.append((names[a], names[b], float(first), float(second), int(both.sum())))
    return sorted(rows)


def pattern_before_wrong_verdict(p: Population, support: int = 20) -> Rows:
    """4. Pairs of tool and inference in neighbouring steps by how much oftener they end up wrong.

    The last pair of steps of each reviewed run. Rows of first tool, inference, second tool,
    inference, lift (share wrong over the share in all), runs; the five largest.
    """
    support = integer("support", support, 1)
    last = _last_steps(p)
    has = (p.right >= 0) & (last >= 0)
    has[has] &= p.place[last[has]] >= 2
    end = last[has]
    if not end.size:
        return []
    tools, codes = len(p.names["tool"]) + 1, len(INFERENCE_CODES) + 1
    second = (p.tool[end] + 1) * codes + p.inference[end] + 1
    first = (p.tool[end - 1] + 1) * codes + p.inference[end - 1] + 1
    key = first.astype(np.int64) * tools * codes + second
    kinds, where, counts = np.unique(key, return_inverse=True, return_counts=True)
    wrong = np.bincount(where, p.right[has] == 0, len(kinds))
    rate = float((p.right[has] == 0).mean())
    if rate == 0:
        return []
    tool_names, code_names = ("", *p.names["tool"]), ("", *INFERENCE_CODES)
    rows = []
    for kind, count, bad in zip(kinds, counts, wrong, strict=True):
        if count >= support:
            one, two = divmod(int(kind), tools * codes)
            rows.append(
                (
                    tool_names[one // codes],
                    code_names[one % codes],
                    tool_names[two // codes],
                    code_names[two % codes],
                    float(bad / count / rate),
                    int(count),
                )
            )
    return sorted(rows, key=lambda row: (-row[4], row[:4]))[:5]


def steps_to_verdict(p: Population) -> Rows:
    """5. Mean number of steps per category. Rows of category, steps, runs."""
    steps = np.bincount(p.run, minlength=len(p))
    return _means(p, p.category, steps, p.category >= 0, "category")


def tools_that_reject(p: Population) -> Rows:
    """6. Alternatives rejected per step of every tool. Rows of tool, rejected a step, steps."""
    return _means(p, p.tool, p.rejects, p.tool >= 0, "tool")


def evidence_of_old_plans(p: Population) -> Rows:
    """7. Share of verdicts whose evidence holds a step of a plan that was superseded.

    One row of share, verdicts.
    """
    judged = np.isfinite(p.confidence)
    old = (p.evidence == 1) & (p.plan < p.plans[p.run])
    has = np.bincount(p.run, old, len(p)) > 0
    count = int(judged.sum())
    return [(float(has[judged].mean()), count)] if count else []


def overconfidence_of_models(p: Population) -> Rows:
    """8. Mean confidence and accuracy of every model. Rows of model, confidence, accuracy, runs."""
    chosen = (p.right >= 0) & np.isfinite(p.confidence)
    said = {row[0]: row for row in _means(p, p.model, p.confidence, chosen, "model")}
    return [
        (model, said[model][1], right, count)
        for model, right, count in _means(p, p.model, p.right, chosen, "model")
    ]


def intents_carried_out(p: Population) -> Rows:
    """9. Share of steps with a target whose calls touch it. Rows of intent, share, steps."""
    return _means(p, p.intent, p.touches, (p.intent >= 0) & (p.touches >= 0), INTENT_CODES)


def unused_steps(p: Population) -> Rows:
    """10. Share of steps per prompt that are neither evidence nor reject anything, after a verdict.

    Rows of prompt, share, steps.
    """
    prompt, judged = p.prompt[p.run], np.isfinite(p.confidence)[p.run]
    unused = (p.evidence == 0) & (p.rejects == 0)
    return _means(p, prompt, unused, (prompt >= 0) & judged, "prompt")


QUESTIONS: dict[str, Callable[[Population], Rows]] = {
    function.__name__: function
    for function in (
        replan_after_first_step,
        disagreement_when_unsure,
        prompt_versions_compared,
        pattern_before_wrong_verdict,
        steps_to_verdict,
        tools_that_reject,
        evidence_of_old_plans,
        overconfidence_of_models,
        intents_carried_out,
        unused_steps,
    )
}
"""The ten questions by name, in order."""


def _means(
    p: Population,
    groups: np.ndarray,
    values: np.ndarray,
    chosen: np.ndarray,
    names: str | tuple[str, ...],
) -> Rows:
    """Return name, mean and count of every group that occurs, by name."""
    spelled = p.names[names] if isinstance(names, str) else names
    counts = np.bincount(groups[chosen], minlength=len(spelled))
    sums = np.bincount(groups[chosen], np.asarray(values, float)[chosen], len(spelled))
    return sorted(
        (spelled[k], float(sums[k] / counts[k]), int(counts[k])) for k in np.flatnonzero(counts)
    )


def _last_steps(p: Population) -> np.ndarray:
    """Return the row of every run's last step, -1 where it has none."""
    last = np.full(len(p), -1, np.int64)
    last[p.run] = np.arange(len(p.run))
    return last
