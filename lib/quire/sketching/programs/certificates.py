"""Certify the messages of any sharded JAX function against a lower bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from quire.checks import integer, non_negative
from quire.signatures import checked
from quire.sketching.programs.collectives import Collective
from quire.sketching.programs.computations import executed_collectives


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


@checked
def certify(
    fn: Callable[..., object], *specs: PyTree, bound: float = 0.0, word_bytes: int | None = None
) -> Certificate:
    """Compile ``fn`` for ``specs`` and report its collectives in words per rank against ``bound``.

    ``specs`` are ``jax.ShapeDtypeStruct`` with shardings (or arrays): nothing is allocated or
    run, so shapes far beyond this machine's memory can be certified. A function that is not
    jitted is jitted. ``word_bytes`` is the item size of the first spec by default. Of the branches
    of a conditional the dearest counts, since one of them runs. The words follow from the cost
    formulas of :mod:`quire.sketching.programs.collectives`; they are not a count on a wire, which
    :mod:`quire.sketching.messages` is.

    Raises
    ------
    ValueError
        For a bound that is negative or not finite, word_bytes < 1, no specs, and a collective
        inside a loop (in its body, its condition, or anything these call).
    """
    bound = non_negative("bound", bound)
    leaves = jax.tree.leaves(specs)
    if not leaves:
        raise ValueError("specs = nothing: a ShapeDtypeStruct with a sharding per argument")
    if word_bytes is not None:
        word_bytes = integer("word_bytes", word_bytes)
    jitted = fn if hasattr(fn, "lower") else jax.jit(fn)
    size = word_bytes if word_bytes is not None else int(np.dtype(leaves[0].dtype).itemsize)
    collectives = executed_collectives(_compiled_text(jitted.lower(*specs)))
    words = float(sum(collective.words(size) for collective in collectives))
    return Certificate(collectives, words, float(bound), size)


def _compiled_text(lowered: Any) -> str:
    """Return the compiled program as text; its machine code is made fast, for it never runs.

    The level of optimisation is that of the machine code alone: XLA's passes, which place and
    choose collectives, are the same at every level, and so is the text.
    """
    compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
    return str(compiled.as_text())
