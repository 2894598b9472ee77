"""Where the authors' reference emulator does not do what the written specification says.

Each deviation is one switch, so that a program can be run as specified (no switch), as the
reference runs it (all of them), or with a single one to see what it changes.
"""

import enum


class Deviation(enum.IntFlag):
    """One switch per deviation; the first seven were found by running, the others by reading."""

    NONE = 0
    BREAK_IN_IF = 1  # lanes that left a loop inside an if come back at its endif
    CONTINUE = 2  # continue by some lanes sends the whole wave to the loop's start
    PREDICATE_ZERO = 4  # @p0 has the code of "no predicate" and runs on every lane
    UNSIGNED_REDUCE = 8  # wave_reduce_min and wave_reduce_max compare unsigned
    UNSIGNED_MULTIPLY_HIGH = 16  # imul_hi multiplies unsigned
    DIVISION_INFINITY = 32  # any float over zero is +infinity, 0/0 and -1/0 included
    ROUND_TIES_AWAY = 64  # fround rounds halves away from zero
    ZERO_MINIMUM = 128  # fmin(+0, -0) is +0, the first operand
    FRACT_TRUNCATES = 256  # ffract is x - trunc(x), not x - floor(x)
    BFLOAT_TRUNCATES = 512  # results in bfloat16 are cut off, not rounded


FOUND_BY_RUNNING = (
    Deviation.BREAK_IN_IF,
    Deviation.CONTINUE,
    Deviation.PREDICATE_ZERO,
    Deviation.UNSIGNED_REDUCE,
    Deviation.UNSIGNED_MULTIPLY_HIGH,
    Deviation.DIVISION_INFINITY,
    Deviation.ROUND_TIES_AWAY,
)

# these two are about masks: an engine without a mask stack cannot imitate them
CONTROL_FLOW = Deviation.BREAK_IN_IF | Deviation.CONTINUE
EVERY_DEVIATION = Deviation(1023)

REFERENCE = "wave-emu-4a8bbec"


def deviations(compat: Deviation | str | None) -> Deviation:
    """Return the switches that ``compat`` names (None, a `Deviation`, or `REFERENCE` for all).

    Raises
    ------
    ValueError
        another name, or a number that is no switch.
    """
    if compat is None:
        return Deviation.NONE
    if compat == REFERENCE and isinstance(compat, str):
        return EVERY_DEVIATION
    if not isinstance(compat, Deviation) or not 0 <= int(compat) <= int(EVERY_DEVIATION):
        raise ValueError(f"compat = {compat!r}: None, {REFERENCE!r} or a Deviation")
    return compat
