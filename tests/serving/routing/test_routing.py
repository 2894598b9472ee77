"""Routers, rules, caps, cascades and bandits on cases that can be worked out."""

from collections import OrderedDict

import numpy as np
import pytest

import quire.serving.routing as routing
from quire.serving.routing import (
    Cap,
    Replicas,
    Rule,
    Session,
    TokenEstimator,
    World,
    affinity_bonus,
    cap_share,
    cascade,
    conflicts,
    draw_queries,
    estimates,
    firing_probability,
    learn,
    model_world,
    overlap,
    replay_router,
    softmax_fires,
    unreachable,
)


def random_trace(n=600, seed=1):
    """Requests of conversations: each names a prefix of its conversation's blocks."""
    rng = np.random.default_rng(seed)
    names, start, n_in = [], [0], []
    turns: dict[int, int] = {}
    for _ in range(n):
        c = int(rng.integers(30))
        turns[c] = min(turns.get(c, 0) + int(rng.integers(1, 3)), 12)
        names.extend(c * 20 + k for k in range(turns[c]))
        start.append(len(names))
        n_in.append(turns[c] * 512 - int(rng.integers(512)))
    at = np.cumsum(rng.exponential(0.05, n))
    return at, np.array(n_in), rng.integers(1, 200, n), np.array(start), np.array(names)


def in_python(at, n_in, n_out, start, names, servers, policy, prefix, load, switch):
    caches = [OrderedDict() for _ in range(servers.count)]
    free = np.full(servers.count, at[0])
    rows = []
    for r, now in enumerate(at):
        own = names[start[r] : start[r + 1]]

        def found(i, own=own, r=r):
            k = 0
            while k < own.size and own[k] in caches[i]:
                k += 1
            return min(k * 512, n_in[r] - 1)

        order = sorted(range(servers.count), key=lambda i: (free[i], i))
        least = order[0]
        back = np.maximum(free - now, 0)
        if policy == "round robin":
            i = r % servers.count
        elif policy == "least loaded" or back.max() - back.min() > switch:
            i = least
        else:
            tries = [(least + k) % servers.count for k in range(servers.count)]
            i = max(tries, key=lambda i: prefix * found(i) / n_in[r] - load * back[i])
        hit = found(i)
        for name in own[: servers.cache_blocks][::-1]:
            if name in caches[i]:
                caches[i].move_to_end(name)
            else:
                if len(caches[i]) == servers.cache_blocks:
                    caches[i].popitem(last=False)
                caches[i][name] = True
        work = servers.fixed_s + (n_in[r] - hit) * servers.prompt_s
        begin = max(free[i], now)
        free[i] = begin + work + n_out[r] * servers.answer_s
        rows.append((i, hit, begin + work - now))
    return [np.array(c) for c in zip(*rows, strict=True)]


@pytest.mark.parametrize("policy", ["round robin", "least loaded", "prefix affinity"])
@pytest.mark.parametrize("cache", [8, 60, 10_000])
def test_routers_are_those_of_plain_python(policy, cache):
    trace, servers = random_trace(), Replicas(3, cache)
    told = replay_router(*trace, servers, policy, prefix_weight=1.0, load_weight=0.4, switch_s=1.5)
    replica, hit, ttft = in_python(*trace, servers, policy, 1.0, 0.4, 1.5)
    assert (told.replica == replica).all() and (told.hit_tokens == hit).all()
    assert np.allclose(told.ttft_s, ttft)
    assert told.hit_rate == pytest.approx(hit.sum() / trace[1].sum())
    work = 0.01 + (trace[1] - hit) * servers.prompt_s + trace[2] * servers.answer_s
    assert told.busy_s.sum() == pytest.approx(work.sum())


def test_sticky_keeps_conversations_and_random_does_not():
    trace, servers = random_trace(), Replicas(4, 10_000)
    first = trace[4][trace[3][:-1]]
    told = replay_router(*trace, servers, "sticky", seed=3)
    for name in np.unique(first):
        assert np.unique(told.replica[first == name]).size == 1
    loose = replay_router(*trace, servers, "random", seed=3)
    assert told.hit_rate > loose.hit_rate
    empty = replay_router(*trace, Replicas(4, 0), "prefix affinity")
    assert empty.hit_rate == 0
    least = replay_router(*trace, Replicas(4, 0), "least loaded")
    assert (empty.replica == least.replica).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"policy": "best"}, "policy = 'best'"),
        ({"switch_s": -1.0}, "switch_s"),
        ({"switch_s": np.nan}, "switch_s"),
        ({"load_weight": -1}, "load_weight"),
        ({"n_in": np.array([1, 2])}, "n_in"),
        ({"arrival_s": np.arange(600)[::-1]}, "falls"),
        ({"block_start": np.zeros(601, int)}, "block_start"),
    ],
    ids=range(7),
)
def test_bad_routes_are_refused(change, told):
    names = ("arrival_s", "n_in", "n_out", "block_start", "blocks")
    given = dict(zip(names, random_trace(), strict=True))
    given |= {"replicas": Replicas(2, 4), "policy": "round robin", **change}
    with pytest.raises(ValueError, match=told):
        replay_router(**given)
    with pytest.raises(ValueError, match="count"):
        Replicas(0, 4)


