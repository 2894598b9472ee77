"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

from typing import Any

import numpy as np

from quire.answers import called, is_near
from quire.provenance.bounds.information import bayes_accuracy
from quire.provenance.calibration.recalibration import fit_temperature
from quire.provenance.chain.hash_chain import chain, head_of, verify
from quire.provenance.givens import overconfident_sample


def two_prompts(answer: Any) -> bool:
    """Whether the answer is p(intent, action), 2 x 2, that tells nothing of even intents.

    Both intents have probability one half, both actions occur, and no decoder does better than
    one half.
    """
    try:
        joint = np.asarray(answer, dtype=float)
        if joint.shape != (2, 2) or not np.isfinite(joint).all() or joint.min() < 0:
            return False
        even = np.allclose(joint.sum(axis=1), 0.5, atol=1e-9)
        return bool(even and joint.sum(axis=0).min() > 0.01) and is_near(
            bayes_accuracy(joint), 0.5, abs_=1e-9
        )
    except Exception:  # a reader's object may do anything
        return False


def best_temperature(answer: Any) -> bool:
    """Whether the answer is the temperature that repairs the sample, within 2 %."""
    return is_near(answer, fit_temperature(*overconfident_sample()), rel=0.02)


def breaks_found(answer: Any) -> bool:
    """Whether the answer is a function that finds the first broken place of a chain without a head.

    Called with the lists of leaves that are stored and of those computed from the documents; it
    returns the first place, from 0, at which they differ, and None where one is the beginning of
    the other: what a verifier without a head can see.
    """
    cases = [
        (["a", "b", "c"], ["a", "b", "c"], None),
        (["a", "b", "c"], ["a", "c"], 1),
        (["a", "b", "c"], ["a", "b"], None),
        (["a", "b", "c"], ["x", "b", "c"], 0),
        (["a", "b", "c"], ["a", "c", "b"], 1),
        (["a", "b", "c"], ["a", "b", "x"], 2),
        ([], [], None),
    ]
    if not callable(answer):
        return False
    missing = object()
    for stored, computed, right in cases:
        found = called(lambda s, c: (answer(list(s), list(c)),), stored, computed)
        given = missing if found is None else found[0]
        if isinstance(given, bool) or not (
            given is right or (right is not None and given == right)
        ):
            return False
    # the library agrees on what a head adds
    documents = [{"k": k} for k in range(3)]
    entries = chain({}, documents)
    return verify({}, documents[:2], entries[:3], head_of(entries)).kind == "truncation"


def merged_chance(answer: Any) -> bool:
    """Whether the answer is the mean chance, per cent, of naming the agent in the three runs below.

    Runs of labels: four with two of one agent; two; three with all of one agent.
    """
    runs = (
        ("human", "Orchestrator (thought)", "Orchestrator (-> WebSurfer)", "WebSurfer"),
        ("human", "Orchestrator (thought)"),
        ("Orchestrator (thought)", "Orchestrator (-> Assistant)", "Orchestrator (termination)"),
    )
    chances = [1 / len({label.split(" (")[0] for label in run}) for run in runs]
    return is_near(answer, 100 * sum(chances) / len(chances), abs_=0.1)
