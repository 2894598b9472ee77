"""Textbook problems whose answer is known some other way: what a solver of ours is tried on.

Machine replacement and forest management are discrete-time problems of the usual form (transitions
per action, costs per state and action); control of admission has a threshold in closed form.
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Float

from quire.checks import between, integer, non_negative, positive
from quire.queueing.decisions.semi_markov import SemiMarkov, discrete_problem
from quire.queueing.errors import UnstableSystem

Transitions = Float[np.ndarray, "actions states states"]
StateCosts = Float[np.ndarray, "states actions"]


def machine_replacement(
    states: int = 6, running: float = 2.0, replacing: float = 5.0, restart: float = 1e-6
) -> tuple[Transitions, StateCosts]:
    """Return a machine that wears by 0, 1 or 2 a step; run it (action 0) or replace it (action 1).

    Running costs ``running`` per unit of wear, replacing ``replacing``; the optimum is a control
    limit (after Puterman 1994, example 4.7.6; wear law and prices ours). The share ``restart`` of
    steps leads anywhere, so that every policy has one recurrent class. There are at least 2 states.
    """
    states = integer("states", states, 2, 10_000)
    running = non_negative("running", running)
    replacing = non_negative("replacing", replacing)
    restart = between("restart", restart, 0, 1)
    run = np.zeros((states, states))
    for wear in range(states):
        for more, chance in ((0, 0.3), (1, 0.4), (2, 0.3)):
            run[wear, min(wear + more, states - 1)] += chance
    run = (1 - restart) * run + restart / states
    transitions = np.stack([run, np.tile(run[0], (states, 1))])
    costs = np.stack([running * np.arange(states), np.full(states, replacing)], axis=1)
    return transitions, costs


def admission_control(
    arrival_rate: float, reward: float, holding: float, levels: int, service_rate: float = 1.0
) -> SemiMarkov:
    """Admit or turn away each arrival at M/M/1: ``reward`` for each admitted, ``holding`` per stay.

    State ``n`` requests, at most ``levels`` (2 or more); action 0 turns the next arrival away,
    action 1 admits it (Naor 1969). Rates and prices are positive; per step of the uniformised
    chain.
    """
    arrival_rate = positive("arrival_rate", arrival_rate)
    service_rate = positive("service_rate", service_rate)
    reward = positive("reward", reward)
    holding = positive("holding", holding)
    levels = integer("levels", levels, 2, 10_000)
    total = arrival_rate + service_rate
    transitions = np.zeros((2, levels + 1, levels + 1))
    n = np.arange(levels + 1)
    for action in (0, 1):
        above = np.minimum(n + action, levels)
        np.add.at(transitions[action], (n, above), arrival_rate / total)
        np.add.at(transitions[action], (n, np.maximum(n - 1, 0)), service_rate / total)
    admits = (n < levels)[:, None] * np.array([0.0, 1.0])
    costs = (holding * n[:, None] - reward * arrival_rate * admits) / total
    return discrete_problem(transitions, costs)


MOST_ADMITTED = 1_000_000


def naor_threshold(
    arrival_rate: float, reward: float, holding: float, service_rate: float = 1.0
) -> int:
    """Return the number of requests at which the social optimum turns arrivals away (Naor 1969).

    The largest ``n`` with ``(n (1 - rho) - rho (1 - rho^n)) / (1 - rho)^2 <= reward mu / holding``.
    That quotient is ``sum_{i=1..n} sum_{j<i} rho^j``, a sum of positive terms that keeps its
    digits near ``rho = 1``; a tie in floating point is decided in fractions.

    Raises
    ------
    UnstableSystem
        For ``rho >= 1``.
    ValueError
        If not even one request pays, or if more than a million would be admitted.
    """
    lam, mu = positive("arrival_rate", arrival_rate), positive("service_rate", service_rate)
    reward, holding = positive("reward", reward), positive("holding", holding)
    rho = lam / mu
    if rho >= 1:
        raise UnstableSystem(rho)
    worth = reward * mu / holding
    if worth < 1:
        raise ValueError(f"reward = {reward!r} does not pay for one service")
    n, inner, total = 1, 1.0, 1.0  # inner = sum_{j<n} rho^j, total = sum of the inner sums
    while n < MOST_ADMITTED:
        inner = 1 + rho * inner
        total += inner
        if abs(total - worth) <= 4e-16 * (n + 1) * total and n < 1000:
            pays = _exact_total(lam, mu, n + 1) <= Fraction(reward) * Fraction(mu) / Fraction(
                holding
            )
        else:
            pays = total <= worth
        if not pays:
            return n
        n += 1
    raise ValueError(f"reward = {reward!r} admits more than {MOST_ADMITTED} requests")


def _exact_total(lam: float, mu: float, n: int) -> Fraction:
    rho = Fraction(lam) / Fraction(mu)
    inner, total = Fraction(0), Fraction(0)
    for _ in range(n):
        inner = 1 + rho * inner
        total += inner
    return total
