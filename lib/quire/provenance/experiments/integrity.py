"""Tampering that must be found, cuts that must be recovered from, codecs against others."""

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from quire.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    verify_consistency,
    verify_inclusion,
)
from quire.provenance.chain.hash_chain import chain, head_of, verify
from quire.provenance.schema.canonical import canonical_bytes, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.records import Record
from quire.provenance.stores.jsonl import read_folder, recover, verify_folder
from quire.provenance.stores.writer import RecordWriter

KINDS = ("flip", "swap", "drop", "repeat", "cut")


def tampering(record: Record, mutations: int, seed: int) -> list[tuple[str, int, int, int]]:
    """Mutate a record's documents at random; rows of kind, tries, missed with and without a head.

    A mutation is missed when it is not found, or found at another place or by another name.
    """
    documents = [*record.plans, *record.steps, *([record.verdict] if record.verdict else [])]
    entries = chain(record.envelope, documents)
    head, count = head_of(entries), len(documents)
    random = np.random.default_rng(seed)
    tally = {kind: [0, 0, 0] for kind in KINDS}
    for _ in range(mutations):
        kind = KINDS[int(random.integers(len(KINDS)))]
        k = int(random.integers(count))
        changed, wanted = list(documents), (k + 1, "payload")
        if kind == "flip":
            changed[k] = _flipped(documents[k], random)
        elif kind == "swap":
            j = int(random.integers(count - 1))
            j += j >= k
            changed[k], changed[j] = changed[j], changed[k]
            wanted = (min(j, k) + 1, "order")
        elif kind == "drop":
            del changed[k]
            wanted = (k + 1, "gap" if k < count - 1 else "truncation")
        elif kind == "repeat":
            changed.insert(k + 1, documents[k])
            wanted = (k + 2, "order")
        else:
            keep = k
            changed = changed[:keep]
            wanted = (keep + 1, "truncation")
        stored = entries[: len(changed) + 1] if kind == "cut" else entries
        tally[kind][0] += 1
        for column, known in ((1, head), (2, None)):
            found = verify(record.envelope, changed, stored, known)
            tally[kind][column] += (found.index, found.kind) != wanted
    return [(kind, a, b, c) for kind, (a, b, c) in tally.items()]


def _flipped(document: Any, random: np.random.Generator) -> Any:
    """Return a document with one bit of its bytes flipped that is still another document."""
    payload = canonical_bytes(document)
    while True:
        at, bit = int(random.integers(len(payload))), int(random.integers(8))
        changed = bytearray(payload)
        changed[at] ^= 1 << bit
        try:
            found = parse_json(bytes(changed))
        except Malformed:
            continue
        if canonical_bytes(found) != payload:
            return found


def random_documents(count: int, seed: int) -> list[str]:
    """Return JSON texts: nested values with strange keys, and numbers of random bits."""
    random = np.random.default_rng(seed)
    keys = ["a", "b", "é", "€", "\U0001f600", "\ufb33", "\r", '"', "10", "2", "", "\u0080"]

    def number() -> float | int:
        if random.random() < 0.3:
            return int(random.integers(-(2**53) + 1, 2**53 - 1))
        while True:
            value = struct.unpack("<d", random.bytes(8))[0]
            if np.isfinite(value):
                return float(value)

    def value(depth: int) -> Any:
        pick = random.random()
        if depth and pick < 0.3:
            names = random.permutation(len(keys))[: int(random.integers(1, 5))]
            return {keys[k]: value(depth - 1) for k in names}
        if depth and pick < 0.5:
            return [value(depth - 1) for _ in range(int(random.integers(0, 4)))]
        if pick < 0.8:
            return number()
        return random.choice(np.array([None, True, "text", "\x00\n/\u2028", "ü"], dtype=object))

    return [json.dumps(value(3)) for _ in range(count)]


def merkle_faults(theirs: Callable[[list[list[str]]], list[str]], largest: int = 33) -> int:
    """Count roots that differ from another package's, proofs that fail, forgeries that pass."""
    trees = [[bytes([k, size]).hex() for k in range(size)] for size in range(1, largest + 1)]
    faults = 0
    for tree, root in zip(trees, theirs(trees), strict=True):
        leaves = [leaf_hash(bytes.fromhex(document)) for document in tree]
        mine = merkle_root(leaves)
        faults += mine.hex() != root
        size = len(leaves)
        for k in range(size):
            proof = inclusion_proof(leaves, k)
            faults += not verify_inclusion(leaves[k], k, size, proof, mine)
            faults += verify_inclusion(leaves[k], k, size, proof, b"\x00" * 32)
            older = merkle_root(leaves[: k + 1])
            grown = consistency_proof(leaves, k + 1)
            faults += not verify_consistency(k + 1, size, older, mine, grown)
            faults += k + 1 < size and verify_consistency(k + 1, size, b"\x01" * 32, mine, grown)
    return faults


def cut_faults(record: Record, cuts: int, seed: int) -> int:
    """Cut the last line of a log at random bytes, recover, and count what is not as it must be.

    Half of the cuts hit ``steps.jsonl``, whose entry in the chain was then not yet written; the
    other half the chain, whose document stands already.
    """
    random, faults = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as root:
        with RecordWriter(root, record.envelope) as out:
            out.plan(record.plans[0])
            first = [step for step in record.steps if step["plan_version"] == 1]
            for step in first:
                out.step(step)
        for k in range(cuts):
            copy = Path(root) / "copy"
            shutil.copytree(out.folder, copy)
            entry = _last_line(copy / "chain.jsonl")
            if k % 2:
                os.truncate(copy / "chain.jsonl", int(random.integers(entry[0], entry[1])))
                whole = len(first)
            else:
                os.truncate(copy / "chain.jsonl", entry[0])
                low, high = _last_line(copy / "steps.jsonl")
                os.truncate(copy / "steps.jsonl", int(random.integers(low, high)))
                whole = len(first) - 1
            recover(copy)
            faults += len(read_folder(copy).steps) != whole or not verify_folder(copy).intact
            shutil.rmtree(copy)
    return faults


def _last_line(file: Path) -> tuple[int, int]:
    data = file.read_bytes()
    return data[:-1].rfind(b"\n") + 1, len(data)
