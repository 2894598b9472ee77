"""Patterns of steps: directly-follows counts, variants, frequent subsequences."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from quire.checks import integer, whole_array
from quire.signatures import checked


def directly_follows(
    case: Int[np.ndarray, " events"], code: Int[np.ndarray, " events"], codes: int
) -> Int[np.ndarray, "codes codes"]:
    """Return how often each code follows each inside a case.

    Parameters
    ----------
    case
        The run of every event; events stand run by run, in order.
    code
        What happened, from 0 to ``codes - 1``.
    codes
        How many kinds there are.

    Raises
    ------
    ValueError
        For a code outside its range, or unequal lengths.
    """
    codes = integer("codes", codes, 1, 46_340)  # its square is a 32-bit number
    case, code = _row("case", case), _row("code", code)
    if case.shape != code.shape:
        raise ValueError(f"case = {case.shape}, code = {code.shape}: must be two equal rows")
    if code.size and not 0 <= code.min() <= code.max() < codes:
        raise ValueError(f"code: must hold integers from 0 to {codes - 1}")
    pair = code[:-1].astype(np.int32) * codes + code[1:]
    # what straddles two cases is counted in one bin more
    pair[case[:-1] != case[1:]] = codes * codes
    return np.bincount(pair, minlength=codes * codes + 1)[:-1].reshape(codes, codes)


def _row(name: str, values: np.ndarray) -> Int[np.ndarray, " n"]:
    """Return a row of integers; millions of them are not copied.

    Raises
    ------
    ValueError
        For another kind or shape.
    """
    found = np.asarray(values)
    if not found.size or found.dtype == np.uint64:
        return whole_array(name, found, 1)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise ValueError(f"{name} = an array of {found.dtype}, {found.shape}: must be integers")
    return found


@checked
def variants(sequences: Sequence[Sequence[int]]) -> list[tuple[tuple[int, ...], int]]:
    """Return every distinct sequence with its number, the most frequent first."""
    counts: dict[tuple[int, ...], int] = {}
    for sequence in sequences:
        key = tuple(sequence)
        counts[key] = counts.get(key, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@checked
def frequent_sequences(
    sequences: Sequence[Sequence[int]], support: int, longest: int = 8
) -> dict[tuple[int, ...], int]:
    """Return every subsequence, gaps allowed, that ``support`` sequences or more hold (PrefixSpan).

    Parameters
    ----------
    sequences
        Codes, in order.
    support
        In how many sequences a pattern must be.
    longest
        Length up to which patterns are grown.
    """
    support, longest = integer("support", support), integer("longest", longest)
    found: dict[tuple[int, ...], int] = {}

    def grow(prefix: tuple[int, ...], places: list[tuple[int, int]]) -> None:
        following: dict[int, list[tuple[int, int]]] = {}
        for row, start in places:
            seen: set[int] = set()
            sequence = sequences[row]
            for k in range(start, len(sequence)):
                code = sequence[k]
                if code not in seen:
                    seen.add(code)
                    following.setdefault(code, []).append((row, k + 1))
        for code in sorted(following):
            if len(following[code]) >= support:
                pattern = (*prefix, code)
                found[pattern] = len(following[code])
                if len(pattern) < longest:
                    grow(pattern, following[code])

    grow((), [(row, 0) for row in range(len(sequences))])
    return found
