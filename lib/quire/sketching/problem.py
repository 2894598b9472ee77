"""The problem and the machine: matrix shapes and processor grids."""

from dataclasses import dataclass

from quire.checks import integer


@dataclass(frozen=True)
class Shape:
    """A sketch B = A Ω with A of n1 x n2 and Ω random of n2 x r.

    Raises
    ------
    ValueError
        When a dimension is not an integer >= 1.
    """

    n1: int  # rows of A and of B
    n2: int  # columns of A, rows of Ω: the contraction
    r: int  # columns of Ω and of B: the sketch size

    def __post_init__(self) -> None:
        for name in ("n1", "n2", "r"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))

    @property
    def products(self) -> int:
        """Scalar multiplications, n1 n2 r."""
        return self.n1 * self.n2 * self.r

    def check_ranks(self, ranks: int) -> None:
        """Check that each of ``ranks`` processors has a multiplication.

        Raises
        ------
        ValueError
            When it has none.
        """
        ranks = integer("ranks", ranks)
        if ranks > self.products:
            raise ValueError(
                f"ranks = {ranks}: at most the {self.products} multiplications of {self} are "
                "allowed, one for each processor"
            )


@dataclass(frozen=True)
class Grid:
    """A processor grid p1 x p2 x p3: rows of A, contraction, columns of Ω."""

    p1: int
    p2: int
    p3: int

    def __post_init__(self) -> None:
        for name in ("p1", "p2", "p3"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.p1}×{self.p2}×{self.p3}"

    @property
    def ranks(self) -> int:
        """Number of processors p1 p2 p3."""
        return self.p1 * self.p2 * self.p3

    def fits(self, shape: Shape) -> bool:
        """Whether no side of the grid exceeds the dimension that it divides."""
        return self.p1 <= shape.n1 and self.p2 <= shape.n2 and self.p3 <= shape.r

    def divides(self, shape: Shape) -> bool:
        """Whether every block has one size: p1 | n1, p2 p3 | n2 and p2 p3 | r."""
        both = self.p2 * self.p3
        return shape.n1 % self.p1 == 0 and shape.n2 % both == 0 and shape.r % both == 0

    def check(self, shape: Shape) -> None:
        """Check that no side of the grid is larger than a dimension of ``shape``.

        Raises
        ------
        ValueError
            Naming the side that is.
        """
        for side, dimension in (("p1", "n1"), ("p2", "n2"), ("p3", "r")):
            most = getattr(shape, dimension)
            if getattr(self, side) > most:
                raise ValueError(
                    f"{side} = {getattr(self, side)}: at most {dimension} = {most} is allowed"
                )


def check_nystrom(n: int, r: int, ranks: int) -> tuple[int, int, int]:
    """Return the three as Python's integers, when 1 <= r <= n and ranks >= 1.

    Raises
    ------
    ValueError
        When they are not.
    """
    n, r, ranks = integer("n", n), integer("r", r), integer("ranks", ranks)
    if r > n:
        raise ValueError(f"r = {r}: at most n = {n} columns are allowed")
    return n, r, ranks
