import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.merkle import leaf_hash
from quire.provenance import (
    Head,
    chain,
    consistency_proof,
    head_of,
    inclusion_proof,
    merkle_root,
    verify,
    verify_consistency,
    verify_inclusion,
)

ENVELOPE = {"id": "a"}
DOCS = [{"n": k, "text": "x" * k} for k in range(6)]
ENTRIES = chain(ENVELOPE, DOCS)
HEAD = head_of(ENTRIES)


def test_an_untouched_chain_is_intact():
    assert verify(ENVELOPE, DOCS, ENTRIES, HEAD).intact
    assert ENTRIES[0].link == hashlib.sha256(b'aer/v1{"id":"a"}').hexdigest()


@pytest.mark.parametrize("k", range(6))
def test_each_tampering_is_named(k):
    changed = [*DOCS[:k], {**DOCS[k], "text": "?"}, *DOCS[k + 1 :]]
    dropped = [*DOCS[:k], *DOCS[k + 1 :]]
    repeated = [*DOCS[: k + 1], DOCS[k], *DOCS[k + 1 :]]
    for documents, index, kind in (
        (changed, k + 1, "payload"),
        (repeated, k + 2, "order"),
        (dropped, k + 1, "gap" if k < 5 else "truncation"),
    ):
        found = verify(ENVELOPE, documents, ENTRIES, HEAD)
        assert (found.intact, found.index, found.kind) == (False, index, kind)
    if k < 5:
        swapped = [*DOCS[:k], DOCS[k + 1], DOCS[k], *DOCS[k + 2 :]]
        assert verify(ENVELOPE, swapped, ENTRIES, HEAD).kind == "order"
        entries = [e for e in ENTRIES if e.number != k + 1]
        assert verify(ENVELOPE, dropped, entries, HEAD).kind == "gap"


def test_a_cut_end_is_seen_with_a_head_only():
    assert verify(ENVELOPE, DOCS[:-1], ENTRIES[:-1]).intact
    found = verify(ENVELOPE, DOCS[:-1], ENTRIES[:-1], HEAD)
    assert (found.index, found.kind) == (6, "truncation")


def test_a_chain_that_is_written_anew_does_not_fit_the_head():
    other = [{**DOCS[0], "text": "?"}, *DOCS[1:]]
    assert verify(ENVELOPE, other, chain(ENVELOPE, other)).intact
    assert verify(ENVELOPE, other, chain(ENVELOPE, other), HEAD).kind == "rewritten"
    longer = [*DOCS, {"n": 9}]
    assert verify(ENVELOPE, longer, chain(ENVELOPE, longer), HEAD).kind == "extension"
    assert verify({"id": "b"}, DOCS, ENTRIES, HEAD).index == 0
    forged = [dataclasses.replace(e, link="00" * 32) if e.number == 2 else e for e in ENTRIES]
    assert verify(ENVELOPE, DOCS, forged, HEAD).index == 2
    assert not verify(ENVELOPE, DOCS, ENTRIES, Head(6, "00" * 32)).intact


@settings(max_examples=60)
@given(st.integers(1, 40), st.data())
def test_proofs_of_inclusion_and_growth(count, data):
    leaves = [leaf_hash(bytes([k])) for k in range(count)]
    root = merkle_root(leaves)
    k = data.draw(st.integers(0, count - 1))
    proof = inclusion_proof(leaves, k)
    assert verify_inclusion(leaves[k], k, count, proof, root)
    other = data.draw(st.integers(0, count - 1))
    if other != k:
        assert not verify_inclusion(leaves[other], k, count, proof, root)
        assert not verify_inclusion(leaves[k], other, count, proof, root)
    older = data.draw(st.integers(1, count))
    grown = consistency_proof(leaves, older)
    assert verify_consistency(older, count, merkle_root(leaves[:older]), root, grown)
    if older < count:
        assert not verify_consistency(older, count, merkle_root(leaves[1 : older + 1]), root, grown)


def test_known_roots_of_rfc_6962():
    assert merkle_root([]).hex() == hashlib.sha256(b"").hexdigest()
    data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
            "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    leaves = [leaf_hash(bytes.fromhex(d)) for d in data]
    assert merkle_root(leaves).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )
    with pytest.raises(ValueError, match=r"leaves\[0\]"):
        merkle_root([b"short"])
