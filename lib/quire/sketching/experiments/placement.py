"""What one processor of a grid holds, receives, generates and sends, entry by entry: a picture."""

from dataclasses import dataclass

from quire.sketching.problem import Grid, Shape


@dataclass(frozen=True)
class Entry:
    """One entry of A, Ω or B, and what the processor has to do with it."""

    matrix: str  # A, Ω or B
    row: int
    column: int
    part: str  # own, received, generated, sent, or none


def placement(shape: Shape, grid: Grid, i: int = 0, j: int = 0, k: int = 0) -> tuple[Entry, ...]:
    """Return every entry of the three matrices as processor (i, j, k) of ``grid`` sees it.

    A is held by rows over i and columns over j and then k, B by rows over i and columns over k and
    then j, as :func:`quire.sketching.grid_sketch` has them.

    Raises
    ------
    ValueError
        When the grid does not divide the shape, or has no such processor.
    """
    if not grid.divides(shape):
        raise ValueError(f"grid = {grid}: a grid that divides {shape} is allowed")
    for name, place, side in (("i", i, grid.p1), ("j", j, grid.p2), ("k", k, grid.p3)):
        if not 0 <= place < side:
            raise ValueError(f"{name} = {place}: 0 to {side - 1} is allowed on grid {grid}")
    rows = _span(i, shape.n1 // grid.p1)
    inner, outer = _span(j, shape.n2 // grid.p2), _span(k, shape.r // grid.p3)
    held = _span(k, len(inner) // grid.p3, inner.start)  # of the columns of A
    kept = _span(j, len(outer) // grid.p2, outer.start)  # of the columns of B
    entries = []
    for row in range(shape.n1):
        for column in range(shape.n2):
            block = row in rows and column in inner
            part = "own" if block and column in held else "received" if block else "none"
            entries.append(Entry("A", row, column, part))
        for column in range(shape.r):
            block = row in rows and column in outer
            part = "own" if block and column in kept else "sent" if block else "none"
            entries.append(Entry("B", row, column, part))
    for row in range(shape.n2):
        for column in range(shape.r):
            part = "generated" if row in inner and column in outer else "none"
            entries.append(Entry("Ω", row, column, part))
    return tuple(entries)


def _span(place: int, size: int, start: int = 0) -> range:
    return range(start + place * size, start + (place + 1) * size)
