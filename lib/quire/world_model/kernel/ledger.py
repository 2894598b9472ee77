"""A ledger that can only grow: RFC 6962 Merkle trees, proofs of inclusion and of consistency."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from quire.world_model.errors import WorldModelError


def leaf_hash(entry: bytes) -> bytes:
    """Return H(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return H(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree hash of leaf hashes; that of nothing is SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


class GrowingTree:
    """A tree to which leaves are added, with its root in logarithmic time."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, entry: bytes) -> int:
        """Add an entry, and return its index."""
        node, size = leaf_hash(entry), 1
        self.leaves.append(node)
        while self._peaks and self._peaks[-1][0] == size:
            node, size = node_hash(self._peaks.pop()[1], node), 2 * size
        self._peaks.append((size, node))
        return len(self.leaves) - 1

    def root(self) -> bytes:
        """Return the tree hash."""
        if not self._peaks:
            return root([])
        found = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of a leaf.

    Raises
    ------
    WorldModelError
        For an index that is not in the tree.
    """
    if not 0 <= index < len(leaves):
        raise WorldModelError(f"index = {index}: must be from 0 to {len(leaves) - 1}")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), root(leaves[:k])]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree: bytes
) -> bool:
    """Return whether a leaf is at an index of the tree of that size (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == tree


def consistency_proof(leaves: Sequence[bytes], older: int) -> list[bytes]:
    """Return the proof that the first ``older`` leaves are a prefix.

    Raises
    ------
    WorldModelError
        When the older size is not from 1 to the present one.
    """
    if not 1 <= older <= len(leaves):
        raise WorldModelError(f"older = {older}: must be from 1 to {len(leaves)}")
    return _subproof(leaves, older, True)


def verify_consistency(
    older: int, newer: int, first: bytes, second: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether the older tree is a prefix of the newer one (RFC 9162, 2.1.4.2)."""
    if not 1 <= older <= newer:
        return False
    if older == newer:
        return first == second and not proof
    path = list(proof)
    if older & (older - 1) == 0:
        path = [first, *path]
    if not path:
        return False
    node, last = older - 1, newer - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    left = right = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            left, right = node_hash(sibling, left), node_hash(sibling, right)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            right = node_hash(right, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and left == first and right == second


def tree_head(tree: bytes, size: int, seconds: int) -> bytes:
    """Return the 48 bytes of a tree head that are signed: root, size, time (big-endian)."""
    return tree + struct.pack(">QQ", size, seconds)


def _split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def _subproof(leaves: Sequence[bytes], older: int, whole: bool) -> list[bytes]:
    if older == len(leaves):
        return [] if whole else [root(leaves)]
    k = _split(len(leaves))
    if older <= k:
        return [*_subproof(leaves[:k], older, whole), root(leaves[k:])]
    return [*_subproof(leaves[k:], older - k, False), root(leaves[:k])]
