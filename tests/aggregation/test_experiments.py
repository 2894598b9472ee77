"""The chapter's experiments: small runs whose results are right for a reason of their own."""

import math

import numpy as np
import pytest

from quire.aggregation import GGRS, Graph, SettingError, Split, fedavg, regulated, spectral_features
from quire.aggregation.experiments import (
    algebra,
    atlas,
    citations,
    contest,
    heterogeneity,
    invisible,
    outcomes,
    proxies,
    silence,
    stored,
    tasks,
    tuning,
)
from quire.aggregation.peers import pyg

HOW = tasks.Setting(rounds=3, epochs=1, hidden=4)


def outcome(server, draw, **values):
    """An outcome with zeros for what is not given."""
    names = outcomes.Outcome.__dataclass_fields__
    return outcomes.Outcome(
        **{**dict.fromkeys(names, 0.0), "server": server, "draw": draw, **values}
    )


@pytest.fixture(scope="module")
def small():
    """One small run of everything that shares a program."""
    federations = {draw: tasks.MIXED.federation(draw) for draw in (0, 1)}
    servers = contest.field(
        {name: of[1] for name, of in tuning.candidates().items()}
        | {"GGRS": regulated(GGRS(rank=2))}
    )
    few = {name: servers[name] for name in ("FedAvg", "GGRS", contest.STEP_MATCHED)}
    return outcomes.outcomes(federations, few, HOW.network(), HOW.training())


def test_a_run_is_told_by_server_and_draw(small):
    assert [(row.server, row.draw) for row in small[:5]] == [
        (outcomes.ALONE, 0), ("FedAvg", 0), ("GGRS", 0), (contest.STEP_MATCHED, 0),
        (outcomes.ALONE, 1),
    ]  # fmt: skip
    for row in small:
        assert (row.fidelity > 0.999) == (row.server == outcomes.ALONE)
        assert math.isnan(row.coherence) == (row.server == outcomes.ALONE)
        assert 0 <= row.accuracy <= 1 and row.change > 0 and row.centred > 0
        assert (row.confined > 0) == ("FedAvg" != row.server != outcomes.ALONE)
    with pytest.raises(SettingError, match="name = 'speed'"):
        outcomes.measured(small, "speed")


def test_comparisons_are_paired_by_draw(small):
    found = {duel.rival: duel for duel in contest.duels(small, "accuracy", 100.0)}
    assert set(found) == {"FedAvg", contest.STEP_MATCHED}
    values = outcomes.measured(small, "accuracy")
    wanted = 100 * float(np.mean(values["GGRS"] - values["FedAvg"]))
    assert found["FedAvg"].difference == pytest.approx(wanted)
    assert contest.gap(small, "GGRS", "FedAvg", "accuracy")[0] == pytest.approx(wanted / 100)
    assert len(outcomes.standings(small)) == 4


