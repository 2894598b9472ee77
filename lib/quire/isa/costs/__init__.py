"""What a kernel costs: resident waves, bank conflicts, and a model of time.

Read `_occupancy` (the dialects and how many waves they keep resident), `bank_conflicts` (what the
addresses of one access cost), `profiles` (what a kernel executes), `model` (events times a
machine's constants).
"""

from quire.isa.costs._occupancy import (
    DIALECTS,
    Dialect,
    occupancy,
    register_budget,
    resident_waves,
)

__all__ = ["DIALECTS", "Dialect", "occupancy", "register_budget", "resident_waves"]
