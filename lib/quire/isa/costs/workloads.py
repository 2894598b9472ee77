"""The launches that were measured, as work for the model: reductions, products, histograms."""

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from quire.isa.costs.cards import Card
from quire.isa.costs.critical_path import Latencies
from quire.isa.costs.model import Work
from quire.isa.costs.profiles import Profile, profile
from quire.isa.engines.protocol import RunOptions
from quire.isa.kernels import gemm, histogram, reduction
from quire.isa.program import Launch
from quire.isa.text.assembler import assemble

_OPTIONS = RunOptions(skip_empty=True, lanes=1024)
THREADS = 256
REDUCTION_KINDS = MappingProxyType({"local": "tree", "shuffle": "shuffle", "read": "read"})
BLOCKS_PER_CORE = 8  # of the grid-stride launches


@lru_cache(maxsize=64)
def reduction_profile(how: str, elements: int, skip_empty: bool = True) -> Profile:
    """Profile one workgroup of `quire.isa.kernels.reduction`."""
    kernel = assemble(reduction(elements, 1, how)).kernel()
    memory = np.zeros(THREADS * elements + 64, np.uint32)
    options = replace(_OPTIONS, skip_empty=skip_empty)
    return profile(kernel, Launch((1, 1, 1), (THREADS, 1, 1)), memory, options=options)


@lru_cache(maxsize=4096)
def _reduction_path(how: str, elements: int, latencies: Latencies) -> tuple[float, float]:
    return reduction_profile(how, elements).path(latencies)


def grid_stride(card: Card, n: int) -> float:
    """Return the words of a thread if a grid of 8 workgroups a core strides over ``n`` words."""
    return n / THREADS / min(n // THREADS, BLOCKS_PER_CORE * card.cores)


def reduction_work(card: Card, how: str, n: int, elements: float = 1.0) -> Work:
    """Return the reduction of ``n`` words, ``elements`` a thread.

    What grows with the words of a thread is drawn out from two and four.
    """
    found = reduction_profile(how, 1)
    path, waits = _reduction_path(how, 1, card.latencies)
    if elements > 1:
        two, four = (reduction_profile(how, count) for count in (2, 4))
        paths = [_reduction_path(how, count, card.latencies) for count in (2, 4)]

        def drawn_out(at_two: float, at_four: float) -> float:
            return at_two + (elements - 2) * (at_four - at_two) / 2

        path, waits = (drawn_out(a, b) for a, b in zip(*paths, strict=True))
        found = replace(
            found,
            essential=drawn_out(two.essential, four.essential),
            device_accesses=drawn_out(two.device_accesses, four.device_accesses),
        )
    return Work(
        profile=found,
        workgroups=max(round(n / THREADS / elements), 1),
        resident=max(card.max_waves * 32 // THREADS, 1),
        device_bytes=4.0 * n,
        fits_in=4.0 * n,
        path=path,
        waits=waits,
    )


@dataclass(frozen=True)
class Variant:
    """One way to keep the tiles of a product."""

    tile: int
    by_columns: bool
    padding: int

    @property
    def name(self) -> str:
        """The name in the measured files."""
        padded = {0: "unpadded", 1: "padded"}.get(self.padding, f"padded_by_{self.padding}")
        return f"tile{self.tile}_{'columns' if self.by_columns else 'rows'}_{padded}"


@dataclass(frozen=True)
class Tiles:
    """A product's tiles, taken apart once: the variant and what one workgroup executes."""

    variant: Variant
    profile: Profile


_VARIANTS = tuple(
    Variant(tile, by_columns, padding)
    for tile in (16, 32)
    for by_columns in (False, True)
    for padding in (0, 1, 4)
    if not (by_columns and padding == 4)
)
VARIANTS = MappingProxyType({variant.name: variant for variant in _VARIANTS})


@lru_cache(maxsize=32)
def tiles(name: str) -> Tiles:
    """Profile one workgroup of one tile of a variant in `VARIANTS`, its inner loop written out."""
    variant = VARIANTS[name]
    tile = variant.tile
    text = gemm(tile, tile, variant.padding, variant.by_columns, unrolled=True)
    memory = np.zeros(3 * tile * tile, np.uint32)
    launch = Launch((1, 1, 1), (tile, tile, 1))
    return Tiles(variant, profile(assemble(text).kernel(), launch, memory, options=_OPTIONS))


@lru_cache(maxsize=4096)
def _product_path(name: str, latencies: Latencies) -> tuple[float, float]:
    return tiles(name).profile.path(latencies)


def product_work(card: Card, name: str, n: int, wide: bool = True) -> Work:
    """Return the product of two matrices of ``n`` rows; ``wide``: neighbouring loads are joined."""
    found = tiles(name)
    tile = found.variant.tile
    path, waits = _product_path(name, card.latencies)
    return Work(
        profile=found.profile,
        workgroups=(n // tile) ** 2,
        resident=max(card.max_waves * 32 // tile**2, 1),
        device_bytes=12.0 * n * n,
        fits_in=0.0,  # neighbours read the same tiles: they come from the cache
        path=path,
        waits=waits,
        repeats=n / tile,
        wide=wide,
    )


@lru_cache(maxsize=1)
def histogram_profile() -> Profile:
    """Profile one workgroup of the histogram in local memory."""
    kernel = assemble(histogram(8192)).kernel()
    memory = np.arange(4096, dtype=np.uint32)
    return profile(kernel, Launch((1, 1, 1), (THREADS, 1, 1)), memory, options=_OPTIONS)


def histogram_work(card: Card, n: int) -> Work:
    """Return the histogram of ``n`` keys with atomics in local memory, 8 workgroups a core.

    Atomics of one wave at one address count as one pass: the card adds equal keys up by itself
    (measured: the same time for random keys and for one key).
    """
    base = reduction_work(card, "read", n, grid_stride(card, n))
    keys = n / THREADS / base.workgroups  # of one thread
    found = replace(base.profile, local_passes=keys * histogram_profile().waves, barriers=2.0)
    return replace(base, profile=found)
