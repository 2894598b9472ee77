"""The problem and the machine: matrix shapes and processor grids."""

from dataclasses import dataclass


def positive_integer(name: str, value: int) -> int:
    """Return ``value`` when it is an integer >= 1; ``ValueError`` naming it otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
    return value


@dataclass(frozen=True)
class Shape:
    """A sketch B = A Ω with A of n1 x n2 and Ω random of n2 x r.

    Raises ``ValueError`` when a dimension is not an integer >= 1.
    """

    n1: int  # rows of A and of B
    n2: int  # columns of A, rows of Ω: the contraction
    r: int  # columns of Ω and of B: the sketch size

    def __post_init__(self) -> None:
        for name in ("n1", "n2", "r"):
            positive_integer(name, getattr(self, name))

    @property
    def products(self) -> int:
        """Scalar multiplications, n1 n2 r."""
        return self.n1 * self.n2 * self.r

    def check_ranks(self, ranks: int) -> None:
        """Raise ``ValueError`` unless every one of ``ranks`` processors has a multiplication."""
        positive_integer("ranks", ranks)
        if ranks > self.products:
            raise ValueError(
                f"ranks={ranks} exceeds the {self.products} multiplications of {self}; "
                "use at most one processor per multiplication"
            )


@dataclass(frozen=True)
class Grid:
    """A processor grid p1 x p2 x p3: rows of A, contraction, columns of Ω."""

    p1: int
    p2: int
    p3: int

    def __post_init__(self) -> None:
        for name in ("p1", "p2", "p3"):
            positive_integer(name, getattr(self, name))

    @property
    def ranks(self) -> int:
        """Number of processors p1 p2 p3."""
        return self.p1 * self.p2 * self.p3

    def fits(self, shape: Shape) -> bool:
        """Whether no side of the grid exceeds the dimension that it divides."""
        return self.p1 <= shape.n1 and self.p2 <= shape.n2 and self.p3 <= shape.r

    def check(self, shape: Shape) -> None:
        """Raise ``ValueError`` when the grid is larger than a dimension of ``shape``."""
        for side, dimension in (("p1", "n1"), ("p2", "n2"), ("p3", "r")):
            if getattr(self, side) > getattr(shape, dimension):
                raise ValueError(
                    f"grid {side}={getattr(self, side)} exceeds "
                    f"{dimension}={getattr(shape, dimension)}; choose a smaller {side}"
                )


def nystrom_size(n: int, r: int, ranks: int) -> None:
    """Raise ``ValueError`` unless 1 <= r <= n and ranks >= 1."""
    for name, value in (("n", n), ("r", r), ("ranks", ranks)):
        positive_integer(name, value)
    if r > n:
        raise ValueError(f"r={r} exceeds n={n}; a Nystrom sketch has at most n columns")
