"""Several sites: what routing on sight of the sites' state is worth when each allocates for itself.

The reference is random splitting over sites each of which follows its own optimum. Against it
stands the joint optimum of routing and allocation, and rules that a dispatcher could follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import committed_model, free_cancel_model
from quire.queueing.decisions.stationary import decision_table
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import floor_policy
from quire.queueing.sites.joint_committed import committed_joint_optimum
from quire.queueing.sites.joint_routing import joint_optimum
from quire.queueing.sites.routing import (
    RoutingRule,
    Site,
    at_random,
    join_idle_ready,
    join_shortest,
    least_marginal_cost,
    pack,
    route,
)

RULES: dict[str, RoutingRule] = {
    "random": at_random,
    "shortest queue": join_shortest,
    "idle-ready first": join_idle_ready,
    "pack": pack,
}


SHARES = 12
"""A random split is tuned over multiples of one twelfth of the arrivals."""


@dataclass(frozen=True)
class SystemRow:
    """One system of equal sites and what it costs under four ways to share the arrivals."""

    sites: int
    servers: int  # at each site
    load: float
    setup_rate: float
    equal: float  # random, the same share to every site
    split: tuple[float, ...]  # shares of the best random split
    tuned: float  # random, by that split
    joint: float  # routing and allocation decided together
    joint_low: float  # no policy costs less
    joint_high: float
    pooled: float  # one site with all the servers

    @property
    def saving(self) -> float:
        """What the joint optimum saves of the tuned random split, per cent."""
        return 100 * (1 - self.joint / self.tuned)

    @property
    def saving_of_equal(self) -> float:
        """What it saves of the equal random split, per cent."""
        return 100 * (1 - self.joint / self.equal)

    @property
    def by_tuning(self) -> float:
        """Share of that saving which tuning the random split alone brings."""
        whole = self.equal - self.joint
        return (self.equal - self.tuned) / whole if whole > 0 else 0.0

    @property
    def in_order(self) -> bool:
        """Whether the joint optimum lies between the pool's and the best random split's cost."""
        return self.pooled - 1e-3 <= self.joint_high and self.joint_low <= self.tuned


BUILD = {"V1": free_cancel_model, "V2": committed_model}
JOINT = {"V1": joint_optimum, "V2": committed_joint_optimum}


@lru_cache(maxsize=4096)
def _own_optimum(farm: Farm, costs: Costs, levels: int, model: str) -> float:
    return policy_iteration(BUILD[model](farm, costs, levels)).cost


def best_random_split(
    total: float,
    farm: Farm,
    number: int,
    costs: Costs,
    distances: Sequence[float],
    levels: int,
    model: str = "V1",
) -> tuple[tuple[float, ...], float]:
    """Return the cheapest random split over sites that each follow their own optimum, and its cost.

    Shares are multiples of one twelfth; a site without arrivals costs nothing. ``distances`` holds
    the price of one request sent to each site.
    """
    own = [0.0]
    for part in range(1, SHARES + 1):
        rate = round(total * part / SHARES, 12)
        if rate >= 0.98 * farm.servers * farm.service_rate:
            break
        own.append(_own_optimum(replace(farm, arrival_rate=rate), costs, levels, model))
    # best[used]: cheapest way to give `used` twelfths to the sites so far
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for site in range(number):
        following: dict[int, tuple[float, tuple[int, ...]]] = {}
        for used, (cost, parts) in best.items():
            for part in range(min(len(own) - 1, SHARES - used) + 1):
                sent = total * part / SHARES * distances[site]
                option = (cost + own[part] + sent, (*parts, part))
                if used + part not in following or option < following[used + part]:
                    following[used + part] = option
        best = following
    cost, parts = best[SHARES]
    return tuple(part / SHARES for part in parts), cost


def site_systems(
    sites: Sequence[tuple[int, int, int]],
    loads: Sequence[float],
    setup_rates: Sequence[float],
    costs: Costs,
    *,
    model: str = "V1",
    tolerance: float = 1e-3,
) -> list[SystemRow]:
    """Return one row per system of equal sites, (number, servers at each, levels at each).

    Raises
    ------
    ValueError
        For another model than V1 and V2.
    """
    if model not in BUILD:
        raise ValueError(f"model = {model!r}: must be V1 or V2")
    rows = []
    for number, servers, levels in sites:
        for load in loads:
            for rate in setup_rates:
                farm = Farm.at_load(load, rate, servers)
                total, own_levels = number * farm.arrival_rate, max(60, levels)
                joint = JOINT[model]([farm] * number, costs, levels, tolerance=tolerance)
                split, tuned = best_random_split(
                    total, farm, number, costs, [0.0] * number, own_levels, model
                )
                equal = number * _own_optimum(farm, costs, own_levels, model)
                rows.append(
                    SystemRow(
                        number,
                        servers,
                        load,
                        rate,
                        equal,
                        split,
                        min(tuned, equal),
                        joint.cost,
                        joint.lower,
                        joint.upper,
                        _own_optimum(
                            Farm.at_load(load, rate, number * servers),
                            costs,
                            number * levels + 10,
                            model,
                        ),
                    )
                )
    return rows


@dataclass(frozen=True)
class DistanceRow:
    """Two sites, one of them at a distance: each request sent there costs ``distance``."""

    distance: float
    near_share: float  # share of requests that the best random split sends to the near site
    tuned: float
    joint: float
    saving: float  # per cent


def distance_sweep(
    servers: int,
    load: float,
    setup_rate: float,
    distances: Sequence[float],
    costs: Costs,
    levels: int,
    *,
    tolerance: float = 1e-3,
) -> list[DistanceRow]:
    """Return the saving of joint routing over the best random split as one site moves away (V1)."""
    farm = Farm.at_load(load, setup_rate, servers)
    rows = []
    for distance in distances:
        far = [0.0, float(distance)]
        split, tuned = best_random_split(
            2 * farm.arrival_rate, farm, 2, costs, far, max(levels, 60)
        )
        joint = joint_optimum([farm, farm], costs, levels, distances=far, tolerance=tolerance).cost
        saving = 100 * (1 - joint / tuned)
        rows.append(DistanceRow(float(distance), split[0], tuned, joint, saving))
    return rows


@dataclass(frozen=True)
class RuleRow:
    """A routing rule with its cheapest floor at every site, or over the sites' own optima."""

    system: str
    rule: str
    floor: str
    cost: float
    over_random: float  # ratio to random splitting with its own cheapest floor
    over_joint: float  # ratio to the joint optimum