def test_affinity_is_bounded_and_pulls_the_right_way():
    warm = Session(1.0, 8000, 9, True, used=0.1)
    assert 0 < affinity_bonus(warm, 0.0) <= 0.14
    assert affinity_bonus(Session(1.0, 8000, 9, False, used=0.1), 0.0) < 0
    assert affinity_bonus(warm, 0.2) == 0 == affinity_bonus(Session(0, 0, 0, True), 0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        s = Session(rng.random(), rng.random() * 9000, rng.random() * 8, rng.random() < 0.5,
                    rng.random() < 0.5, rng.random() * 2)  # fmt: skip
        assert abs(affinity_bonus(s, rng.random() * 0.3)) <= 0.14
    # by hand: w = .45*.5 + .3*.5 + .25*.5 = .5; gap .1 halves; fit unknown .5
    told = affinity_bonus(Session(0.5, 2048, 2, True), 0.1)
    sure = 0.15 + 0.175 + 0.1 + 0.075 + 0.075 + 0.15
    pull = np.tanh(0.5 + 0.35 * 0.5 + 0.15 * 0.5)
    assert told == pytest.approx(0.14 * 0.5 * 0.5 * sure * pull)
    for fit, used in ((1.0, 0.5), (0.7, 0.75), (0.3, 1.0), (0.0, 1.01), (0.5, None)):
        assert Session(0, 0, 0, True, used=used).fit == fit
    with pytest.raises(ValueError, match="reuse"):
        Session(1.5, 0, 0, True)


def test_estimator_learns_each_category():
    known = TokenEstimator(4.0, 0.5)
    assert known.estimate(400, 10, "code") == 110
    known.observe(300, 150, "code")
    assert known.ratios["code"] == 3.0 and known.estimate(300, 0, "code") == 100
    assert known.estimate(300, 0, "prose") == 75
    told = estimates([40.0, 40.0], [20.0, 20.0], [1, 1], ["a", "a"], rate=0.5)
    assert told.tolist() == [11.0, pytest.approx(40 / 3 + 1)]
    assert estimates([40.0, 40.0], [20.0, 20.0], [1, 1], ["a", "a"], rate=0).tolist() == [11, 11]
    with pytest.raises(ValueError, match="one length"):
        estimates([1.0], [1.0, 2.0], [1.0], ["a"])
    with pytest.raises(ValueError, match="ratio"):
        TokenEstimator(0)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda e: e.observe(1e15, 1e-300), r"^size / tokens = 1e\+315|^size / tokens = inf"),
        (lambda e: e.observe(1e300, 1), "^size = 1e\\+300: must be 1e15 or less"),
        (lambda e: e.observe(1, 10**400), "^tokens = an integer beyond 1e308"),
        (lambda e: e.estimate(10**16, 1), "^size = 1e\\+16"),
        (lambda e: e.estimate(1, 1e16), "^answer = 1e\\+16"),
        (lambda e: TokenEstimator(1e-320), "^ratio = 1e-320"),
        (lambda e: estimates([1e300], [1.0], [1.0], ["a"]), "^size = 1e\\+300"),
    ],
    ids=["ratio", "size", "integer", "bytes", "answer", "first", "array"],
)
def test_estimators_refuse_what_would_overflow(call, told):
    known = TokenEstimator()
    with pytest.raises(ValueError, match=told):
        call(known)
    assert not known.ratios and known.estimate(4e15 / 4, 0) == 2.5e14


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"exploration": 1e300}, "exploration"),
        ({"ridge": 1e-320}, "ridge"),
        ({"discount": 1e-300}, "discount"),
        ({"ridge": 10**400}, "ridge"),
    ],
    ids=["exploration", "ridge", "discount", "integer"],
)
def test_learning_refuses_what_would_overflow(change, told):
    x = np.ones((50, 2))
    with pytest.raises(ValueError, match=told):
        learn(World(x, x), "linucb", **change)
    for given, name in (({"context": 1e200 * x, "mean": x}, "context"),
                        ({"context": x, "mean": -1e200 * x}, "mean"),
                        ({"context": x, "mean": x, "noise": 1e200}, "noise")):  # fmt: skip
        with pytest.raises(ValueError, match=name):
            World(**given)
    with pytest.raises(ValueError, match="price"):
        model_world(10, 1, price=1e300)


