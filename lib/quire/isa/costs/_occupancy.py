"""How many waves a core keeps: the paper's division, and what a register file in parts leaves."""

from quire.checks import integer
from quire.isa.dialects import Dialect
from quire.isa.errors import DispatchRejected
from quire.isa.program import Launch
from quire.signatures import checked


def occupancy(register_file: int, registers: int, width: int) -> int:
    """Return the waves that a register file holds: ``floor(F / (4 R W))`` (spec., section 2.4)."""
    wave = integer("registers", registers) * integer("width", width) * 4
    return integer("register_file", register_file) // wave


def register_budget(register_file: int, waves: int, width: int) -> int:
    """Return the registers a thread that leave room for ``waves``: ``floor(F / (4 O W))``."""
    return occupancy(register_file, integer("waves", waves), width)


@checked
def partitioned_occupancy(dialect: Dialect, registers: int) -> int:
    """Return the waves that a register file in equal parts holds.

    ``P floor(F / (4 P r))`` with ``r`` the registers of a wave, rounded up to whole units; never
    more than `occupancy`. With one part and units of one register it is the paper's division.
    """
    wave = integer("registers", registers) * dialect.width
    wave += -wave % dialect.register_unit
    part = dialect.register_file // (4 * dialect.partitions)
    return dialect.partitions * (part // wave)


@checked
def resident_waves(dialect: Dialect, registers: int, launch: Launch, local_bytes: int = 0) -> int:
    """Return the waves of a kernel on one core: the least of all its limits.

    Register file, wave limit and local memory, for whole workgroups only; the specification omits
    the factor of waves per workgroup in the last bound, without which the units do not match
    (ours).

    Raises
    ------
    DispatchRejected
        not one workgroup fits.
    """
    waves = -(-launch.threads // dialect.width)
    registers = integer("registers", registers, 0)
    local_bytes = integer("local_bytes", local_bytes, 0)
    if not 1 <= registers <= dialect.max_registers:
        raise DispatchRejected(
            f"registers = {registers}: {dialect.name} has 1 to {dialect.max_registers} per thread"
        )
    workgroups = min(partitioned_occupancy(dialect, registers), dialect.max_waves) // waves
    if local_bytes:
        workgroups = min(workgroups, dialect.local_memory // local_bytes)
    if workgroups == 0:
        raise DispatchRejected(
            f"a workgroup of {waves} waves with {registers} registers and {local_bytes} bytes of"
            f" local memory does not fit on one {dialect.name} core"
        )
    return workgroups * waves
