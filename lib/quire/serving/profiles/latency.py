"""A device's measured profile of a model: `LatencyTable`, and the cost of a batch under it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, positive
from quire.serving.links.collectives import (
    Link,
    all_gather_ns,
    all_reduce_ns,
    reduce_scatter_ns,
)
from quire.serving.profiles.attention import AttentionGrid, PhaseTables
from quire.serving.profiles.costs import GRID, PHASES, Costs, attention_ns
from quire.serving.profiles.curves import Curve, interpolated
from quire.serving.profiles.experts import ExpertTable, balanced_load
from quire.serving.profiles.models import ModelShape
from quire.serving.profiles.skew import SkewTable
from quire.signatures import checked


@checked
@dataclass(frozen=True)
class Batch:
    """What a step computes, as far as its cost depends on it.

    Attributes
    ----------
    chunks
        Tokens of each prefill chunk in the step.
    before
        Tokens that each of those requests had computed before.
    lengths
        Tokens in the cache of each sequence that decodes.
    """

    chunks: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("chunks", "before", "lengths"):
            least = 1 if name == "chunks" else 0
            object.__setattr__(
                self, name, tuple(integer(name, each, least) for each in getattr(self, name))
            )
        if len(self.before) != len(self.chunks):
            raise ValueError(
                f"before = {len(self.before)} numbers: must be one for each of "
                f"{len(self.chunks)} chunks"
            )
        if not self.chunks and not self.lengths:
            raise ValueError("chunks = (): a step computes at least one token")


@checked
@dataclass(frozen=True)
class LatencyTable:
    """Nanoseconds of every layer of a model on a device, and what is between devices.

    Attributes
    ----------
    model
        Its shape; ``layers`` blocks are counted.
    once
        Layers that run once a step, against its tokens (embedding, final norm).
    block
        Layers that run once a block, against the step's tokens; a layer that a block has twice
        stands twice.
    sequence
        Layers that run once a step, against its sequences (head, sampler).
    attention
        A grid or a table for each phase.
    skew
        Correction for unequal lengths, None for none.
    experts
        Of a mixture; None for a dense model.
    tp, ep
        Devices that share a layer, and that share the experts.
    link
        Between those devices; needed where tp or ep exceeds 1.
    residual_ns
        Nanoseconds a block that no table holds (residual additions): fixed, and per token.
    chunks_apart
        Whether `step_ns` prices the attention of each chunk alone and of the decodes alone, as
        where they were measured so. Compiled code, which knows the sum of the chunks only, prices
        them as one.
    """

    model: ModelShape
    once: Mapping[str, Curve]
    block: tuple[tuple[str, Curve], ...]
    sequence: Mapping[str, Curve]
    attention: AttentionGrid | PhaseTables
    skew: SkewTable | None = None
    experts: ExpertTable | None = None
    tp: int = 1
    ep: int = 1
    link: Link | None = None
    residual_ns: tuple[float, float] = field(default=(0.0, 0.0))
    chunks_apart: bool = False

    def __post_init__(self) -> None:
        integer("tp", self.tp)
        integer("ep", self.ep)
        if (self.tp > 1 or self.ep > 1) and self.link is None:
            raise ValueError("link = None: devices that share a model need a link between them")
        if self.experts is not None and not self.model.experts:
            raise ValueError(f"experts: {self.model.name} has none")
        for each in self.residual_ns:
            non_negative("residual_ns", each)

    def token_ns(self, most: int, *, rounded: bool = True) -> Float[np.ndarray, " tokens"]:
        """Return what depends on a step's tokens alone, for 0 to ``most`` of them."""
        tokens = np.maximum(np.arange(integer("most", most) + 1, dtype=np.float64), 1.0)

        def whole(values: np.ndarray) -> np.ndarray:
            return np.maximum(np.floor(values + 1e-9), 1.0) if rounded else values

        total = sum(
            (whole(interpolated(c.keys, c.values, tokens)) for c in self.once.values()),
            start=np.zeros(tokens.size),
        )
        each = np.zeros(tokens.size)
        for _, curve in self.block:
            each = each + whole(interpolated(curve.keys, curve.values, tokens))
        wide = self.model.hidden * self.model.bytes_per_value
        if self.tp > 1 and self.link is not None:
            reduced = all_reduce_ns(tokens * wide, self.tp, self.link)
            each = each + (2 if self.experts is None else 1) * reduced
        if self.experts is not None:
            load, active = balanced_load(
                tokens, self.model.experts, self.model.experts_per_token, self.ep
            )
            each = each + whole(self.experts.at(np.maximum(load, 1), np.maximum(active, 1)))
            if self.ep > 1 and self.link is not None:
                gate = self.model.experts * self.model.bytes_per_value
                share = np.maximum(np.floor(tokens / self.ep), 1) * (wide + gate)
                each = each + all_gather_ns(share, self.ep, self.link)
                each = each + reduce_scatter_ns(tokens * wide, self.ep, self.link)
        fixed, per_token = self.residual_ns
        total = total + self.model.layers * (each + fixed + per_token * tokens)
        return np.rint(total) if rounded else total

    def sequence_ns(self, most: int, *, rounded: bool = True) -> Float[np.ndarray, " sequences"]:
        """Return what depends on a step's sequences alone, for 0 to ``most`` of them."""
        counts = np.maximum(np.arange(integer("most", most) + 1, dtype=np.float64), 1.0)
        total = np.zeros(counts.size)
        for curve in self.sequence.values():
            values = interpolated(curve.keys, curve.values, counts)
            total = total + (np.maximum(np.floor(values + 1e-9), 1.0) if rounded else values)
        return total

    def costs(
        self,
        most_tokens: int,
        most_sequences: int,
        *,
        skew: bool | None = None,
        host_ns: float | int = 0.0,
        rounded: bool = True,
    ) -> Costs:
        """Return the profile for compiled code.

        Parameters
        ----------
        most_tokens, most_sequences
            The largest step.
        skew
            Whether to correct for unequal lengths; None where a table of it is there.
        host_ns
            Time between steps that no table holds.
        rounded
            Whole nanoseconds a layer, as the reference simulator counts; else real numbers.

        Raises
        ------
        ValueError
            When a correction for skew is asked for that was not measured.
        """
        if skew and self.skew is None:
            raise ValueError("skew = True: this profile has no skew table")
        host = non_negative("host_ns", host_ns)
        # A padded step has as many rows in the head as tokens, and never fewer than sequences.
        wide = max(integer("most_tokens", most_tokens), integer("most_sequences", most_sequences))
        nothing, flat = np.zeros((1, 1, 1, 1)), np.zeros(1)
        grid = self.attention if isinstance(self.attention, AttentionGrid) else None
        phases = self.attention if isinstance(self.attention, PhaseTables) else None
        on = self.skew is not None if skew is None else bool(skew)
        table = self.skew if on else None
        return Costs(
            token_ns=self.token_ns(wide, rounded=rounded),
            sequence_ns=self.sequence_ns(wide, rounded=rounded),
            layers=self.model.layers,
            kind=GRID if grid is not None else PHASES,
            grid=grid.values if grid is not None else nothing,
            chunks=grid.chunks if grid is not None else flat,
            decodes=grid.decodes if grid is not None else flat,
            prefill_kv=grid.prefill_kv if grid is not None else flat,
            decode_kv=grid.decode_kv if grid is not None else flat,
            prefill_phase=phases.prefill if phases is not None else np.zeros((1, 1)),
            decode_phase=phases.decode if phases is not None else np.zeros((1, 1)),
            skewed=table is not None,
            alpha=table.alpha if table is not None else np.zeros((1, 1, 1, 1, 1)),
            alpha_default=table.default if table is not None else 0.0,
            alpha_chunks=table.chunks if table is not None else flat,
            n_edges=table.n_edges if table is not None else flat,
            rate_edges=table.rate_edges if table is not None else flat,
            longest_edges=table.longest_edges if table is not None else flat,
            prefill_kv_edges=table.prefill_kv_edges if table is not None else flat,
            host_ns=float(np.rint(host)) if rounded else host,
            rounded=bool(rounded),
        )

    def step_ns(self, batch: Batch, *, skew: bool | None = None, rounded: bool = False) -> float:
        """Return the nanoseconds of one step."""
        tokens = sum(batch.chunks) + len(batch.lengths)
        sequences = len(batch.chunks) + len(batch.lengths)
        costs = self.costs(tokens, sequences, skew=skew, rounded=rounded)
        n = len(batch.lengths)
        if self.chunks_apart and len(batch.chunks) > 1:
            parts = [
                Batch((c,), (before,)) for c, before in zip(batch.chunks, batch.before, strict=True)
            ]
            if n:
                parts.append(Batch(lengths=batch.lengths))
            return float(
                costs.token_ns[tokens]
                + costs.sequence_ns[sequences]
                + sum(self._attention_ns(costs, part) for part in parts)
            )
        return float(
            costs.token_ns[tokens] + costs.sequence_ns[sequences] + self._attention_ns(costs, batch)
        )

    def _attention_ns(self, costs: Costs, batch: Batch) -> float:
        """Return the nanoseconds that all layers' attention of a batch takes."""
        n = len(batch.lengths)
        mean = sum(batch.lengths) // n if n else 0
        squares = sum(c * c for c in batch.chunks) + n
        each = attention_ns(
            costs,
            sum(batch.chunks),
            sum(batch.before),
            n,
            mean,
            max(batch.lengths, default=0),
            min(batch.lengths, default=0),
            float(np.sqrt(squares)),
        )
        return float(self.model.layers * each)

    def scaled(self, dense: float | int = 1.0, attention: float | int = 1.0) -> "LatencyTable":
        """Return the profile with its dense layers and its attention slower by two factors."""
        dense, attention = positive("dense", dense), positive("attention", attention)

        def slower(curve: Curve) -> Curve:
            return Curve(curve.keys, curve.values * dense)

        table: AttentionGrid | PhaseTables
        if isinstance(self.attention, AttentionGrid):
            table = replace(self.attention, values=self.attention.values * attention)
        else:
            table = PhaseTables(
                self.attention.prefill * attention, self.attention.decode * attention
            )
        experts = self.experts
        if experts is not None:
            experts = replace(experts, curves=tuple(slower(c) for c in experts.curves))
        return replace(
            self,
            once={name: slower(c) for name, c in self.once.items()},
            block=tuple((name, slower(c)) for name, c in self.block),
            sequence={name: slower(c) for name, c in self.sequence.items()},
            attention=table,
            experts=experts,
        )


@checked
def linear_profile(
    model: ModelShape, fixed_ms: float | int, per_sequence_ms: float | int, length: int = 8192
) -> LatencyTable:
    """Return the profile t = W + H n (k / length) for n sequences of k tokens.

    The form that planners of fleets use: W reads the weights, H the cache of one sequence.

    Parameters
    ----------
    model
        Its shape, for memory; time does not depend on it.
    fixed_ms
        W, milliseconds a step.
    per_sequence_ms
        H, milliseconds a sequence of ``length`` tokens.
    length
        The length that H is for.
    """
    fixed = positive("fixed_ms", fixed_ms) * 1e6
    rate = positive("per_sequence_ms", per_sequence_ms) * 1e6 / integer("length", length)
    each = np.array([0.0, 1.0])
    values = np.zeros((2, 2, 2, 2))
    values[:, 1, :, 1] = rate / model.layers
    grid = AttentionGrid(each, each, each, each, values)
    return LatencyTable(model, {"weights": Curve(np.array([1.0]), np.array([fixed]))}, (), {}, grid)