def rule_table(rows: Sequence[RuleRow]) -> list[dict[str, str | float]]:
    """Return one row per rule: its cost over the joint optimum, by system."""
    rules = list(dict.fromkeys(row.rule for row in rows))
    return [
        {"rule": rule} | {row.system: row.over_joint for row in rows if row.rule == rule}
        for rule in rules
    ]


def routing_rules(
    systems: Sequence[tuple[float, float]], servers: int, costs: Costs, levels: int
) -> list[RuleRow]:
    """Return every rule with its floor tuned, on two sites, per (load, setup rate); V1.

    The last rule sends each request where the site's own relative value rises least, over sites
    that follow their own optimum under random splitting.
    """
    rows = []
    for load, rate in systems:
        name = f"load {load:g}, setup rate {rate:g}"
        farm = Farm.at_load(load, rate, servers)
        joint = joint_optimum([farm, farm], costs, levels, tolerance=1e-4).cost
        found = {}
        for rule_name, rule in RULES.items():
            tried = [
                (route([Site(farm, floor_policy(q))] * 2, costs, rule, levels).cost, str(q))
                for q in range(servers + 1)
            ]
            found[rule_name] = min(tried)
        model = free_cancel_model(farm, costs, levels)
        own = policy_iteration(model)
        values = own.relative_values.reshape(levels + 1, servers + 1)
        site = Site(farm, decision_table(model, own.taken))
        marginal = least_marginal_cost([values, values])
        found["least marginal cost"] = (route([site] * 2, costs, marginal, levels).cost, "optimum")
        random = found["random"][0]
        rows += [
            RuleRow(name, rule_name, floor, cost, cost / random, cost / joint)
            for rule_name, (cost, floor) in found.items()
        ]
    return rows


PROTOTYPE = {
    (2.0, 0.2, 1): (7.818, 7.216, 7.117, 7.194),
    (2.0, 1.0, 0): (6.403, 6.410, 6.339, 6.226),
    (4.0, 0.2, 2): (14.282, 12.711, 12.600, 12.711),
}
"""Costs of the four rules on two sites of three servers, computed by an independent prototype: by
total arrival rate, setup rate and floor."""


def against_prototype() -> float:
    """Return the largest relative difference of our routed costs from the prototype's."""
    worst = 0.0
    for (rate, setup, floor), expected in PROTOTYPE.items():
        site = Site(Farm(rate / 2, setup, 3), floor_policy(floor))
        for rule, cost in zip(RULES.values(), expected, strict=True):
            worst = max(worst, abs(route([site, site], Costs(), rule, 16).cost / cost - 1))
    return worst
