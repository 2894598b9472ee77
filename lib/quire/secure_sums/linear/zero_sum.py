"""The optimal scheme: zero-sum one-time pads, over F_q or over the machine words Z_{2^b}.

A dealer draws N_1 … N_{K-1} uniform and sets Z_k = N_k, Z_K = -(N_1 + … + N_{K-1}). User k
broadcasts X_k = W_k + Z_k, and user u outputs Σ_{j≠u} X_j + W_u + Z_u = ΣW: rates (1, 1, K-1).
The proof needs only a finite abelian group, so unsigned machine words that wrap around do as well
as F_q.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int, UInt32

from quire.checks import integer, whole_array
from quire.secure_sums.linear.fields import FiniteField
from quire.secure_sums.linear.protocols import LinearProtocol, complete_graph, one_pad_protocol
from quire.signatures import checked

Entropy = Callable[[int], bytes]


def seeded_entropy(seed: int) -> Entropy:
    """Return a source of bytes that repeats for a seed: for experiments, never for secrets.

    With it the guarantee is only computational, and not even that: anybody who knows the seed
    knows the pads. The default everywhere else is the operating system's generator.

    Raises
    ------
    ValueError
        For anything but an integer from 0 up: without a seed nothing would repeat.
    """
    return np.random.default_rng(integer("seed", seed, 0)).bytes


def enough_users(users: int) -> int:
    """Return K when there is something to protect.

    Raises
    ------
    ValueError
        When K < 3.
    """
    if (number := integer("users", users, 1)) < 3:
        raise ValueError(f"users = {users}: K = {users} have nothing to protect (K>=3)")
    return number


def zero_sum_matrix(users: int, q: int) -> Int[np.ndarray, "K r"]:
    """Return M of Z = M·N for the scheme of the theorem: the identity over a row of -1.

    Raises
    ------
    ValueError
        When K < 3, or q is not a prime power.
    """
    enough_users(users)
    last = FiniteField(q).negative(np.ones((1, users - 1), dtype=np.int64))
    return np.concatenate([np.eye(users - 1, dtype=np.int64), last])


def zero_sum_protocol(users: int, q: int) -> LinearProtocol:
    """Return the scheme as a linear protocol over F_q.

    Raises
    ------
    ValueError
        When K < 3, or q is not a prime power.
    """
    return one_pad_protocol(zero_sum_matrix(users, q), q)


def reused_pad_protocol(users: int, q: int) -> LinearProtocol:
    """Return two rounds of inputs under one and the same pads: what the ledger prevents.

    Each user holds two input symbols and one key symbol, and sends W_k + Z_k and W'_k + Z_k.

    Raises
    ------
    ValueError
        When K < 3, or q is not a prime power.
    """
    matrix = zero_sum_matrix(users, q)
    n = 2 * users + users - 1
    inputs = np.eye(2 * users, n, dtype=np.int64).reshape(users, 2, n)
    keys = np.zeros((users, 1, n), dtype=np.int64)
    keys[:, 0, 2 * users :] = matrix
    return LinearProtocol(
        q=q,
        inputs=inputs,
        keys=keys,
        messages=inputs + keys,
        hears=complete_graph(users),
        wanted=np.repeat(inputs.sum(axis=0)[None], users, axis=0),
    )


@checked
def draw_pads(users: int, length: int, entropy: Entropy = os.urandom) -> UInt32[np.ndarray, "K L"]:
    """Return one zero-sum pad of 32-bit words per user.

    Parameters
    ----------
    users, length
        K >= 3 and L >= 1.
    entropy
        Where the (K-1)·4L bytes come from. The operating system by default: the theorem speaks of
        uniform keys, and any expanded seed has less entropy than that.

    Raises
    ------
    ValueError
        When K < 3 or L < 1.
    """
    pads = np.empty((enough_users(users), integer("length", length, 1)), dtype=np.uint32)
    for pad in pads[:-1]:
        pad[:] = np.frombuffer(entropy(4 * length), dtype="<u4")
    np.negative(pads[:-1].sum(axis=0, dtype=np.uint32), out=pads[-1])
    return pads


def mask(
    words: UInt32[np.ndarray, "*L"], pad: UInt32[np.ndarray, "*L"]
) -> UInt32[np.ndarray, "*L"]:
    """Return the broadcast message X_k = W_k + Z_k in Z_{2^32}.

    Raises
    ------
    ValueError
        When an argument does not hold unsigned 32-bit words, or the shapes differ.
    """
    words, pad = _words("words", words), _words("pad", pad)
    if words.shape != pad.shape:
        raise ValueError(f"pad = of shape {pad.shape}: must be {words.shape}, as words")
    return words + pad


def unmask(
    heard: UInt32[np.ndarray, "M L"], words: UInt32[np.ndarray, " L"], pad: UInt32[np.ndarray, " L"]
) -> UInt32[np.ndarray, " L"]:
    """Return ΣW from the K-1 messages heard, the own input and the own pad.

    Raises
    ------
    ValueError
        When an argument does not hold unsigned 32-bit words, or the shapes differ.
    """
    total: UInt32[np.ndarray, " L"] = mask(words, pad)
    for message in heard:
        word = _words("heard", message)
        if word.shape != total.shape:
            raise ValueError(f"heard = of shape {word.shape}: must be {total.shape}, as words")
        total += word
    return total


def _words(name: str, values: Any) -> UInt32[np.ndarray, "..."]:
    """Return ``values`` as words that wrap around; wider integers would not."""
    found = np.asarray(values)
    if found.dtype != np.uint32:
        found = whole_array(name, found, found.ndim, least=0, most=2**32 - 1).astype(np.uint32)
    return found
