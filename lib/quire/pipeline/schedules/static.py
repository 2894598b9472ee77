"""Static schedules of a linear pipeline: GPipe, 1F1B and the interleaved (virtual) pipeline.

Each microbatch is one chain through all stages. The rank orders are written down in closed form and
handed to the emulator, so that their bubbles can be checked against the textbook formulas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.emulator import emulate_ranks
from quire.pipeline.program import BACKWARD, FORWARD, WEIGHT, Chain, Program, assemble
from quire.pipeline.schedule import Schedule
from quire.signatures import checked


@checked
def staged_program(
    forward: Float[np.ndarray, "microbatches stages"],
    backward: Float[np.ndarray, "microbatches stages"],
    weight: Float[np.ndarray, "microbatches stages"],
    ranks: int,
    *,
    memory: Float[np.ndarray, "microbatches stages"] | None = None,
    hop: float = 0.0,
    placement: str = "loop",
) -> Program:
    """Build one chain per microbatch through ``stages = chunks · ranks`` stages.

    ``placement`` puts chunk ``k`` on ranks ``0 … P−1`` every time (``loop``) or turns round after
    every chunk (``v``: ``0 … P−1, P−1 … 0``). Memory defaults to 1 per stage.

    Raises
    ------
    ValueError
        If there is no microbatch, stages are not a multiple of ranks, or the placement is unknown.
    """
    forward, backward, weight = (np.asarray(t) for t in (forward, backward, weight))
    if forward.ndim != 2 or not forward.shape == backward.shape == weight.shape:
        raise ValueError(
            f"forward, backward, weight have shapes {forward.shape}, {backward.shape}, "
            f"{weight.shape}: give three equal tables, microbatches by stages"
        )
    microbatches, stages = forward.shape
    checks.integer("microbatches", microbatches)
    ranks = checks.integer("ranks", ranks)
    if stages == 0 or stages % ranks:
        raise ValueError(f"stages = {stages}: give a positive multiple of ranks {ranks}")
    path = stage_ranks(ranks, stages // ranks, placement)
    kept = np.ones(forward.shape) if memory is None else memory
    return assemble(
        [
            Chain(i, 0, 0, 0, path, forward[i], backward[i], weight[i], kept[i], hop)
            for i in range(microbatches)
        ],
        ranks,
    )


def stage_ranks(ranks: int, chunks: int, placement: str) -> tuple[int, ...]:
    """List the rank of every stage, ``chunks`` per rank, in a ``loop`` or turning round in a ``v``.

    Raises
    ------
    ValueError
        If the placement is neither.
    """
    if placement not in ("loop", "v"):
        raise ValueError(f"placement = {placement!r}: choose 'loop' or 'v'")
    run = tuple(range(ranks))
    path: tuple[int, ...] = ()
    for chunk in range(chunks):
        path += run[::-1] if placement == "v" and chunk % 2 else run
    return path


@checked
def uniform_program(
    ranks: int,
    microbatches: int,
    forward: float,
    backward: float,
    weight: float = 0.0,
    *,
    chunks: int = 1,
    memory: float = 1.0,
    hop: float = 0.0,
    placement: str = "loop",
) -> Program:
    """Build a pipeline whose stages and microbatches are all equal.

    Raises
    ------
    ValueError
        If there is no microbatch, rank or chunk, or a time, a memory or the hop is negative or not
        finite.
    """
    ranks, chunks = checks.integer("ranks", ranks), checks.integer("chunks", chunks)
    forward = checks.non_negative("forward", forward)
    backward = checks.non_negative("backward", backward)
    weight = checks.non_negative("weight", weight)
    memory = checks.non_negative("memory", memory)
    microbatches = checks.integer("microbatches", microbatches)
    shape = (microbatches, ranks * chunks)
    return staged_program(
        np.full(shape, forward), np.full(shape, backward), np.full(shape, weight), ranks,
        memory=np.full(shape, memory), hop=hop, placement=placement,
    )  # fmt: skip


@checked
def operation_index(program: Program) -> Int[np.ndarray, "kinds microbatches stages"]:
    """Look up the operation of each (kind, microbatch, stage); −1 where there is none.

    Raises
    ------
    ValueError
        If a microbatch runs a stage more than once, so the program is no linear pipeline.
    """
    index = np.full((3, program.microbatches, int(program.stage.max()) + 1), -1, dtype=np.int64)
    place = (program.kind, program.microbatch, program.stage)
    index[place] = np.arange(program.operations)
    if (index >= 0).sum() != program.operations:
        raise ValueError(
            "the program cuts microbatches into pieces: a linear schedule needs whole ones"
        )
    return index


def _sequence(
    index: Int[np.ndarray, "kinds microbatches stages"],
    warm_up: int,
    forwards: Sequence[tuple[int, int]],
    backwards: Sequence[tuple[int, int]],
) -> Int[np.ndarray, " _"]:
    """Order ``warm_up`` forwards, then a forward and a backward in turn, then what is left."""
    first, then = (np.array(pairs, dtype=np.int64).T for pairs in (forwards, backwards))
    ahead = index[FORWARD, first[0], first[1]]
    late = ahead[warm_up : warm_up + len(backwards)]
    turns = np.full((len(backwards), 3), -1, dtype=np.int64)
    turns[: len(late), 0] = late
    turns[:, 1:] = index[BACKWARD : WEIGHT + 1, then[0], then[1]].T
    kept = np.ones(turns.shape, dtype=bool)
    kept[len(late) :, 0] = False
    kept[:, 2] = turns[:, 2] >= 0  # a microbatch without weight gradients has none
    return np.concatenate([ahead[:warm_up], turns[kept]])


def _microbatch_order(
    program: Program, given: Int[np.ndarray, " microbatches"] | None
) -> Int[np.ndarray, " microbatches"]:
    if given is None:
        return np.arange(program.microbatches)
    if not np.array_equal(np.sort(given), np.arange(program.microbatches)):
        raise ValueError(f"microbatch_order = {given}: give each microbatch once")
    return given


@checked
def gpipe(
    program: Program, *, microbatch_order: Int[np.ndarray, " microbatches"] | None = None
) -> Schedule:
    """Run all forwards, then all backwards; bubble ``(P−1)/(m+P−1)``, all microbatches kept."""
    index = operation_index(program)
    order = _microbatch_order(program, microbatch_order)
    rank_orders = []
    for rank in range(program.ranks):
        stages = _stages_of(program, rank)
        forwards = [(int(i), s) for s in stages for i in order]
        backwards = [(int(i), s) for s in stages[::-1] for i in order]
        rank_orders.append(_sequence(index, len(forwards), forwards, backwards))
    return emulate_ranks(program, rank_orders)


@checked
def one_f_one_b(
    program: Program, *, microbatch_order: Int[np.ndarray, " microbatches"] | None = None
) -> Schedule:
    """Run 1F1B: rank ``r`` warms up with ``P−r−1`` forwards, then alternates; bubble as GPipe.

    Raises
    ------
    ValueError
        If a rank has more than one stage.
    """
    index = operation_index(program)
    if index.shape[2] != program.ranks:
        raise ValueError(f"1F1B needs one stage per rank: the program has {index.shape[2]} stages")
    order = [(int(i), 0) for i in _microbatch_order(program, microbatch_order)]
    rank_orders = []
    for rank in range(program.ranks):
        steps = [(i, rank) for i, _ in order]
        warm_up = min(program.ranks - rank - 1, len(steps))
        rank_orders.append(_sequence(index, warm_up, steps, steps))
    return emulate_ranks(program, rank_orders)


@checked
def interleaved(
    program: Program, *, microbatch_order: Int[np.ndarray, " microbatches"] | None = None
) -> Schedule:
    """Run interleaved 1F1B over ``v`` chunks per rank (the virtual pipeline of Megatron-LM).

    Microbatches advance in groups of ``P`` through chunk after chunk; rank ``r`` warms up with
    ``2(P−r−1) + (v−1)P`` forwards. Equal stages give the bubble ``(P−1)/(v·m+P−1)``.

    Raises
    ------
    ValueError
        If microbatches are not a multiple of ranks, or chunks are not placed in a loop.
    """
    index = operation_index(program)
    ranks, microbatches = program.ranks, program.microbatches
    chunks = index.shape[2] // ranks
    if microbatches % ranks:
        raise ValueError(
            f"microbatches = {microbatches}: interleaving needs a multiple of ranks {ranks}"
        )
    if any(_stages_of(program, r) != list(range(r, chunks * ranks, ranks)) for r in range(ranks)):
        raise ValueError(
            "placement of the program is not a loop: interleaving needs chunk k·P + r on r"
        )
    order = _microbatch_order(program, microbatch_order)
    rank_orders = []
    for rank in range(ranks):
        forwards, backwards = [], []
        for group in range(microbatches // ranks):
            members = order[group * ranks : (group + 1) * ranks]
            for chunk in range(chunks):
                forwards += [(int(i), chunk * ranks + rank) for i in members]
                backwards += [(int(i), (chunks - 1 - chunk) * ranks + rank) for i in members]
        warm_up = min(2 * (ranks - rank - 1) + (chunks - 1) * ranks, len(forwards))
        if chunks == 1:
            warm_up = min(ranks - rank - 1, len(forwards))
        rank_orders.append(_sequence(index, warm_up, forwards, backwards))
    return emulate_ranks(program, rank_orders)


def _stages_of(program: Program, rank: int) -> list[int]:
    return sorted({int(s) for s in program.stage[program.rank == rank]})
