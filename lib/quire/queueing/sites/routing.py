"""Several sites, each with its own servers and allocation, and the rules that route to them.

One dispatcher routes Poisson arrivals on sight of every site's state ``(n_j, a_j)``. Each site
follows its own table of targets in the free-cancel model (:func:`~quire.queueing.decisions.
farm_models.free_cancel_model`), so the whole is a Markov chain on the product of the sites.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from quire.checks import instance, integer, non_negative
from quire.queueing.decisions.stationary import stationary_law
from quire.queueing.errors import UnstableSystem
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import Policy, checked_targets
from quire.signatures import checked

MOST_STATES = 400_000
"""Joint states up to which the sparse stationary law is computed."""

SiteState = Int[np.ndarray, "sites states"]
Shares = Float[np.ndarray, "sites states"]


@dataclass(frozen=True)
class Site:
    """One site: its servers, its allocation policy, and its share of a weighted random split.

    ``farm.arrival_rate`` is what the site would get under that split. ``distance`` is the price of
    sending one request here, zero or more.
    """

    farm: Farm
    policy: Policy
    distance: float = 0.0  # delta

    def __post_init__(self) -> None:
        instance("farm", self.farm, Farm)
        if not isinstance(self.policy, Policy):
            raise ValueError(
                f"policy = {self.policy!r}: must offer a name and targets(farm, levels)"
            )
        object.__setattr__(self, "distance", non_negative("distance", self.distance))


@dataclass(frozen=True)
class JointState:
    """What a dispatcher sees: per site (rows) and joint state (columns)."""

    requests: SiteState  # n_j
    active: SiteState  # a_j
    setups: SiteState  # s_j
    servers: Int[np.ndarray, " sites"]  # K_j
    full: Bool[np.ndarray, "sites states"]  # at the truncation level: not offered
    weights: Float[np.ndarray, " sites"]
    distances: Float[np.ndarray, " sites"]


RoutingRule = Callable[[JointState], Shares]


def _split(score: Float[np.ndarray, "sites states"], view: JointState) -> Shares:
    """Equal shares among the sites of least score that are not full."""
    score = np.where(view.full, np.inf, score)
    best = np.isclose(score, score.min(axis=0), rtol=0, atol=1e-9) & ~view.full
    return best / np.maximum(best.sum(axis=0), 1)


@checked
def at_random(view: JointState) -> Shares:
    """Send by the sites' weights, whatever their state; lost if that site is full."""
    return np.where(view.full, 0.0, view.weights[:, None])


@checked
def join_shortest(view: JointState) -> Shares:
    """Send to the site with the fewest requests; ties are split evenly."""
    return _split(view.requests.astype(float), view)


@checked
def join_idle_ready(view: JointState) -> Shares:
    """Send to a site with an idle active server if there is one, else to the fewest waiting.

    Among sites with equally many waiting, ``n - a``, the one with fewer requests.
    """
    ready = view.active > view.requests
    waiting = view.requests - view.active + 1e-3 * view.requests
    return _split(np.where(ready, -1e6, waiting), view)


@checked
def pack(view: JointState) -> Shares:
    """Send to the most loaded site with an idle active server, else the most loaded with ``n < K``.

    When every site has a request for each of its servers, to the shortest queue.
    """
    ready = view.active > view.requests
    room = view.requests < view.servers[:, None]
    score = np.where(room, -1.0 * view.requests, view.requests)
    return _split(np.where(ready, -1e6 - view.requests, score), view)


@checked
def least_marginal_cost(values: Sequence[Float[np.ndarray, "levels phases"]]) -> RoutingRule:
    """Return the rule that sends where the site's own relative value and distance rise least.

    ``values[j][n, a]`` are relative values of site ``j`` under its own arrivals: one step of policy
    improvement over random splitting.
    """

    def rule(view: JointState) -> Shares:
        rise = np.stack(
            [
                h[np.minimum(n + 1, len(h) - 1), a] - h[n, a]
                for h, n, a in zip(values, view.requests, view.active, strict=True)
            ]
        )
        return _split(rise + view.distances[:, None], view)

    return rule


