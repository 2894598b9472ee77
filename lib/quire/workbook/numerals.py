"""How a number is printed."""


def printed(number: float, digits: int = 4) -> str:
    """Return a number as printed: some significant digits, thousands set apart below 10^9.

    >>> printed(34_412.0), printed(1e7), printed(0.25), printed(-3e-8), printed(1.056e14)
    ('34,410', '10,000,000', '0.25', '-3e-08', '1.056e+14')
    """
    rounded = float(f"{number:.{digits}g}") or 0.0  # no zero with a sign
    if not 1e3 <= abs(rounded) < 1e9:
        return f"{rounded:.{digits}g}"
    return f"{int(rounded):,}" if rounded.is_integer() else f"{rounded:,}"
