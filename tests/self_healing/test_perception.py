"""Templates: metrics, masks, the inducer, noise, retrieval and the routes."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.self_healing import (
    Perception,
    add_noise,
    fit_vectoriser,
    grouping_accuracy,
    induce,
    lexical_score,
    loose_template,
    mask,
    normalise_template,
    parsing_accuracy,
    read_log,
    route_counts,
    score,
    similarities,
    strip_header,
)
from quire.self_healing.peers import drain3, rapidfuzz, scikit_learn
from quire.self_healing.perception import masking
from quire.self_healing.perception.metrics import repaired
from quire.self_healing.perception.noise import PACKS

labels = st.lists(st.integers(0, 4), min_size=1, max_size=30)
lines = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40)

TABLE = "LineId,Content,EventId,EventTemplate\n1,job 4 done,E1,job <*> done\n2,idle,E2,idle\n"


@settings(max_examples=60)
@given(labels, st.permutations(range(5)))
def test_grouping_accuracy_looks_at_partitions_alone(groups: list[int], names: list[int]) -> None:
    true = [k % 3 for k in range(len(groups))]
    value = grouping_accuracy(groups, true)
    assert 0 <= value <= 1
    assert value == grouping_accuracy([names[g] for g in groups], true)
    same = {(a, b) for a, b in zip(groups, true, strict=True)}
    equal = len(same) == len(set(groups)) == len(set(true))
    assert (value == 1) == equal


def test_each_metric_by_hand() -> None:
    # three true templates; b is split in two, c is grouped and written right, a's text is wrong
    true = ["a", "a", "b", "b", "c"]
    texts = ["a <*>", "a <*>", "b x", "b y", "c <*>"]
    found = score([0, 0, 1, 2, 3], ["a", "a", "b x", "b y", "c <*>"], true,
                  ["a <*>", "a <*>", "b <*>", "b <*>", "c <*>"])  # fmt: skip
    assert found.ga == pytest.approx(3 / 5)
    assert found.pa == pytest.approx(1 / 5)
    assert found.fga == pytest.approx(2 * 2 / (4 + 3))
    assert found.fta == pytest.approx(2 * 1 / (4 + 3))
    assert (found.found, found.true) == (4, 3)
    assert parsing_accuracy(texts, texts) == 1


@settings(max_examples=80)
@given(st.text(alphabet="ab <*>[]_.", max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_template(text)
    assert normalise_template(once) == once
    assert loose_template(loose_template(text)) == loose_template(text)


def test_loghubs_two_wildcards_are_one() -> None:
    assert normalise_template("[*]Served block[*]to[*]") == "<*>Served block<*>to<*>"
    assert normalise_template("got  <*> <*>") == "got <*>"
    assert loose_template("Served <*>: OK!") == "served var ok"


def test_repair_takes_the_majority_of_the_first_half() -> None:
    fixed = repaired([0, 0, 1, 0, 1, 2], ["x"] * 6, ["A", "A", "B", "?", "?", "?"])
    assert fixed == ["A", "B", "x"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("src: /10.250.19.102:54106 size 67108864", "src: /<*>:<*> size <*>"),
        ("Received block blk_-1608999687919862906", "Received block blk_<*>"),
        ("up on node-17 in 20ms", "up on node-<*> in <*>ms"),
        ("at Sat Jul  9 11:35:59 2005", "at <*>"),
        ("free 0.0 B of 1.5 MB", "free <*> of <*>"),
        ("flags 0x1f read /var/log/messages", "flags <*> read <*>"),
        ("nothing to do", "nothing to do"),
        ("from 1.2.3.4 () call()", "from <*> (<*>) call()"),
        ("to bob.b@mail.example.org failed", "to <*> failed"),
        ("at Worker.java:17 by gate.example.com:443", "at Worker.java:<*> by <*>:<*>"),
        ("from fe80::1a2b:ff:fe9d:467f%en0 or ::1", "from <*> or <*>"),
        ("Camera::wake, Brcm43xx::sync", "Camera::wake, Brcm<*>::sync"),
        ("BSSID is 5c:50:15:4c:18:1c", "BSSID is <*>"),
        ("since 2017-07-04T12:00:01.5Z and 04/Jul/2017:12:00:01 +0200", "since <*> and <*>"),
        ("lifetime <1 sec", "lifetime <*>"),
        ("lifetime 00:01", "lifetime <*>"),
        ("steps = 1514038440000##6993##548365", "steps = <*>##<*>##<*>"),
        ("", ""),
    ],
)
def test_masks(text: str, masked: str) -> None:
    assert mask(text) == masked


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from([*"0a7F:./-@<>()TB ", "://", "::", "May", "ms", "\u0663"]), max_size=24
    )
)
def test_looking_for_marks_first_changes_no_mask(parts: list[str]) -> None:
    text = "".join(parts)
    plain = text
    for _, pattern in masking.GENERAL:
        plain = pattern.sub("<*>", plain)
    assert mask(text) == masking._INNER.sub(masking._shorten, plain)


@pytest.mark.parametrize("text", [None, 3, b"bytes"])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        mask(text)
    with pytest.raises(ValueError, match="must be"):
        read_log("HDFS", text)


def test_lines_of_a_proxy_and_of_a_step_counter_are_grouped() -> None:
    """Lines in public styles, invented: hosts, sizes, durations and packed values vary."""
    hosts = ["gate.example.edu.hk:5070", "www.shop.com:80", "10.1.2.3:443"]
    times = ["00:01", "<1 sec", "01:02:13"]
    contents = [
        f"{host} close, {k} bytes sent, {3 * k} bytes received, lifetime {time}"
        for k, host in enumerate(hosts * 4)
        for time in times
    ]
    contents += [f"{host} open through proxy gate.example.edu.hk:5070 HTTPS" for host in hosts * 3]
    contents += [f"setSteps={15140384 + k}##{k}##{548365 - k}##8661" for k in range(20)]
    contents += [f"onExtend:{15140385 + k} {k} 0 4" for k in range(20)]
    true = [0] * 36 + [1] * 9 + [2] * 20 + [3] * 20
    assert grouping_accuracy(induce(contents).groups, true) == 1


@settings(max_examples=60)
@given(st.lists(lines, min_size=1, max_size=12))
def test_the_inducer_takes_any_text(contents: list[str]) -> None:
    parse = induce(contents)
    assert len(parse.groups) == len(contents)
    assert set(parse.groups) == set(range(len(parse.templates)))
    by_text: dict[str, int] = {}
    for text, group in zip(contents, parse.groups, strict=True):
        assert by_text.setdefault(text, group) == group


def test_the_inducer_on_invented_lines() -> None:
    users = ["root", "news", "cyrus", "test", "lp", "www", "mail"]
    contents = [f"session opened for user {users[k % 7]} by (uid={k})" for k in range(70)]
    contents += [f"session closed for user {users[k % 7]}" for k in range(70)]
    contents += [f"disk {k} failed on node-{k % 9}" for k in range(40)]
    contents += ["power supply lost"] * 5
    parse = induce(contents)
    true = [0] * 70 + [1] * 70 + [2] * 40 + [3] * 5
    assert grouping_accuracy(parse.groups, true) == 1
    assert "session opened for user <*> by (uid=<*>)" in parse.templates
    assert "disk <*> failed on node-<*>" in parse.templates
    order = np.random.default_rng(0).permutation(len(contents))
    again = induce([contents[k] for k in order])
    assert set(again.templates) == set(parse.templates)


def test_a_million_character_line_is_parsed() -> None:
    assert induce(["x" * 200_000, "a b " * 20_000]).templates


@pytest.mark.parametrize("contents", [[], "one text", [1], [None], 3, ["a", float("nan")]])
def test_the_inducer_refuses(contents: object) -> None:
    with pytest.raises(ValueError, match="contents"):
        induce(contents)  # type: ignore[arg-type]


def test_drain3_runs_the_benchmark() -> None:
    contents = [f"Received block blk_{k} of size {k}" for k in range(30)] + ["idle"] * 3
    parse = drain3.drain("HDFS", contents)
    assert len(set(parse.groups[:30])) == 1
    assert parse.templates[parse.groups[0]] == "Received block <*> of size <*>"
    with pytest.raises(ValueError, match="system"):
        drain3.drain("VMS", contents)


def test_a_table_is_read_and_a_torn_one_refused() -> None:
    log = read_log("HDFS", TABLE)
    assert log.contents == ("job 4 done", "idle")
    assert log.templates == ("job <*> done", "idle")
    assert len(log) == 2
    for text, words in (
        (TABLE.replace("EventTemplate", "Template"), "column EventTemplate"),
        (TABLE.splitlines()[0] + "\n", "without a line"),
        ("", "column Content"),
        (TABLE + "3,torn\n", "row 4"),
        (TABLE + '3,"open\n', "row"),
    ):
        with pytest.raises(ValueError, match=words):
            read_log("HDFS", text)
    with pytest.raises(ValueError, match="system = 'VMS'"):
        read_log("VMS", TABLE)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "081111 081029 24268 INFO dfs.DataNode$PacketResponder: Received block 1",
            "Received block 1",
        ),
        ("2015-10-17 15:45:29,587 INFO [Thread #1] org.apache.ipc.Client: Retrying", "Retrying"),
        (
            "n.log 2017-05-16 00:12:02.514 293 INFO nova.virt.driver [req-1 a -] [instance: x] Up",
            "[instance: x] Up",
        ),
        ("no header here", "no header here"),
    ],
)
def test_headers_are_stripped(line: str, message: str) -> None:
    assert strip_header(line) == message


@settings(max_examples=60)
@given(st.sampled_from(sorted(PACKS)), lines, st.floats(0, 1), st.integers(0, 9))
def test_noise_is_repeatable_and_keeps_digits(
    system: str, text: str, level: float, seed: int
) -> None:
    noisy = add_noise(system, text, level, seed)
    assert noisy == add_noise(system, text, level, seed)
    assert add_noise(system, text, 0.0, seed) == text
    assert re.sub(r"\D", "", noisy) == re.sub(r"\D", "", text)


def test_noise_changes_more_lines_at_higher_levels() -> None:
    texts = [f"Received block blk_{k} of size {k} from PacketResponder" for k in range(200)]
    changed = [sum(add_noise("HDFS", t, level) != t for t in texts) for level in (0.2, 0.6, 1.0)]
    assert changed[0] < changed[1] < changed[2] == 200


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan"), float("inf"), "1", True])
def test_noise_refuses_a_level(level: object) -> None:
    with pytest.raises(ValueError, match="level"):
        add_noise("HDFS", "x", level)  # type: ignore[arg-type]


def test_similarities_are_those_of_scikit_learn() -> None:
    texts = ["block received from node", "block sent to node", "disk full", "Disk  full again 12"]
    np.testing.assert_allclose(similarities(texts), scikit_learn.similarities(texts), atol=1e-12)
    assert fit_vectoriser(texts).vectors(["", "zzz"]).nnz == 0


def test_the_papers_score_and_rapidfuzz() -> None:
    assert lexical_score("job 12 done", "job 7 done") == 1.0
    assert lexical_score("", "") == 1.0
    assert lexical_score("abc", "xyz") == 0.0
    assert rapidfuzz.ratios(["abcd"], ["abcd", "bcda", "zz"])[0].tolist() == [1.0, 0.75, 0.0]


@pytest.mark.parametrize("method", ["tfidf", "lexical"])
def test_three_routes(method: str) -> None:
    perception = Perception(
        ["disk 7 failed on node-3", "job 4 done"], ["disk <*> failed on <*>", "job <*> done"],
        method=method,
    )  # fmt: skip
    asked = [
        "disk 8 failed on node-4",
        "disk 9 failed on node-4",
        "cold boot of rack 5",
        "job 9 done",
    ]
    found = perception.perceive(asked)
    assert [item.route for item in found] == ["reference", "cache", "induced", "reference"]
    assert found[0].template == found[1].template == "disk <*> failed on <*>"
    assert found[2].template == "cold boot of rack <*>"
    assert route_counts(found) == {"cache": 1, "reference": 2, "induced": 1}
    assert perception.perceive(asked)[2].route == "cache"
    assert Perception([], []).perceive(["a 1"])[0].route == "induced"


def test_perception_refuses() -> None:
    for references, templates, rest in (
        (["a"], [], {}), (["a"], ["b"], {"theta": 1.5}), (["a"], ["b"], {"theta": float("nan")}),
        (["a"], ["b"], {"method": "llm"}), ([1], ["b"], {}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="="):
            Perception(references, templates, **rest)  # type: ignore[arg-type]
