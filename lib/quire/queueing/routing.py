"""Several sites, each with its own servers and its own allocation: where should a request go?

One dispatcher routes Poisson arrivals on sight of every site's state ``(n_j, a_j)``. Each site
follows its own table of targets in the free-cancel model (:func:`~quire.queueing.decision.
free_cancel_model`), so the whole is a Markov chain on the product of the sites.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from quire.queueing.errors import UnstableSystem
from quire.queueing.policies import Policy, checked_targets
from quire.queueing.stationary import stationary_law
from quire.queueing.system import Costs, Farm

SiteState = Int[np.ndarray, "sites states"]
Shares = Float[np.ndarray, "sites states"]


@dataclass(frozen=True)
class Site:
    """One site: its servers, its allocation policy, and its share of a weighted random split."""

    farm: Farm  # arrival_rate is what the site would get under the weighted random split
    policy: Policy
    distance: float = 0.0  # delta, price of sending one request here


@dataclass(frozen=True)
class View:
    """What a dispatcher sees: per site (rows) and joint state (columns)."""

    requests: SiteState  # n_j
    active: SiteState  # a_j
    setups: SiteState  # s_j
    servers: Int[np.ndarray, " sites"]  # K_j
    full: Bool[np.ndarray, "sites states"]  # at the truncation level: not offered
    weights: Float[np.ndarray, " sites"]


Rule = Callable[[View], Shares]


def _split(score: Float[np.ndarray, "sites states"], view: View) -> Shares:
    """Equal shares among the sites of least score that are not full."""
    score = np.where(view.full, np.inf, score)
    best = np.isclose(score, score.min(axis=0), rtol=0, atol=1e-9) & ~view.full
    return best / np.maximum(best.sum(axis=0), 1)


def at_random(view: View) -> Shares:
    """Each request by the sites' weights, whatever their state; lost if that site is full."""
    return np.where(view.full, 0.0, view.weights[:, None])


def join_shortest(view: View) -> Shares:
    """The site with the fewest requests; ties are split evenly."""
    return _split(view.requests.astype(float), view)


def join_idle_ready(view: View) -> Shares:
    """A site with an idle active server if there is one, else the fewest waiting requests.

    Among sites with equally many waiting, ``n - a``, the one with fewer requests.
    """
    ready = view.active > view.requests
    waiting = view.requests - view.active + 1e-3 * view.requests
    return _split(np.where(ready, -1e6, waiting), view)


def pack(view: View) -> Shares:
    """The most loaded site with an idle active server, else the most loaded with ``n < K``.

    When every site has a request for each of its servers, the shortest queue.
    """
    ready = view.active > view.requests
    room = view.requests < view.servers[:, None]
    score = np.where(room, -1.0 * view.requests, view.requests)
    return _split(np.where(ready, -1e6 - view.requests, score), view)


def least_marginal_cost(values: Sequence[Float[np.ndarray, "levels phases"]]) -> Rule:
    """The site whose own relative value rises least by one more request.

    ``values[j][n, a]`` are relative values of site ``j`` under its own arrivals: one step of policy
    improvement over random splitting.
    """

    def rule(view: View) -> Shares:
        rise = np.stack(
            [
                h[np.minimum(n + 1, len(h) - 1), a] - h[n, a]
                for h, n, a in zip(values, view.requests, view.active, strict=True)
            ]
        )
        return _split(rise, view)

    return rule


@dataclass(frozen=True)
class Routed:
    """Long-run averages of a multi-site system."""

    cost: float
    requests: float
    servers: float  # E[a + s] over all sites
    lost: float  # share of arrivals that found every site full


def route(sites: Sequence[Site], costs: Costs, rule: Rule, levels: int) -> Routed:
    """The average cost of a routing rule, from the stationary law of the joint chain.

    The dispatcher's arrival rate is the sum of the sites'. A full site (``levels`` requests) is not
    offered. Raises ``UnstableSystem`` when all sites together cannot keep up and ``ValueError`` for
    fewer than two sites.
    """
    if len(sites) < 2:
        raise ValueError(f"{len(sites)} site(s) given: routing needs two or more")
    total = sum(site.farm.arrival_rate for site in sites)
    capacity = sum(site.farm.servers * site.farm.service_rate for site in sites)
    if total >= capacity:
        raise UnstableSystem(total / capacity, "the system of sites")
    sizes = [(levels + 1) * (site.farm.servers + 1) for site in sites]
    stride = np.cumprod([1, *sizes[:0:-1]])[::-1]
    states = np.arange(int(np.prod(sizes)))
    local = np.array([states // step % size for step, size in zip(stride, sizes, strict=True)])
    phases = np.array([site.farm.servers + 1 for site in sites])[:, None]
    n, a = local // phases, local % phases
    kept, setups = np.empty_like(a), np.empty_like(a)
    for j, site in enumerate(sites):
        want = checked_targets(site.policy, site.farm, levels)[n[j], a[j]]
        kept[j] = np.where(want < a[j], np.maximum(want, np.minimum(n[j], a[j])), a[j])
        setups[j] = np.maximum(want - a[j], 0)
    weights = np.array([site.farm.arrival_rate for site in sites]) / total
    share = rule(View(n, kept, setups, phases[:, 0] - 1, n == levels, weights))
    origin = (((n * phases) + kept) * stride[:, None]).sum(axis=0)
    rows, cols, rates = [], [], []
    for j, site in enumerate(sites):
        step = stride[j]
        up = total * share[j]
        down = np.minimum(n[j], kept[j]) * site.farm.service_rate
        ready = setups[j] * site.farm.setup_rate
        for rate, jump in ((up, step * phases[j]), (down, -step * phases[j]), (ready, step)):
            positive = rate > 0
            rows.append(states[positive])
            cols.append((origin + jump)[positive])
            rates.append(rate[positive])
    matrix = sp.csr_array(
        (np.concatenate(rates), (np.concatenate(rows), np.concatenate(cols))),
        shape=(len(states), len(states)),
    )
    generator = sp.csr_array(matrix - sp.diags_array(np.asarray(matrix.sum(axis=1)).ravel()))
    law = stationary_law(generator)
    held = kept + costs.setup_share * setups
    price = costs.server * held.sum(axis=0) + costs.delay * n.sum(axis=0)
    for j, site in enumerate(sites):
        price = price + costs.allocation * setups[j] * site.farm.setup_rate
        price = price + site.distance * total * share[j]
    return Routed(
        cost=float(law @ price),
        requests=float(law @ n.sum(axis=0)),
        servers=float(law @ (kept + setups).sum(axis=0)),
        lost=float(law @ (1 - share.sum(axis=0))),
    )