def test_every_method_has_the_same_budget_and_no_setting_twice():
    for method, servers in tuning.candidates().items():
        assert len(servers) == tuning.BUDGET
        assert len({str(server) for server in servers}) == tuning.BUDGET, method
    assert tuning.candidates()["FedAvg"][tuning.BUDGET // 2].averaging.rate == pytest.approx(1)
    assert "no alignment" in tuning.in_words(tuning.candidates()["GGRS"][0])
    assert tuning.in_words(fedavg(0.5)) == "rate 0.5"


def test_chosen_is_the_most_sensitive_setting_that_keeps_accuracy():
    def row(method, place, validation, change, centred=0.0):
        return tuning.Tried("t", method, place, validation, change, centred)

    middle = tuning.BUDGET // 2
    rows = [
        row("FedAvg", middle, 0.7, 1.0), row("FedAvg", 0, 0.695, 1.5), row("FedAvg", 1, 0.68, 9.0),
        row("GGRS", 0, 0.5, 9.0), row("GGRS", 1, 0.6, 2.0),
        row("clipped", 3, 0.7, 1.0, 2.0), row("clipped", 4, 0.7, 2.0, 1.0),
    ]  # fmt: skip
    found = tuning.chosen(rows, "t")
    assert found["FedAvg"].place == 0 and found["GGRS"].place == 1 and found["clipped"].place == 4
    assert tuning.chosen(rows, "t", "centred")["clipped"].place == 3
    with pytest.raises(SettingError, match="task = 'other'"):
        tuning.chosen(rows, "other")
    assert tuning.disagreement(rows, [row("GGRS", 1, 0.6, 2.3)]) == pytest.approx(0.3)


def test_the_contest_has_every_rival_and_each_part_of_ggrs():
    chosen = {name: of[7] for name, of in tuning.candidates().items()}
    field = contest.field(chosen)
    assert len(field) == 14
    for name in ("FedAvg", "FedAvgM", "clipped"):
        server = field[f"{name}, step-matched"]
        assert (server.direction, server.length) == (0.0, 1.0)
        assert server.ggrs == chosen["GGRS"].ggrs
    assert field["sensitivity only"].ggrs.gamma == 1.0


def test_two_definitions_of_silence_can_disagree():
    rows = []
    for draw, shift in enumerate((0.0, 0.1, 0.2, 0.3)):
        rows += [
            outcome("a", draw, accuracy=0.7 + shift, change=2.0 + 0.01 * draw),
            outcome("b", draw, accuracy=0.704 + shift, change=1.9),
            outcome("c", draw, accuracy=0.8 + shift, change=3.0),
            outcome(outcomes.ALONE, draw, accuracy=0.7 + shift, change=9.0),
        ]
    apart = silence.servers_apart(rows)
    assert (apart.one, apart.other, apart.pairs) == ("a", "b", 1)
    assert apart.low < apart.gap < silence.GAP and apart.gap == pytest.approx(0.0571, abs=1e-3)
    same, different = silence.runs_apart(rows)
    assert (same.equal, same.apart) == (4, 0) and different.apart > 0
    assert silence.servers_apart(rows[2:4]).pairs == 0


def test_a_place_of_the_map_helps_trades_or_neither():
    def place(change, accuracy, p):
        low, high = accuracy
        return atlas.Place(0.0, 2, 9, change, change - 0.1, change + 0.1, p, 0.0, 0.0, 0.0, 1.0,
                           sum(accuracy) / 2, low, high, 0.0, 0.0, 0.0)  # fmt: skip

    places = [
        place(0.5, (-0.005, 0.0), 1e-6), place(0.5, (-0.05, -0.02), 1e-6),
        place(0.5, (-0.02, 0.02), 1e-6), place(0.5, (0.0, 0.01), 0.04),
        place(-0.5, (0.0, 0.01), 1e-6),
    ]  # fmt: skip
    assert atlas.judged(places) == ("helps", "trades", "unclear", "helps", "no gain")
    assert set(atlas.judged(places, "centred")) == {"no gain"}
    many = [places[3]] * 3
    assert set(atlas.judged(many)) == {"no gain"}  # 0.04 does not survive three looks


def test_switched_to_full_rank_the_map_is_flat_only_where_nothing_else_acts():
    (one,) = atlas.survey([0.4], [16], 2, 0, HOW)
    assert one.draws == 2 and one.change_low <= one.change <= one.change_high
    assert abs(one.change) < 0.2


def test_the_spread_of_one_mean_is_paired():
    rows, turned = heterogeneity.along([(0.5, 0.0), (0.5, 0.8)], 2, 0, HOW)
    values = {(row.spread, row.measure): row.value for row in rows}
    for row in turned:
        wanted = values[0.8, row.measure] - values[0.0, row.measure]
        assert row.difference == pytest.approx(wanted, abs=1e-9)
    assert heterogeneity.unrelated(4) == 0.5


def test_the_least_direction_of_a_sum_zero_kernel_is_all_ones():
    found = invisible.least_direction({d: tasks.MIXED.federation(d) for d in (0, 1)}, HOW)
    assert 0.5 < found.cosine.mean <= 1 and 0 <= found.energy < 0.25


def test_identities_hold_and_would_not_for_another_operator():
    federation = tasks.MIXED.federation(0)
    found = algebra.identities(federation, 0.3, 0.5, 1)
    assert found.norm < 1e-6 and found.factors < 1e-6 and found.outside == 0
    assert 0.95 < found.excess <= 1.001


def test_proxies_agree_where_nothing_has_to_be_turned():
    some = {draw: tasks.MIXED.federation(draw) for draw in (0, 1)}
    rows = proxies.aligned_servers(some, HOW, -0.9)
    values = outcomes.measured(rows, "accuracy")
    for name in ("weights", "product", "probe", "jacobian"):
        assert np.allclose(values[name], values[proxies.NONE])
    for row in proxies.rankings(some, HOW):
        assert -1 <= row.correlation <= 1


def test_unseen_rows_fall_by_full_steps_only_with_coupled_decay():
    left = citations.unseen_rows(40, HOW, 0)
    assert left["adam_l2"] < 0.95 * left["adamw"]


def test_a_federation_of_two_domains_has_features_of_one_width():
    rng = np.random.default_rng(0)
    graphs = []
    for classes, words in ((2, 30), (3, 50)):
        owner = np.repeat(np.arange(24), 8)
        edges = np.array([(i, j) for i in range(192) for j in range(i + 1, i + 4)
                          if j < 192 and owner[i] == owner[j]])  # fmt: skip
        words_of = (rng.random((192, words)) < 0.3).astype(float)
        graphs.append(Graph(edges, words_of, rng.integers(classes, size=192), classes))
    cut = tasks.cut_domains(graphs, 2, 6)
    found, other = cut.federation(5), cut.federation(6)
    assert np.array_equal(found.features, other.features)
    assert not np.array_equal(found.train, other.train)
    assert found.clients == 4 and found.features.shape[-1] == 6 and found.classes == 3
    assert spectral_features(graphs[0].features, 6).shape == (192, 6)


def test_orthogonal_updates_of_unequal_clients():
    splits = [Split(np.arange(n), np.arange(0), np.arange(0)) for n in (30, 10)]
    assert citations.orthogonal(splits) == pytest.approx(1 - math.sqrt(0.75**2 + 0.25**2))


def test_what_is_stored_is_read_back():
    place = atlas.Place(0.2, 3, 40, *map(float, range(14)))
    row = tuning.Tried("mixed", "GGRS", 3, 0.1, 0.2, 0.3)
    kept = {"setting": {**vars(HOW)}, "rows": [[*vars(row).values()]]}
    assert stored.sweep_of(kept) == (row,) and stored.fits(kept, HOW)
    assert not stored.fits(kept, tasks.Setting())
    assert stored.map_of({"rows": [[*vars(place).values()]]}) == (place,)
    kept = stored.measure_published([citations.Published("x", 0.1, 0.0, 0.2, 0.15)])
    assert stored.published_of(kept)["x"].published == 0.15


def test_a_layer_here_is_the_matrix_formula():
    federation = tasks.MIXED.federation(1)
    request, arrays = pyg.layer(federation, 2, 3, 0)
    operator = np.asarray(outcomes_operator(federation))[2]
    wanted = operator @ arrays["features"] @ arrays["weight"] + arrays["bias"]
    assert request["call"] == "gcn_layer"
    assert np.allclose(pyg.layer_here(arrays)["output"], wanted, atol=1e-5)


def outcomes_operator(federation):
    from quire.aggregation import clients_of

    return clients_of(federation).operator


def test_without_clients_alone_the_other_numbers_stay(small):
    federations = {draw: tasks.MIXED.federation(draw) for draw in (0, 1)}
    rows = outcomes.outcomes(
        federations, {"FedAvg": fedavg()}, HOW.network(), HOW.training(), alone=False
    )
    wanted = [row for row in small if row.server == "FedAvg"]
    for one, other in zip(rows, wanted, strict=True):
        assert (one.server, one.draw) == ("FedAvg", other.draw) and math.isnan(one.fidelity)
        for name in ("accuracy", "change", "centred", "coherence", "conflict"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-5), name
