"""What a kernel costs: resident waves, bank conflicts, and a model of time.

Read `_occupancy` (how many waves a core keeps), `bank_conflicts` (what the addresses of one access
cost), `critical_path` (how long one wave takes alone), `profiles` (what a kernel executes), `cards`
(facts of machines), `model` (work times facts), `workloads` (the launches that were measured),
`fits` (constants fitted on one card and held against another), `ranges` (cards of which only ranges
are known).
"""

from quire.isa.costs._occupancy import (
    occupancy,
    partitioned_occupancy,
    register_budget,
    resident_waves,
)

__all__ = ["occupancy", "partitioned_occupancy", "register_budget", "resident_waves"]
