"""The engine: what always holds, cases by hand, both loops, an independent straight-line engine."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving import (
    LLAMA_8B,
    Instance,
    Link,
    SchedulerConfig,
    Tier,
    Trace,
    least_loaded,
    linear_profile,
    poisson_trace,
    replay,
    replay_batch,
    round_robin,
    serve_pool,
    serve_split,
    serve_wave,
)
from quire.serving.engine.batched import infinite_hits
from quire.serving.experiments.exactness import shared_trace
from quire.serving.profiles.latency import LatencyTable

PROFILE = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)
SMALL = SchedulerConfig(60, 128, 8)


def straight_line(trace, config, profile):
    """The rules once more: Python lists, dictionaries, no structure in common with the engine."""
    start, names = trace.named
    own = [names[start[r] : start[r + 1]].tolist() for r in range(len(trace))]
    free = list(range(config.blocks))  # least recently freed first
    content, where, holders = {}, {}, dict.fromkeys(range(config.blocks), 0)
    computed, reached = [0] * len(trace), trace.n_in.tolist()
    table = [[] for _ in range(len(trace))]
    known = [None] * len(trace)
    first, last = [None] * len(trace), [None] * len(trace)
    running, waiting, come, now, preemptions = [], [], 0, 0.0, 0
    costs = profile.costs(config.budget, config.max_sequences)

    def found(r):
        got = []
        for name in own[r][: (reached[r] - 1) // 16]:
            if name not in where:
                break
            got.append(where[name])
        return got

    def lacking(r, tokens, got):
        blocks = -(-tokens // 16)
        if known[r] is not None:
            return max(blocks - len(table[r]), 0)
        return max(blocks - len(got) - len(table[r]), 0) + sum(holders[b] == 0 for b in got)

    def allocate(r, done, k, got):
        if lacking(r, done + k, got) > len(free):
            return False
        for b in got:
            if holders[b] == 0:
                free.remove(b)
            holders[b] += 1
        if got:
            table[r], known[r] = list(got), len(got)
        while len(table[r]) < -(-(done + k) // 16):
            b = free.pop(0)
            name = content.pop(b, None)
            if name is not None and where.get(name) == b:
                del where[name]
            holders[b] = 1
            table[r].append(b)
        if config.prefix_caching:
            full = min((done + k) // 16, len(own[r]))
            for i in range(known[r] or 0, full):
                if table[r][i] not in content:
                    content[table[r][i]] = own[r][i]
                    where[own[r][i]] = table[r][i]
            if full > (known[r] or 0):
                known[r] = full
        return True

    def release(r):
        for b in reversed(table[r]):
            holders[b] -= 1
            if holders[b] == 0:
                free.append(b)
        table[r], known[r] = [], None

    while None in last:
        while come < len(trace) and trace.arrival_ns[come] <= now:
            waiting.append(come)
            come += 1
        budget, chosen, put_back, i = config.budget, [], False, 0
        while i < len(running) and budget:
            r = running[i]
            k = min(reached[r] - computed[r], budget)
            done = allocate(r, computed[r], k, [])
            while not done:
                victim = running.pop()
                release(victim)
                computed[victim] = 0
                waiting.insert(0, victim)
                preemptions, put_back = preemptions + 1, True
                if victim == r:
                    break
                done = allocate(r, computed[r], k, [])
            if not done:
                break
            chosen.append((r, k, computed[r]))
            computed[r] += k
            budget, i = budget - k, i + 1
        while not put_back and waiting and budget and len(running) < config.max_sequences:
            r = waiting[0]
            got = found(r) if config.prefix_caching else []
            hit = 16 * len(got)
            k = min(reached[r] - hit, budget)
            if config.gate and lacking(r, reached[r], got) > len(free):
                break
            if not allocate(r, hit, k, got):
                break
            running.append(waiting.pop(0))
            chosen.append((r, k, hit))
            computed[r] = hit + k
            budget -= k
        if not chosen:
            now = float(trace.arrival_ns[come])
            continue
        lengths = [before for _, k, before in chosen if k == 1]
        n, total = len(lengths), sum(k for _, k, _ in chosen)
        mean = sum(lengths) // n if n else 0
        # the linear profile: weights, and n sequences of the mean length, floored a layer
        each = max(1.0, np.floor(n * mean * 0.5e6 / 1000 / 32 + 1e-6))
        now += costs.token_ns[total] + 32 * each
        for r, _, _ in chosen:
            if computed[r] >= reached[r]:
                reached[r] += 1
                if first[r] is None:
                    first[r] = now
                if reached[r] >= trace.n_in[r] + trace.n_out[r]:
                    last[r] = now
                    release(r)
                    running.remove(r)
    return np.array(first), np.array(last), preemptions


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.integers(40, 120))
@settings(max_examples=25)
def test_engine_is_the_straight_line_engine(seed, caching, gate, blocks):
    trace = shared_trace(25, 20.0, seed)
    config = SchedulerConfig(blocks, 128, 8, prefix_caching=caching, gate=gate)
    first, last, preemptions = straight_line(trace, config, PROFILE)
    for compressed in (False, True):
        found = replay(trace, PROFILE, config, compressed=compressed)
        np.testing.assert_array_equal(found.first_ns, first)
        np.testing.assert_array_equal(found.last_ns, last)
        assert found.preemptions == preemptions


@given(st.integers(0, 10_000), st.integers(40, 90))
@settings(max_examples=25)
def test_series_sum_to_the_loop_within_a_nanosecond_a_step(seed, blocks):
    trace = shared_trace(25, 20.0, seed)
    config = SchedulerConfig(blocks, 128, 8)
    one = replay(trace, PROFILE, config, compressed=False, rounded=False)
    other = replay(trace, PROFILE, config, compressed=True, rounded=False)
    assert np.abs(one.last_ns - other.last_ns).max() <= one.steps
    assert (one.preemptions, one.hit_tokens) == (other.preemptions, other.hit_tokens)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=15)
def test_what_always_holds(seed, tiered):
    trace = shared_trace(20, 30.0, seed)
    tier = Tier(20, 1e9, 32) if tiered else None
    engine = Instance(trace, PROFILE, SMALL, tier=tier)
    now, come, left, ends = 0.0, 0, len(trace), []
    while left:
        while come < len(trace) and trace.arrival_ns[come] <= now:
            engine.submit(come)
            come += 1
        if not engine.schedule(now):
            now = float(trace.arrival_ns[come])
            continue
        engine.check()
        spent = engine.duration_ns()
        assert spent > 0
        now += spent
        ends.append(now)
        left -= engine.finish(now).size
        engine.check()
    result = engine.result(now, engine.steps, engine.steps)
    assert engine.free_blocks == SMALL.blocks
    assert (result.first_ns > trace.arrival_ns).all() and (result.last_ns >= result.first_ns).all()
    most = 16 * ((trace.n_in + trace.n_out - 1) // 16)
    assert (result.hit <= most).all()
    if tiered:
        assert result.written_chunks > 0
    same = replay(trace, PROFILE, SMALL, tier=tier)
    np.testing.assert_array_equal(same.last_ns, result.last_ns)


def test_one_seat_is_a_sum():
    trace = poisson_trace(12, 5.0, (10, 300), (1, 60), 3)
    config = SchedulerConfig(100, 4096, 1, prefix_caching=False)
    found = replay(trace, PROFILE, config, rounded=False)
    now = 0.0
    for r in range(12):
        now = max(now, trace.arrival_ns[r])
        for j in range(trace.n_out[r]):
            length = trace.n_in[r] + j - 1 if j or trace.n_in[r] == 1 else 0
            now += 5e6 + (0.5e6 * length / 1000 if j else 0)
        assert found.last_ns[r] == pytest.approx(now, rel=1e-12)


def test_enough_blocks_never_preempt_and_few_do():
    trace = poisson_trace(40, 50.0, (50, 400), (50, 300), 1)
    need = int((-(-(trace.n_in + trace.n_out) // 16)).sum())
    config = SchedulerConfig(need, 512, 32, prefix_caching=False)
    assert replay(trace, PROFILE, config).preemptions == 0
    few = replay(trace, PROFILE, replace(config, blocks=80))
    assert few.preemptions > 0 and few.recomputed > 0
    assert few.last_ns.max() > replay(trace, PROFILE, config).last_ns.max()


def test_longer_answers_never_end_earlier():
    ends = [
        replay(Trace(np.array([0]), np.array([100]), np.array([k])), PROFILE, SMALL).end_ns
        for k in (1, 2, 17, 200)
    ]
    assert ends == sorted(ends) and len(set(ends)) == 4


def test_equal_arrivals_may_be_permuted():
    rng = np.random.default_rng(0)
    n_in, n_out = np.full(20, 64), rng.integers(5, 50, 20)
    config = SchedulerConfig(1000, 4096, 64, prefix_caching=False)
    totals = set()
    for k in range(4):
        order = np.random.default_rng(k).permutation(20)
        found = replay(Trace(np.zeros(20, int), n_in, n_out[order]), PROFILE, config)
        totals.add((found.steps, found.end_ns, float(np.sort(found.last_ns).sum())))
    assert len(totals) == 1


def test_prefix_hits_by_hand():
    # 48 tokens in common, then a block of one's own
    trace = Trace(
        np.array([0, 10**9]), np.array([64, 64]), np.array([4, 4]),
        np.array([0, 4, 8]), np.array([0, 1, 2, 3, 0, 1, 2, 9]),
    )  # fmt: skip
    found = replay(trace, PROFILE, SMALL)
    assert found.hit.tolist() == [0, 48]
    assert replay(trace, PROFILE, replace(SMALL, prefix_caching=False)).hit.tolist() == [0, 0]
    same = Trace(
        np.array([0, 10**9]), np.array([64, 64]), np.array([4, 4]),
        np.array([0, 4, 8]), np.array([0, 1, 2, 3, 0, 1, 2, 3]),
    )  # fmt: skip
    # all four blocks are there, but the last token must be computed: 16 floor(63/16)
    assert replay(same, PROFILE, SMALL).hit.tolist() == [0, 48]
    assert infinite_hits(same).tolist() == [0, 48]


def test_a_lower_tier_gives_back_what_the_pool_lost():
    # the second request pushes the first one's blocks out; the third wants them again
    names = [np.arange(8), np.arange(100, 110), np.arange(8)]
    trace = Trace(
        np.array([0, 10**9, 2 * 10**9]), np.array([129, 160, 129]), np.array([2, 2, 2]),
        np.array([0, 8, 18, 26]), np.concatenate(names),
    )  # fmt: skip
    config = SchedulerConfig(11, 256, 4)
    without = replay(trace, PROFILE, config)
    tier = Tier(100, 1e9, 64)
    found = replay(trace, PROFILE, config, tier=tier)
    assert without.hit[2] < 128 and found.hit[2] == 128 and found.tier_hit_tokens > 0
    bytes_back = 131072 * 64 * 2
    late = found.first_ns[2] - trace.arrival_ns[2]
    assert late == pytest.approx(5e6 + bytes_back, rel=0.01)  # a byte a nanosecond
    # each byte that is read costs time: a tier half as fast is twice as late
    slow = replay(trace, PROFILE, config, tier=replace(tier, bytes_per_s=0.5e9))
    assert slow.first_ns[2] - found.first_ns[2] == pytest.approx(bytes_back, rel=1e-6)


def test_priorities_order_the_queue():
    trace = Trace(np.zeros(3, int), np.array([32, 32, 32]), np.array([3, 3, 3]))
    engine = Instance(trace, PROFILE, SchedulerConfig(20, 64, 1, prefix_caching=False))
    for r, priority in ((0, 5.0), (1, 9.0), (2, 1.0)):
        engine.submit(r, priority=priority)
    order, now = [], 0.0
    while len(order) < 3:
        engine.schedule(now)
        now += engine.duration_ns()
        order += engine.finish(now).tolist()
    assert order == [2, 0, 1]
    with pytest.raises(ValueError, match="submitted before"):
        engine.submit(1)
    with pytest.raises(ValueError, match="r = 3"):
        engine.submit(3)


def test_two_instances_share_and_a_wave_waits():
    trace = poisson_trace(30, 40.0, (20, 100), (10, 60), 4)
    config = SchedulerConfig(200, 256, 16, prefix_caching=False)
    make = lambda role="mixed": Instance(trace, PROFILE, config, role=role)  # noqa: E731
    alone = replay(trace, PROFILE, config)
    one = serve_pool([make()])
    np.testing.assert_array_equal(one.last_ns, alone.last_ns)
    two = serve_pool([make(), make()], round_robin())
    assert two.instance.tolist() == [r % 2 for r in range(30)]
    assert two.served().latency_ms.mean() < alone.served().latency_ms.mean()
    balanced = serve_pool([make(), make()], least_loaded())
    assert set(balanced.instance.tolist()) == {0, 1}
    np.testing.assert_array_equal(serve_wave([make()]).last_ns, alone.last_ns)
    with pytest.raises(ValueError, match="used before"):
        used = make()
        serve_pool([used])
        serve_pool([used])
    with pytest.raises(ValueError, match="instances"):
        serve_pool([])


def test_members_of_a_wave_take_as_long_as_the_slowest():
    trace = Trace(np.zeros(2, int), np.array([1000, 10]), np.array([3, 3]))
    make = lambda: Instance(trace, PROFILE, SchedulerConfig(100, 1024))  # noqa: E731
    apart = serve_pool([make(), make()])
    wave = serve_wave([make(), make()])
    assert apart.last_ns[1] < apart.last_ns[0]
    assert wave.last_ns[1] == wave.last_ns[0] == apart.last_ns[0]


def test_prefill_apart_from_decode():
    trace = Trace(np.array([0]), np.array([100]), np.array([3]))
    config = SchedulerConfig(20, 256, 4, prefix_caching=False)
    link = Link(1e9 / 2**30, 0.0)  # a byte a nanosecond
    pair = [Instance(trace, PROFILE, config, role=role) for role in ("prefill", "decode")]
    found = serve_split(pair[:1], pair[1:], link, kv_bytes_per_token=1000, overlap=False)
    assert found.first_ns[0] == pytest.approx(5e6, rel=1e-4)
    # the KV of 100 tokens, then two decodes of 100 and 101 tokens
    by_hand = 5e6 + 100_000 + 2 * 5e6 + 0.5e6 * 0.201
    assert found.last_ns[0] == pytest.approx(by_hand, rel=1e-4)
    pair = [Instance(trace, PROFILE, config, role=role) for role in ("prefill", "decode")]
    sooner = serve_split(pair[:1], pair[1:], link, kv_bytes_per_token=1000)
    assert found.last_ns[0] - sooner.last_ns[0] == pytest.approx(100_000 * 31 / 32, rel=1e-6)
    with pytest.raises(ValueError, match="decode"):
        serve_split(pair[:1], pair[:1], link, kv_bytes_per_token=1000)


def test_a_batch_in_jax_is_the_loop():
    trace = poisson_trace(24, 30.0, (20, 300), (5, 120), 2)
    blocks, seats = np.array([40, 60, 400]), np.array([8, 16, 16])
    many = replay_batch(trace, PROFILE, blocks, max_sequences=seats, budget=256, rate=[1, 2, 1])
    for k, rate in enumerate((1, 2, 1)):
        config = SchedulerConfig(int(blocks[k]), 256, int(seats[k]), prefix_caching=False)
        one = replay(trace.faster(rate), PROFILE, config, rounded=False)
        served = one.served()
        assert many.preemptions[k] == one.preemptions and many.steps[k] == one.steps
        assert many.ttft_ms[k] == pytest.approx(served.cell("TTFT", "mean"), rel=1e-4)
        assert many.tpot_ms[k] == pytest.approx(served.cell("TPOT", "mean"), rel=1e-4)
        assert many.latency_ms[k] == pytest.approx(served.cell("latency", "mean"), rel=1e-4)
        assert many.makespan_s[k] == pytest.approx(served.makespan_s, rel=1e-4)
    assert many.preemptions[0] > 0
    with pytest.raises(ValueError, match="can never fit"):
        replay_batch(trace, PROFILE, 5)
    with pytest.raises(ValueError, match="rate"):
        replay_batch(trace, PROFILE, 100, rate=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"blocks": 0},
        {"blocks": 10, "budget": 0},
        {"blocks": 10, "max_sequences": 0},
        {"blocks": 10.0},
        {"blocks": 10, "gate": 1},
        {"blocks": 10, "chunk_limit": -1},
    ],
)
def test_configurations_are_checked(fields):
    with pytest.raises(ValueError, match=list(fields)[-1]):
        SchedulerConfig(**fields)


def test_what_never_fits_is_told():
    trace = Trace(np.array([0, 1]), np.array([16, 400]), np.array([1, 30]))
    with pytest.raises(ValueError, match="request 1 can never fit, it needs 27 blocks"):
        replay(trace, PROFILE, SchedulerConfig(26))
    with pytest.raises(ValueError, match="request 1 can never fit in a step"):
        replay(trace, PROFILE, SchedulerConfig(100, 200, chunked=False))
    with pytest.raises(ValueError, match="role"):
        Instance(trace, PROFILE, SMALL, role="both")
    engine = Instance(trace, PROFILE, SMALL)
    engine.replay()
    with pytest.raises(ValueError, match="used before"):
        engine.replay()
    with pytest.raises(ValueError, match="tokens"):
        Tier(10, 1e9, 100)
    with pytest.raises(ValueError, match="the budget is 2048"):
        Instance(trace, PROFILE.costs(100, 10), SchedulerConfig(100))
    assert isinstance(PROFILE, LatencyTable)


def test_a_limit_of_chunks_keeps_decodes_moving():
    trace = Trace(np.array([0, 1]), np.array([16, 400]), np.array([40, 2]))
    whole = SchedulerConfig(100, 512, 4, prefix_caching=False)
    parts = replace(whole, chunk_limit=64)
    one, other = (replay(trace, PROFILE, each) for each in (whole, parts))
    assert other.first_ns[1] > one.first_ns[1]
    assert other.steps >= one.steps
