"""Check a world model's certificate with the standard library alone: ``verifier.py FILE KEY``.

A certificate has five parts: (i) a chained hash of states, (ii) the energy balance of every step,
(iii) the adjustment set of a causal claim, (iv) the kernel's token with its place in the signed
ledger, (v) the exact statistics of every shard of data, and the coefficients that follow from them.
"""
# mypy: ignore-errors

import base64
import hashlib
import itertools
import json
import math
import pathlib
import struct
import sys
from fractions import Fraction

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def verify(certificate, key_hex):
    """Return the faults of a certificate, none if it is good, under the kernel's public key."""
    faults = []
    for check in (chain, energy, causal, data, grant):
        try:
            more = (certificate["grant"], bytes.fromhex(key_hex)) if check is grant else ()
            fault = check(certificate["body"], *more)
        except Exception:  # whatever cannot be read is no certificate
            fault = "cannot be read"
        if fault:
            faults.append(f"{check.__name__}: {fault}")
    return faults


def canonical(value):
    """Return canonical JSON as bytes."""
    options = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
    return json.dumps(value, separators=(",", ":"), **options).encode()


def states_of(body):
    """Return the states, pairs of floats in hexadecimal.

    Raises
    ------
    ValueError
        For anything else.
    """
    states = [tuple(map(float.fromhex, s)) for s in body["states"]]
    if len(states) < 2 or any(len(s) != 2 or not all(map(math.isfinite, s)) for s in states):
        raise ValueError
    return states


def chain(body):
    """Check (i): the last hash is that of all states in their order."""
    last = b""
    for state in states_of(body):
        last = hashlib.sha256(last + struct.pack("<2d", *state)).digest()
    return None if last.hex() == body["chain"] else "the states do not have this hash"


def energy(body):
    """Check (ii): every step keeps the energy balance to 1e-12 of the largest energy."""
    numbers = [float.fromhex(body["model"][n]) for n in ("mass", "k1", "k3", "damping", "step")]
    mass, k1, k3, damping, step = numbers
    if not all(map(math.isfinite, numbers)) or min(mass, k1, step) <= 0 or min(k3, damping) < 0:
        return "the parameters are no passive oscillator's"
    states = states_of(body)

    def level(q, p):
        return p * p / (2 * mass) + k1 * q * q / 2 + k3 * q**4 / 4

    largest = max(level(*s) for s in states)
    for (q, p), (r, s) in itertools.pairwise(states):
        dq, dp, mq, mp = r - q, s - p, (q + r) / 2, (p + s) / 2
        gq, gp = k1 * mq + k3 * mq**3, mp / mass
        size = dq * dq + dp * dp
        if size > 0:
            more = (level(r, s) - level(q, p) - gq * dq - gp * dp) / size
            gq, gp = gq + more * dq, gp + more * dp
        balance = level(r, s) - level(q, p) + step * damping * gp * gp
        if not abs(balance) <= 1e-12 * largest:
            return "a step does not keep the energy balance"
        scale = abs(q) + abs(p) + abs(r) + abs(s)
        if not abs(dq - step * gp) + abs(dp + step * (gq + damping * gp)) <= 1e-9 * scale:
            return "a step does not follow from the model"
    return None


def causal(body):
    """Check (iii): the adjustment set satisfies the back-door criterion in the stated graph."""
    claim = body["causal"]
    edges = [tuple(e) for e in claim["edges"]]
    x, y, given = claim["treatment"], claim["outcome"], set(claim["adjustment"])
    nodes = {n for e in edges for n in e}
    if not {x, y} | given <= nodes or x == y or {x, y} & given:
        return "the claim is not about nodes of the graph"

    def closed(start, step):
        found, waiting = set(start), list(start)
        while waiting:
            for new in step(waiting.pop()) - found:
                found.add(new)
                waiting.append(new)
        return found

    order, left = [], set(nodes)
    while left:
        ready = {n for n in left if not any(b == n and a in left for a, b in edges)}
        if not ready:
            return "the graph has a cycle"
        order, left = order + sorted(ready), left - ready
    if given & closed({x}, lambda n: {b for a, b in edges if a == n}):
        return "an adjusted node is an effect of the treatment"
    cut = [(a, b) for a, b in edges if a != x]
    kept = closed({x, y} | given, lambda n: {a for a, b in cut if b == n})
    joined = {frozenset(e) for e in cut if set(e) <= kept}
    for n in kept:
        above = sorted(a for a, b in cut if b == n)
        joined |= {frozenset((a, b)) for a in above for b in above if a != b}
    reached = closed({x}, lambda n: {m for e in joined if n in e for m in e} - given)
    return "a back door is open" if y in reached else None