def test_learning_at_the_largest_numbers_allowed_stays_finite():
    x = np.random.default_rng(1).normal(size=(60, 2)) * 1e8
    for policy in ("linucb", "thompson", "greedy"):
        told = learn(World(x, x, 1e9), policy, exploration=1e9, ridge=1e-9, discount=1e-9, seed=1)
        assert np.isfinite(told.regret).all()


def test_rules_conflict_exactly_where_enumeration_says():
    rng = np.random.default_rng(4)
    signals = [f"s{k}" for k in range(6)]
    exclusive = [{"s0", "s1", "s2"}]
    for _ in range(30):
        rules = []
        for k in range(5):
            state = rng.integers(-1, 2, 6)
            rules.append(
                Rule(
                    f"r{k}",
                    frozenset(s for s, v in zip(signals, state, strict=True) if v > 0),
                    frozenset(s for s, v in zip(signals, state, strict=True) if v < 0),
                    f"m{rng.integers(3)}",
                    int(rng.integers(2)),
                )
            )
        worlds = [
            {s for k, s in enumerate(signals) if bits >> k & 1}
            for bits in range(64)
            if (bits & 7).bit_count() <= 1
        ]
        wanted = {
            (a.name, b.name)
            for i, a in enumerate(rules)
            for b in rules[i + 1 :]
            if a.priority == b.priority
            and a.model != b.model
            and any(a.fires(w) and b.fires(w) for w in worlds)
        }
        told = conflicts(rules, exclusive)
        assert {(c.first, c.second) for c in told} == wanted
        by_name = {r.name: r for r in rules}
        for c in told:
            assert by_name[c.first].fires(c.witness) and by_name[c.second].fires(c.witness)
        for name in unreachable(rules, exclusive):
            rule = by_name[name]
            for w in worlds:
                assert not rule.fires(w) or any(
                    o.priority > rule.priority and o.fires(w) for o in rules
                )


def test_rules_are_refused_where_they_make_no_sense():
    with pytest.raises(ValueError, match="needs and forbids"):
        Rule("x", frozenset({"a"}), frozenset({"a"}), "m")
    with pytest.raises(ValueError, match="set of names"):
        Rule("x", "abc", frozenset(), "m")
    for wrong in (None, 3, [1], [None], {"a": 1}.items()):
        with pytest.raises(ValueError, match=r"^needs = "):
            Rule("x", wrong, frozenset(), "m")
        with pytest.raises(ValueError, match=r"^forbids = "):
            Rule("x", frozenset(), wrong, "m")
        with pytest.raises(ValueError, match=r"^signals = "):
            Rule("x", frozenset(), frozenset(), "m").fires(wrong)
        with pytest.raises(ValueError, match=r"^exclusive = "):
            conflicts([], [wrong])
    one = Rule("x", frozenset(), frozenset(), "m")
    with pytest.raises(ValueError, match="same name"):
        conflicts([one, one])
    higher = Rule("y", frozenset(), frozenset(), "n", 1)
    assert unreachable([one, higher]) == ["x"] and not conflicts([one, higher])


def axis(d, k):
    return np.eye(d)[k]


def test_caps_overlap_by_their_angles():
    a = Cap(axis(3, 0), np.cos(0.5))
    for angle, wanted in ((0.9, True), (1.1, False)):
        b = Cap(np.cos(angle) * axis(3, 0) + np.sin(angle) * axis(3, 1), np.cos(0.5))
        assert overlap(a, b) is wanted
    assert cap_share(3, 0.0) == 0.5 and cap_share(3, 0.4) == pytest.approx(0.3)  # Archimedes
    assert cap_share(5, 1) == 0 and cap_share(5, -1) == 1
    for wrong in (1.2, -1.2, np.nan):
        with pytest.raises(ValueError, match="threshold"):
            cap_share(5, wrong)
        with pytest.raises(ValueError, match="threshold"):
            Cap(axis(3, 0), wrong)
    with pytest.raises(ValueError, match="unit vector"):
        Cap(np.array([1.0, 1.0, 0.0]), 0.5)
    with pytest.raises(ValueError, match="must be alike"):
        overlap(a, Cap(axis(4, 0), 0.5))


