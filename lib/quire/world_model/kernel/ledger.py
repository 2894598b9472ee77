"""A ledger that can only grow: its tree head in logarithmic time; proofs are `quire.merkle`'s."""

from __future__ import annotations

import struct

from quire.merkle import leaf_hash, merkle_root, node_hash


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
            return merkle_root([])
        found = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found


def tree_head(tree: bytes, size: int, seconds: int) -> bytes:
    """Return the 48 bytes of a tree head that are signed: root, size, time (big-endian)."""
    return tree + struct.pack(">QQ", size, seconds)
