"""Textbook problems whose answer is known some other way: what a solver of ours is tried on.

Machine replacement and forest management are discrete-time problems of the usual form (transitions
per action, costs per state and action); control of admission has a threshold in closed form.
"""

import numpy as np
from jaxtyping import Float

from quire.queueing.errors import UnstableSystem
from quire.queueing.semi_markov import SemiMarkov, discrete_problem

Transitions = Float[np.ndarray, "actions states states"]
StateCosts = Float[np.ndarray, "states actions"]


def machine_replacement(
    states: int = 6, running: float = 2.0, replacing: float = 5.0, restart: float = 1e-6
) -> tuple[Transitions, StateCosts]:
    """A machine that wears by 0, 1 or 2 a step; run it (action 0) or replace it (action 1).

    Running costs ``running`` per unit of wear, replacing ``replacing``; the optimum is a control
    limit (after Puterman 1994, example 4.7.6; wear law and prices ours). The share ``restart`` of
    steps leads anywhere, so that every policy has one recurrent class. Raises ``ValueError`` for
    fewer than 2 states.
    """
    if states < 2:
        raise ValueError(f"states = {states} must be 2 or more")
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

    State ``n`` requests; action 0 turns the next arrival away, action 1 admits it (Naor 1969). Per
    step of the uniformised chain. Raises ``ValueError`` for a rate or price that is not positive
    or fewer than 2 levels.
    """
    for name, value in (("arrival_rate", arrival_rate), ("service_rate", service_rate)):
        if not value > 0:
            raise ValueError(f"{name} = {value!r} must be positive")
    if not (reward > 0 and holding > 0):
        raise ValueError(f"reward = {reward!r} and holding = {holding!r} must be positive")
    if levels < 2:
        raise ValueError(f"levels = {levels} must be 2 or more")
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


def naor_threshold(
    arrival_rate: float, reward: float, holding: float, service_rate: float = 1.0
) -> int:
    """The number of requests at which the social optimum turns arrivals away (Naor 1969).

    The largest ``n`` with ``(n (1 - rho) - rho (1 - rho^n)) / (1 - rho)^2 <= reward mu / holding``.
    Raises ``UnstableSystem`` for ``rho >= 1``, ``ValueError`` if not even one request pays.
    """
    rho = arrival_rate / service_rate
    if rho >= 1:
        raise UnstableSystem(rho)
    worth = reward * service_rate / holding
    if worth < 1:
        raise ValueError(f"reward = {reward!r} does not pay for one service")
    n = 1
    while ((n + 1) * (1 - rho) - rho * (1 - rho ** (n + 1))) / (1 - rho) ** 2 <= worth:
        n += 1
    return n