@pytest.mark.parametrize(("d", "kappa"), [(3, 0.0), (5, 0.0), (5, 4.0), (40, 30.0)])
def test_firing_probabilities_are_those_of_draws(d, kappa):
    mean = axis(d, 0) + 0.5 * axis(d, 1) + 0.3 * axis(d, 2)
    mean /= np.linalg.norm(mean)
    a = Cap(axis(d, 0), 0.3)
    b = Cap((axis(d, 0) + 2 * axis(d, 1)) / np.sqrt(5), 0.25)
    drawn = draw_queries(mean, kappa, 200_000, 7)
    fires = [drawn @ c.centre >= c.threshold for c in (a, b)]
    for wanted, got in (
        (firing_probability(a, b, mean, kappa), (fires[0] & fires[1]).mean()),
        (firing_probability(a, None, mean, kappa), fires[0].mean()),
    ):
        assert abs(wanted - got) < 4 * np.sqrt(wanted * (1 - wanted) / 200_000)
    if kappa == 0:
        assert firing_probability(a) == pytest.approx(cap_share(d, 0.3), rel=1e-4)
    with pytest.raises(ValueError, match="direction"):
        firing_probability(a, b, None, 3.0)


def test_softmax_lets_one_fire_at_most_from_one_half_on():
    queries = draw_queries(axis(20, 0), 0.0, 5000, 1)
    centres = draw_queries(axis(20, 0), 0.0, 4, 2)
    for temperature in (0.01, 0.1, 1.0):
        assert softmax_fires(queries, centres, temperature).sum(axis=1).max() <= 1
    assert softmax_fires(queries, centres, 0.3, 0.3).sum(axis=1).max() > 1
    cold = softmax_fires(queries, centres, 1e-3)
    best = (queries @ centres.T).argmax(axis=1)
    sure = cold.any(axis=1)
    assert sure.mean() > 0.95 and (cold[sure].argmax(axis=1) == best[sure]).all()


def test_cascade_by_hand():
    told = cascade([0.9, 0.2, 0.5], [1, 0, 1], [1, 1, 0], 1.0, 10.0)
    assert told.escalated.tolist() == [0, 1 / 3, 2 / 3, 1]
    assert told.quality.tolist() == pytest.approx([2 / 3, 1, 2 / 3, 2 / 3])
    assert told.cost.tolist() == pytest.approx([1, 1 + 10 / 3, 1 + 20 / 3, 11])
    assert told.best(0.0) == 1 and told.best(1.0) == 0
    tied = cascade([0.5, 0.5], [0, 0], [1, 1], 1, 1)
    assert tied.escalated.tolist() == [0, 1]
    with pytest.raises(ValueError, match="one length"):
        cascade([0.5], [0, 1], [1, 1], 1, 1)


def test_bandits_learn_a_linear_world():
    rng = np.random.default_rng(0)
    context = np.column_stack([np.ones(3000), rng.normal(size=(3000, 2))])
    world = World(context, context @ np.array([[0.5, 1, 0], [0.5, -1, 0], [0.2, 0, 1]]).T, 0.1)
    regret = {
        name: learn(world, name, exploration=0.2, seed=1).regret
        for name in ("linucb", "thompson", "greedy", "random", "oracle", "fixed")
    }
    assert regret["oracle"][-1] == 0
    for name in ("linucb", "thompson"):
        assert regret[name][-1] < 0.12 * regret["random"][-1]
        assert regret[name][-1] - regret[name][1500] < 0.9 * regret[name][1500]
    assert regret["greedy"][-1] < regret["random"][-1]
    late = learn(world, "linucb", exploration=0.2, delay=500, seed=1).regret[-1]
    assert late > regret["linucb"][-1]
    for wrong in ({"discount": 1.5}, {"discount": 0}, {"delay": -1}, {"arm": 3}, {"ridge": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            learn(world, "linucb", **wrong)
    with pytest.raises(ValueError, match="policy"):
        learn(world, "ucb")
    changed, same = model_world(400, 1), model_world(400, 1, change=False)
    assert (changed.mean[:200] == same.mean[:200]).all()
    assert (changed.mean[200:, 1] < same.mean[200:, 1]).any()


def test_the_example_of_the_package_runs():
    text = routing.__doc__.split("::\n", 1)[1].split("\nRead in")[0]
    names: dict[str, object] = {}
    lines = [line[4:] for line in text.splitlines() if line.strip()]
    exec("\n".join([*lines[:-1], "rate = " + lines[-1]]), names)
    assert names["rate"] > 0.5


def test_names_of_blocks_may_be_hashes_of_64_bits():
    at, tokens, start = np.arange(3) * 0.1, np.full(3, 100), np.arange(4)
    servers = Replicas(count=2, cache_blocks=10)
    found = [
        replay_router(at, tokens, tokens, start, names, servers, "prefix affinity").hit_tokens
        for names in (np.array([1, 0, 1]), np.array([2**63 + 1, 3, 2**63 + 1], np.uint64))
    ]
    assert found[0].tolist() == found[1].tolist() == [0, 0, 99]
