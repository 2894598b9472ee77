"""Certify the messages of any sharded JAX function against a lower bound."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import PyTree

from quire.sketching.collectives import Collective, read_collectives

_LOOP_BODY = re.compile(r"\bwhile\(.*\bbody=%?([\w.\-]+)")
_COMPUTATION = re.compile(r"^%?([\w.\-]+)[^\n=]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Certificate:
    """What a compiled program sends, beside what any program would have to."""

    collectives: tuple[Collective, ...]
    words: float  # per rank
    bound: float  # words per rank
    word_bytes: int

    @property
    def ratio(self) -> float:
        """Words over bound: 1 is optimal; 1 when both are zero, infinite when only the bound is."""
        if self.bound > 0:
            return self.words / self.bound
        return 1.0 if self.words == 0 else float("inf")


def certify(
    fn: Callable[..., object], *specs: PyTree, bound: float = 0.0, word_bytes: int | None = None
) -> Certificate:
    """Compile ``fn`` for ``specs`` and report its collectives in words per rank against ``bound``.

    ``specs`` are ``jax.ShapeDtypeStruct`` with shardings (or arrays): nothing is allocated or
    run, so shapes far beyond this machine's memory can be certified. A function that is not
    jitted is jitted. ``word_bytes`` is the item size of the first spec by default. The words
    follow from the cost formulas of :mod:`quire.sketching.collectives`; they are not a count on a
    wire, which :mod:`quire.sketching.messages` is. Raises ``ValueError`` for a negative bound,
    for no specs, and for a collective inside a loop, whose trip count the text does not tell.
    """
    if not bound >= 0:
        raise ValueError(f"bound must be >= 0 words, got {bound}")
    leaves = jax.tree.leaves(specs)
    if not leaves:
        raise ValueError("specs is empty; pass a ShapeDtypeStruct with a sharding per argument")
    jitted = fn if hasattr(fn, "lower") else jax.jit(fn)
    hlo = str(jitted.lower(*specs).compile().as_text())
    _refuse_loops(hlo)
    collectives = read_collectives(hlo)
    size = word_bytes if word_bytes is not None else int(np.dtype(leaves[0].dtype).itemsize)
    words = float(sum(collective.words(size) for collective in collectives))
    return Certificate(collectives, words, float(bound), size)


def _refuse_loops(hlo: str) -> None:
    bodies = set(_LOOP_BODY.findall(hlo))
    for name, text in _COMPUTATION.findall(hlo):
        if name in bodies and read_collectives("HloModule body\n" + text):
            raise ValueError(
                f"a collective runs inside the loop body {name}, as often as the loop does; "
                "move it out of the loop or unroll"
            )
