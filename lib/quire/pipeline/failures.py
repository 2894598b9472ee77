"""Ways in which a schedule can be impossible."""

from __future__ import annotations


class InfeasibleMemory(ValueError):
    """A rank's memory is too small for one microbatch on its own."""

    def __init__(self, rank: int, need: float, have: float) -> None:
        super().__init__(
            f"memory_limit[{rank}] = {have:.6g}: one microbatch needs {need:.6g} there; "
            "raise the limit or recompute activations"
        )
        self.rank = rank
        self.need = need
        self.have = have


class ScheduleDeadlock(RuntimeError):
    """No operation can start although some are left: an order or a memory limit blocks them all."""

    def __init__(self, rank: int, chain: int, why: str) -> None:
        super().__init__(f"rank {rank} waits forever for an operation of chain {chain}: {why}")
        self.rank = rank
        self.chain = chain
