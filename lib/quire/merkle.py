"""Merkle trees as RFC 6962 has them, for all topics: short proofs of inclusion and of growth.

A leaf is ``SHA256(00 data)``, a node ``SHA256(01 left right)``; the left subtree of ``n`` leaves
holds the largest power of two below ``n``.

It needs the standard library alone: a safety kernel's process starts with nothing else.
"""

import hashlib
from collections.abc import Sequence
from numbers import Integral

from quire.signatures import checked


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's data, ``SHA256(00 data)``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node, ``SHA256(01 left right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@checked
def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; of none, the hash of nothing (RFC 6962, 2.1)."""
    leaves = _hashes(leaves)
    if not leaves:
        return hashlib.sha256(b"").digest()
    return _levels(leaves)


@checked
def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from leaf ``index`` to the root (RFC 6962, 2.1.1).

    Raises
    ------
    ValueError
        For an index that is no leaf's.
    """
    leaves = _hashes(leaves)
    index = _place("index", index, 0, len(leaves) - 1)
    proof: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_levels(leaves[middle:high]))
            high = middle
        else:
            proof.append(_levels(leaves[low:middle]))
            low = middle
    return proof[::-1]


@checked
def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Return whether a leaf hash is the one at ``index`` of the tree of ``size`` with that root."""
    if not (_is_whole(index) and _is_whole(size) and 0 <= index < size):
        return False
    index, size = int(index), int(size)
    steps = _steps(index, size - 1, proof)
    if steps is None:
        return False
    node = leaf
    for is_left, sibling in steps:
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
    return node == root


@checked
def consistency_proof(leaves: Sequence[bytes], older: int) -> list[bytes]:
    """Return the hashes that show that the first ``older`` leaves are still there (2.1.2).

    Raises
    ------
    ValueError
        For a size that is no earlier size of this tree.
    """
    leaves = _hashes(leaves)
    older = _place("older", older, 1, len(leaves))

    def part(count: int, low: int, high: int, whole: bool) -> list[bytes]:
        if count == high - low:
            return [] if whole else [_levels(leaves[low:high])]
        split = _split(high - low)
        if count <= split:
            return [
                *part(count, low, low + split, whole),
                _levels(leaves[low + split : high]),
            ]
        return [*part(count - split, low + split, high, False), _levels(leaves[low : low + split])]

    return part(older, 0, len(leaves), True)


@checked
def verify_consistency(
    older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether a proof shows that the newer tree extends the older one (RFC 9162)."""
    if not (_is_whole(older) and _is_whole(newer) and 1 <= older <= newer):
        return False
    older, newer = int(older), int(newer)
    if older == newer:
        return not proof and older_root == newer_root
    path = list(proof)
    if older & (older - 1) == 0:
        path.insert(0, older_root)
    if not path:
        return False
    first, second = older - 1, newer - 1
    while first & 1:
        first >>= 1
        second >>= 1
    steps = _steps(first, second, path[1:])
    if steps is None:
        return False
    left = right = path[0]
    for is_left, node in steps:
        if is_left:
            left, right = node_hash(node, left), node_hash(node, right)
        else:
            right = node_hash(right, node)
    return left == older_root and right == newer_root


def _steps(position: int, last: int, proof: Sequence[bytes]) -> list[tuple[bool, bytes]] | None:
    """Return for each node of a proof whether it stands left of the way from a place to the root.

    None where the proof is longer or shorter than that way (RFC 9162, 2.1.3.2).
    """
    steps = []
    for node in proof:
        if last == 0:
            return None
        is_left = position & 1 == 1 or position == last
        while is_left and position and not position & 1:
            position >>= 1
            last >>= 1
        steps.append((is_left, node))
        position >>= 1
        last >>= 1
    return steps if last == 0 else None


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _levels(leaves: Sequence[bytes]) -> bytes:
    """Return the root: pairs level by level, an odd last one moves up as it is."""
    level = list(leaves)
    while len(level) > 1:
        paired = [node_hash(level[k], level[k + 1]) for k in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def _hashes(leaves: Sequence[bytes]) -> list[bytes]:
    for k, leaf in enumerate(leaves):
        if not isinstance(leaf, bytes) or len(leaf) != 32:
            raise ValueError(f"leaves[{k}] = {leaf!r:.40}: must be 32 bytes, a leaf's hash")
    return list(leaves)


def _place(name: str, value: int, least: int, most: int) -> int:
    if not _is_whole(value) or not least <= value <= most:
        raise ValueError(f"{name} = {value!r}: must be an integer, from {least} to {most}")
    return int(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