@dataclass(frozen=True)
class Routed:
    """Long-run averages of a multi-site system."""

    cost: float
    requests: float
    servers: float  # E[a + s] over all sites
    lost: float  # share of arrivals that found every site full


def check_sites(farms: Sequence[Farm]) -> float:
    """Return the total arrival rate of two or more sites.

    Raises
    ------
    ValueError
        For fewer than two sites.
    UnstableSystem
        When all sites together cannot keep up.
    """
    if len(farms) < 2:
        raise ValueError(f"{len(farms)} site(s) given: routing needs two or more")
    total = sum(farm.arrival_rate for farm in farms)
    capacity = sum(farm.servers * farm.service_rate for farm in farms)
    if total >= capacity:
        raise UnstableSystem(total / capacity, "the system of sites")
    return total


@checked
def route(sites: Sequence[Site], costs: Costs, rule: RoutingRule, levels: int) -> Routed:
    """Return the average cost of a routing rule, from the stationary law of the joint chain.

    The dispatcher's arrival rate is the sum of the sites'. A full site (``levels`` requests) is not
    offered. Fewer than two sites, or sites that cannot keep up, are refused.

    Raises
    ------
    ValueError
        When the joint chain would have more than 400,000 states.
    """
    sites = [instance("sites", site, Site) for site in sites]
    farms = [site.farm for site in sites]
    total = check_sites(farms)
    levels = integer("levels", levels, max(farm.servers for farm in farms) + 1)
    sizes = [(levels + 1) * (farm.servers + 1) for farm in farms]
    if np.prod([float(size) for size in sizes]) > MOST_STATES:
        raise ValueError(f"levels = {levels}: the joint chain has more than {MOST_STATES} states")
    stride = np.cumprod([1, *sizes[:0:-1]])[::-1]
    states = np.arange(int(np.prod(sizes)))
    local = np.array([states // step % size for step, size in zip(stride, sizes, strict=True)])
    phases = np.array([farm.servers + 1 for farm in farms])[:, None]
    n, a = local // phases, local % phases
    kept, setups = np.empty_like(a), np.empty_like(a)
    for j, site in enumerate(sites):
        want = checked_targets(site.policy, site.farm, levels)[n[j], a[j]]
        kept[j] = np.where(want < a[j], np.maximum(want, np.minimum(n[j], a[j])), a[j])
        setups[j] = np.maximum(want - a[j], 0)
    weights = np.array([farm.arrival_rate for farm in farms]) / total
    distances = np.array([site.distance for site in sites])
    view = JointState(n, kept, setups, phases[:, 0] - 1, n == levels, weights, distances)
    share = rule(view)
    origin = (((n * phases) + kept) * stride[:, None]).sum(axis=0)
    rows, cols, rates = [], [], []
    for j, farm in enumerate(farms):
        step = stride[j]
        up = total * share[j]
        down = np.minimum(n[j], kept[j]) * farm.service_rate
        ready = setups[j] * farm.setup_rate
        for rate, jump in ((up, step * phases[j]), (down, -step * phases[j]), (ready, step)):
            happens = rate > 0
            rows.append(states[happens])
            cols.append((origin + jump)[happens])
            rates.append(rate[happens])
    matrix = sp.csr_array(
        (np.concatenate(rates), (np.concatenate(rows), np.concatenate(cols))),
        shape=(len(states), len(states)),
    )
    generator = sp.csr_array(matrix - sp.diags_array(np.asarray(matrix.sum(axis=1)).ravel()))
    law = stationary_law(generator)
    held = kept + costs.setup_share * setups
    price = costs.server * held.sum(axis=0) + costs.delay * n.sum(axis=0)
    for j, farm in enumerate(farms):
        price = price + costs.allocation * setups[j] * farm.setup_rate
        price = price + distances[j] * total * share[j]
    return Routed(
        cost=float(law @ price),
        requests=float(law @ n.sum(axis=0)),
        servers=float(law @ (kept + setups).sum(axis=0)),
        lost=float(law @ (1 - share.sum(axis=0))),
    )
