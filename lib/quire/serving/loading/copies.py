"""What a copy to the device costs when it goes piece by piece.

A paged cache lies in pieces: with blocks of 16 tokens, keys and values of one layer in one tensor,
a piece of Llama-3.1-8B is 64 KiB, and 20,000 tokens are 40,000 pieces. Each piece costs a call,
however small it is. A measured table (seconds of a piece by its size) says what that is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, positive, real_array
from quire.serving.profiles.models import ModelShape


@dataclass(frozen=True)
class CopyTable:
    """Seconds of one piece by its bytes; linear between, the last one's rate beyond.

    Attributes
    ----------
    sizes
        Bytes, rising.
    seconds
        Of one piece among many.
    """

    sizes: Any
    seconds: Any

    def __post_init__(self) -> None:
        sizes = real_array("sizes", self.sizes, 1, above=0.0)
        seconds = real_array("seconds", self.seconds, 1, above=0.0)
        if sizes.size != seconds.size or (np.diff(sizes) <= 0).any():
            raise ValueError("sizes: must rise, one for each of seconds")
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "seconds", seconds)

    def piece_s(self, size: Any) -> Float[np.ndarray, " sizes"]:
        """Return the seconds of one piece of ``size`` bytes."""
        asked = real_array("size", np.atleast_1d(size), 1, above=0.0)
        told = np.interp(asked, self.sizes, self.seconds)
        beyond = asked > self.sizes[-1]
        return np.where(beyond, self.seconds[-1] * asked / self.sizes[-1], told)

    def load_s(self, total: float | int, piece: float | int) -> float:
        """Return the seconds of ``total`` bytes in pieces of ``piece`` bytes, the last one less."""
        total, piece = positive("total", total), positive("piece", piece)
        whole = int(total // piece)
        rest = total - whole * piece
        return whole * float(self.piece_s(piece)[0]) + (float(self.piece_s(rest)[0]) if rest else 0)

    def bytes_per_s(self, piece: float | int) -> float:
        """Return the rate at which pieces of that size are copied."""
        return positive("piece", piece) / float(self.piece_s(piece)[0])


def table_from_copies(rows: Any) -> CopyTable:
    """Return the table from measured rows: pieces of many where there are, else one large copy.

    Parameters
    ----------
    rows
        Columns ``what`` (``h2d_blocks`` and ``h2d``), ``bytes_or_count``, ``copies`` and
        ``median_us``.

    Raises
    ------
    ValueError
        When a column is missing or as long as no other, when there are no such rows, two of one
        size, or numbers that are not positive.
    """
    columns = []
    for name in ("what", "bytes_or_count", "copies", "median_us"):
        try:
            columns.append(np.asarray(rows[name]))
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"rows: has no column {name}") from None
    what = columns[0]
    if what.ndim != 1 or any(each.shape != what.shape for each in columns):
        raise ValueError("rows: columns must be as long as one another")
    used = (what == "h2d_blocks") | (what == "h2d")
    what = what[used]
    many = what == "h2d_blocks"
    if not many.any():
        raise ValueError("rows: has no h2d_blocks")
    size, count, took = (
        real_array(name, each[used].astype(np.float64), 1, above=0.0)
        for name, each in zip(("bytes_or_count", "copies", "median_us"), columns[1:], strict=True)
    )
    single = (what == "h2d") & (size > size[many].max())
    sizes = np.concatenate([size[many], size[single]])
    seconds = np.concatenate([took[many] / count[many], took[single]]) / 1e6
    order = np.argsort(sizes)
    return CopyTable(sizes[order], seconds[order])


def piece_bytes(model: ModelShape, block_tokens: int, layout: str = "layer") -> int:
    """Return the bytes of a piece that lies in one stretch.

    Parameters
    ----------
    model
        Its shape.
    block_tokens
        Tokens of a block.
    layout
        ``"half"``: keys and values of a layer apart; ``"layer"``: together; ``"block"``: all layers
        of a block together.

    Raises
    ------
    ValueError
        For another layout.
    """
    whole = model.kv_bytes_per_token() * integer("block_tokens", block_tokens)
    parts = {"half": 2 * model.layers, "layer": model.layers, "block": 1}
    if layout not in parts:
        raise ValueError(f"layout = {layout!r}: must be one of {', '.join(parts)}")
    return whole // parts[layout]
