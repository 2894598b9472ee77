"""Market data under special relativity: who can know which best price, where and when.

A national best bid and offer compares quotes made in several places at once. Light decides what
"at once" can mean. This package computes, exactly and in whole nanoseconds, which best prices an
observer may read::

    from quire.spacetime import NEW_JERSEY, light_cone_nbbo, stream, unseen_states

    quotes = [
        stream([0, 900_000], bids=[100, 100], asks=[102, 102]),  # Mahwah, ns and ticks
        stream([0, 500_000], bids=[99, 101], asks=[103, 103]),   # Secaucus: bid 99, then 101
        stream([0, 560_000], bids=[98, 98], asks=[102, 101]),    # Carteret: ask 102, then 101
    ]
    seen = light_cone_nbbo(quotes, NEW_JERSEY.delays_ns(), anchor=0)
    k = seen.at(550_000)
    seen.bid_low[k], seen.bid_high[k], seen.rest_bid[k]          # 100, 101, 101
    unseen_states(quotes, NEW_JERSEY).speeds_km_s                # the slowest dissenting observers

Read in this order:

1. ``geometry``: distances (``earth``), places and light delays (``sites``).
2. ``quotes``: step functions of time (``streams``), coarse clocks (``stamps``), tapes (``taq``).
3. ``cuts``: the causal cuts K and the frames' cuts E (``polytope``); segments and their
   compatibility (``segments``); detection of conjunctive predicates (``detection``); the interval
   of the NBBO at every instant (``_light_cone_nbbo``); all states (``achievable``); the same by
   enumeration (``lattice``); happened-before and lost order (``causality``).
4. ``frames``: order under a boost (``boosts``), the slowest observer of a state (``slowest``), what
   frames show (``observers``), and how large each effect is (``magnitudes``).
5. ``delays``: rate laws (``rates``), microwave links (``microwave``), the consolidated feed
   (``consolidated_feed``), batch auctions (``auctions``), where to stand (``placement``).
6. ``peers``; ``experiments``: what the chapter measures; ``exercises``: its exercises' checks.
"""

from quire.spacetime.cuts._light_cone_nbbo import LightConeNbbo, light_cone_nbbo
from quire.spacetime.cuts.achievable import achievable
from quire.spacetime.cuts.causality import LostOrder, lost_order, precedes, vector_clocks
from quire.spacetime.cuts.lattice import achievable_by_enumeration
from quire.spacetime.cuts.polytope import (
    Share,
    consistent,
    cut_speeds,
    inertial_share,
    sampled_inertial_share,
)
from quire.spacetime.delays.auctions import batch_ambiguous_share, least_batch_ns
from quire.spacetime.delays.consolidated_feed import (
    SIP_2018_US,
    Dislocations,
    Processor,
    consolidated_view,
    direct_view,
    dislocations,
    race_profit,
)
from quire.spacetime.delays.microwave import (
    Links,
    Route,
    fastest_route,
    links_by_licensee,
    links_of_graph,
    straight_ms,
)
from quire.spacetime.delays.placement import least_ambiguous_place
from quire.spacetime.delays.rates import ambiguous_share, half_rate_per_s, spacelike_share
from quire.spacetime.frames.boosts import (
    add_speeds_km_s,
    boost,
    flip_speed_km_s,
    flippable_ns,
    interval_km2,
    spacelike,
)
from quire.spacetime.frames.magnitudes import FRAMES_KM_S, gravity_ns_per_day, sagnac_ns
from quire.spacetime.frames.observers import (
    UnseenStates,
    achievable_by_frames,
    frame_dependent_ns,
    unseen_states,
)
from quire.spacetime.frames.slowest import slowest_beta
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S, cartesian_km, geodesic_km
from quire.spacetime.geometry.sites import (
    CORRIDOR,
    NEW_JERSEY,
    REFRACTIVE_INDEX,
    Sites,
    delay_matrix,
)
from quire.spacetime.quotes.stamps import moments_within_stamps
from quire.spacetime.quotes.streams import (
    NO_ASK,
    NO_BID,
    CrossedQuote,
    Stream,
    best_of,
    stream,
    ticks,
)
from quire.spacetime.quotes.taq import Tape, between_hours, read_tape, site_of, streams_of_tape

__all__ = [
    "CORRIDOR",
    "FRAMES_KM_S",
    "LIGHT_KM_PER_S",
    "NEW_JERSEY",
    "NO_ASK",
    "NO_BID",
    "REFRACTIVE_INDEX",
    "SIP_2018_US",
    "CrossedQuote",
    "Dislocations",
    "LightConeNbbo",
    "Links",
    "LostOrder",
    "Processor",
    "Route",
    "Share",
    "Sites",
    "Stream",
    "Tape",
    "UnseenStates",
    "achievable",
    "achievable_by_enumeration",
    "achievable_by_frames",
    "add_speeds_km_s",
    "ambiguous_share",
    "batch_ambiguous_share",
    "best_of",
    "between_hours",
    "boost",
    "cartesian_km",
    "consistent",
    "consolidated_view",
    "cut_speeds",
    "delay_matrix",
    "direct_view",
    "dislocations",
    "fastest_route",
    "flip_speed_km_s",
    "flippable_ns",
    "frame_dependent_ns",
    "geodesic_km",
    "gravity_ns_per_day",
    "half_rate_per_s",
    "inertial_share",
    "interval_km2",
    "least_ambiguous_place",
    "least_batch_ns",
    "light_cone_nbbo",
    "links_by_licensee",
    "links_of_graph",
    "lost_order",
    "moments_within_stamps",
    "precedes",
    "race_profit",
    "read_tape",
    "sagnac_ns",
    "sampled_inertial_share",
    "site_of",
    "slowest_beta",
    "spacelike",
    "spacelike_share",
    "straight_ms",
    "stream",
    "streams_of_tape",
    "ticks",
    "unseen_states",
    "vector_clocks",
]
