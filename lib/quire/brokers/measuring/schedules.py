"""When messages are due: an open loop, whose times do not depend on how the system answers.

Publisher i fires at ``phi_i + k/r`` (deterministic) or with gaps of ``Exp(1/r)`` (Poisson). Phases
are uniform in ``[0, 1/r)``; without them all publishers fire at once, which is an artefact.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from quire.checks import integer, positive
from quire.signatures import checked

MOST_MESSAGES = 50_000_000
_LONGEST_S = 9.2e9
_LEAST_RATE = 1e-300


@dataclass(frozen=True)
class Schedule:
    """Messages in the order in which they are due.

    Attributes
    ----------
    due_ns
        Nanoseconds since the start, ascending.
    publisher
        Who sends.
    number
        The how-manieth of its publisher, from 0.
    """

    due_ns: Int[np.ndarray, " messages"]
    publisher: Int[np.ndarray, " messages"]
    number: Int[np.ndarray, " messages"]


@checked
def schedule(
    publishers: int,
    rate_per_s: float,
    seconds: float,
    *,
    arrival: str = "deterministic",
    seed: int = 0,
) -> Schedule:
    """Return all due times of some publishers within ``[0, seconds)``, sorted once.

    A deterministic publisher sends ``floor(r T)`` or one more, at its random phase.

    Raises
    ------
    ValueError
        For a number that is not positive, an unknown kind of arrival, more than fifty million
        publishers or messages, or times that nanoseconds in 64 bits cannot hold.
    """
    publishers = integer("publishers", publishers, 1, MOST_MESSAGES)
    rate = positive("rate_per_s", rate_per_s)
    span = positive("seconds", seconds)
    if span > _LONGEST_S:
        raise ValueError(f"seconds = {span:g}: must be at most {_LONGEST_S:g}")
    if rate < _LEAST_RATE:
        raise ValueError(f"rate_per_s = {rate:g}: must be at least {_LEAST_RATE:g}")
    seed = integer("seed", seed, 0)
    if publishers * rate * span > MOST_MESSAGES:
        raise ValueError(
            f"publishers * rate_per_s * seconds = {publishers * rate * span:.3g}: "
            f"must be at most {MOST_MESSAGES:,} messages"
        )
    random = np.random.default_rng(seed)
    if arrival == "deterministic":
        phases = random.random(publishers) / rate
        counts = np.ceil((span - phases) * rate).clip(0).astype(np.int64)
        owner = np.repeat(np.arange(publishers), counts)
        number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        due = phases[owner] + number / rate
    elif arrival == "poisson":
        counts = random.poisson(rate * span, publishers)
        owner = np.repeat(np.arange(publishers), counts)
        due = random.random(int(counts.sum())) * span
        order = np.lexsort((due, owner))
        due = due[order]
        number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    else:
        raise ValueError(f"arrival = {arrival!r}: must be 'deterministic' or 'poisson'")
    kept = due < span
    due, owner, number = due[kept], owner[kept], number[kept]
    order = np.argsort(due, kind="stable")
    return Schedule(
        due_ns=(due[order] * 1e9).astype(np.int64),
        publisher=owner[order].astype(np.int64),
        number=number[order].astype(np.int64),
    )
