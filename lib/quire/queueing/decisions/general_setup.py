"""A farm whose setup time has any law: a decision model whose sojourn times are not exponential.

At most one server is in setup at a time, and while it is, nothing is decided: the next decision
comes when it is ready. The sojourn in ``start one server`` is then the whole setup time ``D``, in
which the requests move as an M/M/a queue with generator ``Q_a``. Where ``n`` requests were, ``m``
are afterwards with probability ``E[exp(Q_a D)](n, m)``, and each has been there for
``E[int_0^D exp(Q_a t) dt](n, m)`` on average. Both are sums over the number of events of the
uniformised chain within ``D``: Poisson for a constant setup, negative binomial for a gamma one.

An average-cost problem with expected sojourn ``tau(y)``, cost ``C(y)`` and jumps ``p(x | y)`` has
the optimal policies and the average cost of one with exponential sojourns: rates ``p/tau``, cost
rate ``C/tau`` (Schweitzer 1971). That is the form every solver here takes.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy import stats

from quire.checks import integer, non_negative
from quire.queueing.decisions.semi_markov import SemiMarkov
from quire.queueing.farm import Costs, Farm

MOST_EVENTS = 200_000
"""Events within one setup up to which its law is summed."""


@dataclass(frozen=True)
class GeneralSetupModel(SemiMarkov):
    """The decision problem; ``pre`` and ``post`` hold requests, active servers, servers in setup.

    A pre-decision state with a server in setup stands for the wait: it has one decision.
    """

    pre: Int[np.ndarray, "pre three"]
    post: Int[np.ndarray, "post three"]


def _event_counts(mean: float, variability: float) -> Float[np.ndarray, " counts"]:
    """Return the law of the number of events of rate 1 in a gamma time of ``mean``.

    Raises
    ------
    ValueError
        When its tail is too long to sum.
    """
    if variability == 0:
        law = stats.poisson(mean)
    else:
        shape = 1 / variability
        law = stats.nbinom(shape, shape / (shape + mean))
    last = int(law.isf(1e-14)) + 2
    if last > MOST_EVENTS:
        raise ValueError(
            f"variability = {variability!r}: a setup of {mean:.3g} events on average can have more "
            f"than {MOST_EVENTS}"
        )
    return law.pmf(np.arange(last))


def setup_kernel(
    farm: Farm, active: int, levels: int, variability: float
) -> tuple[Float[np.ndarray, "levels levels"], Float[np.ndarray, "levels levels"]]:
    """Return where a setup leaves the queue, and the mean time that it spends at each length.

    Arrivals that find ``levels`` requests are lost. ``variability`` is the squared coefficient of
    variation of the gamma setup time: 0 for a constant, 1 for an exponential one. A law whose tail
    is too long to sum is refused with a ``ValueError``.
    """
    active = integer("active", active, 0, farm.servers)
    variability = non_negative("variability", variability)
    n = np.arange(levels + 1)
    up = np.where(n < levels, farm.arrival_rate, 0.0)
    down = np.minimum(n, active) * farm.service_rate
    rate = farm.arrival_rate + active * farm.service_rate
    step = np.diag(1 - (up + down) / rate)
    step += np.diag(up[:-1] / rate, 1) + np.diag(down[1:] / rate, -1)
    chance = _event_counts(rate / farm.setup_rate, variability)
    more = 1 - np.cumsum(chance)  # P(events > k)
    power = np.eye(levels + 1)
    after, spent = chance[0] * power, more[0] * power
    for now, beyond in zip(chance[1:], more[1:], strict=True):
        power = power @ step
        after += now * power
        spent += max(beyond, 0.0) * power
    return after / after.sum(axis=1, keepdims=True), spent / rate


def general_setup_model(
    farm: Farm, costs: Costs, levels: int, variability: float
) -> GeneralSetupModel:
    """Return the decision model of a farm with one setup at a time, of any variability.

    Parameters
    ----------
    farm, costs
        The farm and its prices; ``1/setup_rate`` is the mean setup time.
    levels
        Most requests in the system, at least K + 10; further arrivals are lost.
    variability
        Squared coefficient of variation of the setup time, which is gamma distributed; 0 makes it
        constant.
    """
    k = farm.servers
    levels = integer("levels", levels, k + 10, 400)
    n_all = range(levels + 1)
    idle = [(n, a, 0) for n in n_all for a in range(k + 1)]
    waiting = [(n, a, 1) for n in n_all for a in range(k)]
    pre = post = idle + waiting
    where = {state: i for i, state in enumerate(pre)}
    kernels = [setup_kernel(farm, a, levels, variability) for a in range(k)]
    rates = sp.lil_array((len(post), len(pre)))
    cost = np.empty(len(post))
    for i, (n, a, s) in enumerate(post):
        held = costs.server * (a + costs.setup_share * s)
        if s:
            after, spent = kernels[a]
            columns = [where[m, a + 1, 0] for m in n_all]
            rates[i, columns] = after[n] * farm.setup_rate
            present = spent[n] @ np.arange(levels + 1) * farm.setup_rate
            cost[i] = held + costs.delay * present
            continue
        if n < levels:
            rates[i, where[n + 1, a, 0]] = farm.arrival_rate
        if min(n, a):
            rates[i, where[n - 1, a, 0]] = min(n, a) * farm.service_rate
        cost[i] = held + costs.delay * n
    choices: list[list[tuple[int, float]]] = []
    for n, a, s in pre:
        options = [(where[n, a, s], 0.0)]
        if not s:
            options += [(where[n, a, 1], costs.allocation)] if a < k else []
            options += [(where[n, b, 0], 0.0) for b in range(min(n, a), a)]
        choices.append(options)
    return GeneralSetupModel(
        rates=sp.csr_array(rates),
        cost_rate=cost,
        stay=np.arange(len(post)),
        first=np.concatenate([[0], np.cumsum([len(options) for options in choices])]),
        choice=np.array([y for options in choices for y, _ in options]),
        fee=np.array([fee for options in choices for _, fee in options]),
        pre=np.array(pre),
        post=np.array(post),
    )