def data(body):
    """Check (v): shards add up to the total, and the coefficients solve its normal equations."""
    learned = body["data"]
    total, shards = learned["total"], learned["shards"]
    d, shift = len(total["moment"]), int(total["shift"])
    if list(shards) != sorted(shards) or any(
        len(s["gram"]) != d or s["shift"] != shift for s in shards.values()
    ):
        return "the shards do not fit"
    for name in ("count", "square"):
        if sum(int(s[name]) for s in shards.values()) != int(total[name]):
            return f"the shards' {name} is not the total"
    for i in range(d):
        if sum(int(s["moment"][i]) for s in shards.values()) != int(total["moment"][i]):
            return "the shards' moments are not the total"
        if any(
            sum(int(s["gram"][i][j]) for s in shards.values()) != int(total["gram"][i][j])
            for j in range(d)
        ):
            return "the shards' Gram matrices are not the total"
    theta = [Fraction(float.fromhex(t)) for t in learned["theta"]]
    ridge, unit = Fraction(float.fromhex(learned["ridge"])), Fraction(1, 4**shift)
    for i in range(d):
        terms = [
            (int(total["gram"][i][j]) * unit + (ridge if i == j else 0)) * theta[j]
            for j in range(d)
        ]
        right = int(total["moment"][i]) * unit
        if abs(sum(terms) - right) > Fraction(1, 10**7) * (abs(right) + sum(map(abs, terms))):
            return "the coefficients do not solve the normal equations"
    return None if len(theta) == d else "the coefficients are not as many as features"


def grant(body, given, key):
    """Check (iv): a token for exactly this body, signed, logged, and in the signed tree."""
    payload, signature = given["token"].split(".")
    if not signed(key, payload.encode(), unbase(signature)):
        return "the token is not the kernel's"
    claims = json.loads(unbase(payload))
    wanted = hashlib.sha256(
        canonical({"certificate": hashlib.sha256(canonical(body)).hexdigest()})
    ).hexdigest()
    if claims["params_fingerprint"] != wanted or claims["aud"] != "kernel/authorize":
        return "the token is for something else"
    entry = json.loads(given["entry"])
    if (
        entry["decision"] != "ALLOW"
        or entry["token"] != hashlib.sha256(given["token"].encode()).hexdigest()
    ):
        return "the entry is not this token's"
    node, last = given["index"], given["size"] - 1
    found = hashlib.sha256(b"\x00" + given["entry"].encode()).digest()
    if not 0 <= node <= last:
        return "the index is not in the tree"
    for part in map(bytes.fromhex, given["proof"]):
        if last == 0:
            return "the proof is too long"
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + part + found).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + part).digest()
        node, last = node >> 1, last >> 1
    if last != 0 or found.hex() != given["root"]:
        return "the entry is not in the tree"
    head = bytes.fromhex(given["root"]) + struct.pack(">QQ", given["size"], given["time"])
    return (
        None
        if signed(key, head, bytes.fromhex(given["signature"]))
        else "the tree is not the kernel's"
    )


def unbase(text):
    """Return the bytes of URL-safe base 64 without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(key, message, signature):
    """Return whether an Ed25519 signature is good (RFC 8032)."""
    a, r = point(key), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(key) != 32 or len(signature) != 64 or s >= L or a is None or r is None:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = (
        times(s, point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))),
        plus(r, times(h, a)),
    )
    return (
        (left[0] * right[2] - right[0] * left[2]) % P
        == (left[1] * right[2] - right[1] * left[2]) % P
        == 0
    )


def point(text):
    """Return a point from its 32 bytes, None where they are no point."""
    number = int.from_bytes(text, "little")
    y, sign = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x % 2 != sign else x
    return x, y, 1, x * y % P


def plus(a, b):
    """Return the sum of two points."""
    p, q = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    r, s = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = (q - p) % P, (s - r) % P, (s + r) % P, (q + p) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, a):
    """Return a multiple of a point."""
    total = (0, 1, 1, 0)
    while n:
        total, a, n = plus(total, a) if n & 1 else total, plus(a, a), n >> 1
    return total


if __name__ == "__main__":
    with pathlib.Path(sys.argv[1]).open(encoding="utf-8") as file:
        found = verify(json.load(file), sys.argv[2])
    print("\n".join(found) or "good")
    sys.exit(bool(found))
