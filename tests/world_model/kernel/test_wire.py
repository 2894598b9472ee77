"""What goes over the wire: canonical texts, signatures, trees, tokens and used nonces."""

import hashlib
import time

import pytest
from jaxtyping import TypeCheckError

from quire import merkle
from quire.world_model import (
    TokenForged,
    TokenRefused,
    WorldModelError,
)
from quire.world_model.kernel import (
    canonical,
    ed25519,
    ledger,
    tokens,
)
from quire.world_model.kernel.nonces import UsedNonces

REFUSED = (ValueError, TypeCheckError)


CLAIMS = {
    "action": "sio_run_cycles",
    "aud": "kernel/authorize",
    "run_id": "run_abc",
    "subject": "worker",
    "params_fingerprint": hashlib.sha256(b"").hexdigest(),
    "issued_at": 1715212345.0,
    "expires_at": 1715212405.0,
    "nonce": "abcdEFgh-12_AB",
}


def test_the_authors_vector_of_canonical_json():
    assert canonical.canonical(CLAIMS) == (
        '{"action":"sio_run_cycles","aud":"kernel/authorize","expires_at":1715212405.0,'
        '"issued_at":1715212345.0,"nonce":"abcdEFgh-12_AB","params_fingerprint":'
        '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","run_id":"run_abc",'
        '"subject":"worker"}'
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        "NaN",
        "[Infinity]",
        "[" * 99 + "]" * 99,
        '"' + "a" * 70_000 + '"',
        "{",
        b"\xff",
    ],
    ids=range(7),
)
def test_strange_json_is_refused(text):
    with pytest.raises(WorldModelError):
        canonical.read(text)


@pytest.mark.parametrize("text", ["AA=", "AB", "A", "AA A", "é"], ids=range(5))
def test_only_canonical_base_64_is_read(text):
    with pytest.raises(WorldModelError):
        canonical.decode64(text)


VECTORS = [  # RFC 8032, section 7.1
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("vector", VECTORS, ids=["one", "two"])
def test_rfc_8032_vectors(vector, by_hand):
    seed, public, message, signature = map(bytes.fromhex, vector)
    assert ed25519.public_key(seed, by_hand) == public
    assert ed25519.sign(seed, message, by_hand) == signature
    assert ed25519.verify(public, message, signature, by_hand)
    assert not ed25519.verify(public, message + b"x", signature, by_hand)
    s = int.from_bytes(signature[32:], "little") + ed25519.L  # the same scalar, not reduced
    assert not ed25519.verify(public, message, signature[:32] + s.to_bytes(32, "little"), by_hand)


def test_trees_and_their_proofs():
    leaves = [merkle.leaf_hash(bytes([k])) for k in range(12)]
    grown = ledger.GrowingTree()
    for n in range(1, 13):
        grown.append(bytes([n - 1]))
        tree = merkle.merkle_root(leaves[:n])
        assert grown.root() == tree
        for k in range(n):
            proof = merkle.inclusion_proof(leaves[:n], k)
            assert merkle.verify_inclusion(leaves[k], k, n, proof, tree)
            assert not merkle.verify_inclusion(leaves[(k + 1) % 12], k, n, proof, tree)
            assert not merkle.verify_inclusion(leaves[k], k, n, [*proof, tree], tree)
            older = merkle.merkle_root(leaves[: k + 1])
            path = merkle.consistency_proof(leaves[:n], k + 1)
            assert merkle.verify_consistency(k + 1, n, older, tree, path)
            assert not merkle.verify_consistency(k + 1, n, tree[::-1], tree, path)


def test_tokens_are_for_one_thing():
    seed = bytes([7] * 32)
    token = tokens.issue(CLAIMS, seed)
    public = ed25519.public_key(seed)
    assert tokens.verify(token, public, 1715212350.0, CLAIMS, set())["nonce"] == CLAIMS["nonce"]
    payload, signature = token.split(".")
    for forged in (
        token + "=",
        payload + "." + signature[:-1],
        f" {token}",
        payload,
        "." + signature,
        token[::-1],
    ):
        with pytest.raises(TokenForged):
            tokens.verify(forged, public, 1715212350.0, CLAIMS, set())
    with pytest.raises(WorldModelError):
        tokens.issue({**CLAIMS, "more": 1}, seed)


@pytest.mark.parametrize("now", [None, float("nan"), float("inf"), "now"], ids=range(4))
def test_a_clock_without_a_time_accepts_no_token(now):
    seed = bytes(range(32))
    token, public = tokens.issue(CLAIMS, seed), ed25519.public_key(seed)
    with pytest.raises(REFUSED):
        tokens.verify(token, public, now, CLAIMS, set())
    with pytest.raises(REFUSED):
        tokens.verify(token, public, 1e12, CLAIMS, set(), float("inf"))
    with pytest.raises(TokenRefused):
        tokens.verify(token, public, 1715212350.0, {**CLAIMS, "action": "\ud800"}, set())


def test_a_restarted_device_obeys_no_token_again(tmp_path):
    seed, file = bytes([7] * 32), tmp_path / "nonces"
    public, now = ed25519.public_key(seed), time.time()

    def token(nonce, issued):
        claims = {**CLAIMS, "issued_at": issued, "expires_at": issued + 60.0, "nonce": nonce}
        return tokens.issue(claims, seed)

    def obeyed(text, used, at):
        try:
            tokens.verify(text, public, at, CLAIMS, used)
        except tokens.TokenReplayed:
            return False
        return True

    first, second = token("first", now + 1.0), token("second", now + 1.0)
    kept = UsedNonces(file)
    assert obeyed(first, kept, now + 2.0) and not obeyed(first, kept, now + 2.0)
    with file.open("ab") as torn:
        torn.write(b"half a non")
    again = UsedNonces(file)
    assert not obeyed(first, again, now + 3.0) and obeyed(second, again, now + 3.0)
    assert set(UsedNonces(file)) >= {"first", "second"} and len(UsedNonces(file)) == 3
    assert not obeyed(token("old", now - 1.0), UsedNonces(), now + 3.0)
    again.discard("first")
    assert "first" in again
