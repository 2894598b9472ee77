"""What can be recovered without a record: bounds for a small agent, witnesses, styles of prose."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.provenance.bounds.information import (
    bayes_accuracy,
    fano_accuracy_bound,
    krippendorff_alpha,
    recovered_share,
    witness,
)
from quire.provenance.bounds.observers import FIELDS, LEVELS, SmallAgent, table_decoder
from quire.provenance.schema.shapes import INTENT_CODES
from quire.provenance.worlds.agents import Runs


@dataclass(frozen=True)
class BoundRow:
    """What an observer recovers of a field: best accuracy, Fano's bound, share of bits; means.

    ``least_error`` is the error of the best decoder for the agent that it knows best.
    """

    field: str
    level: str
    leak: float
    best: float
    low: float
    high: float
    fano: float
    share: float
    least_error: float


def bounds(
    agents: int, leaks: Sequence[float], seed: int, fields: Sequence[str] = FIELDS
) -> list[BoundRow]:
    """Return every field at every level, over agents with drawn tables; 95 % intervals of means."""
    rows = []
    for leak in leaks:
        for field in fields:
            for level, name in enumerate(LEVELS):
                laws = [SmallAgent(seed + k, leak).joint(field, level) for k in range(agents)]
                best = np.array([bayes_accuracy(law) for law in laws])
                spread = 1.96 * best.std(ddof=1) / np.sqrt(agents)
                rows.append(
                    BoundRow(
                        field,
                        name,
                        leak,
                        float(best.mean()),
                        float(best.mean() - spread),
                        float(best.mean() + spread),
                        float(np.mean([fano_accuracy_bound(law) for law in laws])),
                        float(np.mean([recovered_share(law) for law in laws])),
                        float(1 - best.max()),
                    )
                )
    return rows


@dataclass(frozen=True)
class DecoderRow:
    """A fitted decoder on held-out draws against the bound."""

    level: str
    decoder: str
    accuracy: float
    bound: float
    errors: float


def decoders(count: int, leak: float, seed: int) -> list[DecoderRow]:
    """Return how a table of what was seen with what decodes the intent of other draws."""
    agent = SmallAgent(seed, leak)
    train, test = agent.sample(count, seed + 1), agent.sample(count, seed + 2)
    rows = []
    for level, name in enumerate(LEVELS):
        best = bayes_accuracy(agent.joint("intent", level))
        guess = table_decoder(train["intent"], train["seen"][level], test["seen"][level])
        rows.append(_decoded(name, "table", guess, test["intent"], best))
    return rows


def _decoded(
    level: str, name: str, guess: np.ndarray, truth: np.ndarray, best: float
) -> DecoderRow:
    right = float((guess == truth).mean())
    error = np.sqrt(best * (1 - best) / len(truth))
    return DecoderRow(level, name, right, best, float((right - best) / error))


@dataclass(frozen=True)
class Witness:
    """Two runs that did and saw the same up to a step, and meant different things by it."""

    first: int
    second: int
    step: int
    first_intent: str
    second_intent: str
    pairs: int


def intent_witness(runs: Runs) -> Witness | None:
    """Return the earliest pair of steps with equal histories and different intents, or None.

    A history is every call and outcome up to the step, the step's own call and outcome included:
    all that checkpoints of the messages hold. ``pairs`` counts the step at which it was found.
    """
    for k in range(runs.tool.shape[1]):
        here = np.flatnonzero(runs.tool[:, k] >= 0)
        if len(here) < 2:
            continue
        seen = np.hstack([runs.tool[here, : k + 1], runs.outcome[here, : k + 1]])
        found = witness(runs.intent[here, k], seen)
        if found is not None:
            a, b = int(here[found[0]]), int(here[found[1]])
            return Witness(
                a, b, k + 1, INTENT_CODES[runs.intent[a, k]], INTENT_CODES[runs.intent[b, k]],
                _disagreeing(runs.intent[here, k], seen),
            )  # fmt: skip
    return None


def _disagreeing(intents: np.ndarray, seen: np.ndarray) -> int:
    """Return how many neighbours in sorted order look the same and differ in intent."""
    order = np.lexsort((intents, *seen.T))
    same = (seen[order[1:]] == seen[order[:-1]]).all(axis=1)
    return int((same & (intents[order[1:]] != intents[order[:-1]])).sum())


# Ways to say each intent: the first is what the extractor was written for.
_SAYINGS = {
    "verify": ("I verify {t}", "let me double-check {t}", "is {t} really the one?", "{t}, again"),
    "rule_out": ("I rule out {t}", "{t} should be excluded", "{t} looks innocent; making sure",
                 "not {t}, I suppose"),
    "localise": ("I localise it to {t}", "narrowing down around {t}", "it must sit near {t}",
                 "closer to {t} now"),
    "explain": ("I explain {t}", "why did {t} do that?", "what made {t} fail", "{t}: the reason"),
    "gather": ("I gather data of {t}", "collecting more on {t}", "a look at {t}", "{t} first"),
}  # fmt: skip
_TONES = ("", "Okay. ", "Hmm, ", "Next: ")
_KEYWORDS = {
    "verify": r"verif|double-check|confirm",
    "rule_out": r"rule out|exclud|eliminat",
    "localise": r"locali[sz]|narrow|pinpoint",
    "explain": r"explain|why|root cause of",
    "gather": r"gather|collect|inspect",
}


def rendered(intent: str, target: str, style: int) -> str:
    """Return an intent as prose in one of 16 styles: four ways to say it, in four tones."""
    return _TONES[style // 4 % 4] + _SAYINGS[intent][style % 4].format(t=target)


def extracted(text: str) -> str | None:
    """Return the intent that a fixed set of keywords finds in a text, None where it finds none."""
    for intent, pattern in _KEYWORDS.items():
        if re.search(pattern, text, flags=re.I):
            return intent
    return None


def style_agreement(styles: int, count: int, seed: int) -> tuple[float, float]:
    """Return alpha of extracted codes over styles, and the share right in the first style.

    A text in which nothing is found is coded as such: silence is an answer that a query would get.
    """
    names = list(_SAYINGS)
    drawn = np.random.default_rng(seed).integers(0, len(names), count)
    codes = np.array(
        [
            [
                names.index(found) if found is not None else len(names)
                for found in (extracted(rendered(names[i], "service-03", s)) for i in drawn)
            ]
            for s in range(styles)
        ]
    )
    return krippendorff_alpha(codes), float((codes[0] == drawn).mean())
