"""A chain of hashes over the documents of a record: which was changed first, and how.

With ``c`` the canonical bytes: leaf ``l_k = SHA256(00 c(document_k))``, link
``h_k = SHA256(02 h_{k-1} l_k)``, and ``h_0 = SHA256("aer/v1" c(envelope))``. Without a head that is
kept elsewhere a cut-off end is invisible, and so is a rewritten whole.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from quire.merkle import leaf_hash
from quire.provenance.schema.canonical import canonical_bytes
from quire.provenance.schema.errors import Malformed
from quire.signatures import checked

BreakKind = Literal["payload", "order", "gap", "truncation", "extension", "rewritten"]


@dataclass(frozen=True)
class Entry:
    """One line of the chain: its place, the leaf of its document, and the link, in hexadecimal."""

    number: int
    leaf: str
    link: str


@dataclass(frozen=True)
class Head:
    """How many documents there are besides the envelope, and the last link: keep it elsewhere."""

    number: int
    link: str


@dataclass(frozen=True)
class Verification:
    """What a look at the chain found.

    Attributes
    ----------
    intact
        Whether nothing is broken.
    index
        The first broken place: 0 is the envelope, k the k-th document; None when intact.
    kind
        ``payload`` (a document or its hash changed), ``order`` (moved or repeated), ``gap`` (one
        is missing from the middle), ``truncation`` (the end is missing, which only a head tells),
        ``extension`` (something follows the head), ``rewritten`` (all hashes fit each other, and
        not the head).
    checked
        How many documents were found good, the envelope included.
    """

    intact: bool
    index: int | None
    kind: BreakKind | None
    checked: int

    def __str__(self) -> str:
        if self.intact:
            return f"intact: {self.checked} documents"
        return f"broken at {self.index}: {self.kind}"


def first_link(envelope: bytes) -> bytes:
    """Return the link that the envelope's canonical bytes start."""
    return hashlib.sha256(b"aer/v1" + envelope).digest()


def next_link(link: bytes, leaf: bytes) -> bytes:
    """Return the link after one more leaf."""
    return hashlib.sha256(b"\x02" + link + leaf).digest()


@checked
def chain(envelope: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return the entries of a chain: that of the envelope, then one per document."""
    first = canonical_bytes(envelope)
    link = first_link(first)
    entries = [Entry(0, leaf_hash(first).hex(), link.hex())]
    for k, document in enumerate(documents, 1):
        leaf = leaf_hash(canonical_bytes(document))
        link = next_link(link, leaf)
        entries.append(Entry(k, leaf.hex(), link.hex()))
    return entries


@checked
def head_of(entries: Sequence[Entry]) -> Head:
    """Return the head of a chain.

    Raises
    ------
    Malformed
        When there is no entry.
    """
    if not entries:
        raise Malformed("chain", "is empty: an envelope's entry comes first")
    return Head(len(entries) - 1, entries[-1].link)


@checked
def verify(
    envelope: Mapping[str, Any],
    documents: Sequence[Mapping[str, Any]],
    entries: Sequence[Entry],
    head: Head | None = None,
) -> Verification:
    """Return whether documents and chain agree, or the first broken place and its kind.

    Parameters
    ----------
    envelope, documents
        What is stored.
    entries
        The chain that is stored beside it, the envelope's entry first.
    head
        What was kept elsewhere; without it a cut-off end is not seen.
    """
    payloads = [canonical_bytes(envelope), *(canonical_bytes(d) for d in documents)]
    leaves = [leaf_hash(payload).hex() for payload in payloads]
    stored = {entry.leaf for entry in entries}
    link = first_link(payloads[0])
    for k in range(max(len(leaves), len(entries))):
        if k >= len(entries):
            # a document without an entry: repeated from before, or new
            kind: BreakKind = "order" if leaves[k] in leaves[:k] else "extension"
            return Verification(False, k, kind, k)
        entry = entries[k]
        if entry.number != k:
            later = any(e.number == k for e in entries[k:])
            kind = "order" if later or entry.number < k else "gap"
            return Verification(False, k, kind, k)
        if k >= len(leaves):
            return Verification(False, k, "truncation", k)
        if leaves[k] != entry.leaf:
            return Verification(False, k, _of_document(k, leaves, entries, stored), k)
        if k:
            link = next_link(link, bytes.fromhex(entry.leaf))
        if entry.link != link.hex():
            return Verification(False, k, "payload", k)
    count = len(leaves) - 1
    if head is not None and head.number > count:
        return Verification(False, count + 1, "truncation", count + 1)
    if head is not None and head.number < count:
        same = entries[head.number].link == head.link
        return Verification(
            False, head.number + 1 if same else head.number, "extension" if same else "rewritten", 0
        )
    if head is not None and head.link != link.hex():
        return Verification(False, count, "rewritten", 0)
    return Verification(True, None, None, len(leaves))


def _of_document(
    k: int, leaves: Sequence[str], entries: Sequence[Entry], stored: set[str]
) -> BreakKind:
    """Say how a document that is not the entry's differs: moved, missing, or changed."""
    wanted = entries[k].leaf
    if leaves[k] not in stored:
        return "payload"  # what stands here was never entered
    if wanted in leaves[k + 1 :] or leaves[k] in leaves[:k]:
        return "order"  # what belongs here stands later, or what stands here stood before
    return "gap"  # what belongs here is nowhere
