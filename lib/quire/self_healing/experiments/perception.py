"""From lines to templates: parsers on Loghub's systems, and what noise does to them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quire.self_healing.experiments.intervals import mean_interval
from quire.self_healing.peers.drain3 import drain
from quire.self_healing.perception.induction import Parse, induce
from quire.self_healing.perception.metrics import loose_template, repaired, score
from quire.self_healing.perception.noise import add_noise
from quire.self_healing.perception.readers import Log
from quire.self_healing.perception.routes import Perception, route_counts

# Zhu et al., Tools and Benchmarks for Automated Log Parsing (ICSE-SEIP 2019), as logparser has it.
PUBLISHED_GA = {
    "HDFS": 0.9975, "Hadoop": 0.9475, "OpenStack": 0.7325, "BGL": 0.9625, "Spark": 0.92,
    "Zookeeper": 0.9665, "HPC": 0.887, "Thunderbird": 0.955, "Windows": 0.997, "Linux": 0.69,
    "HealthApp": 0.78, "Apache": 1.0, "Proxifier": 0.5265, "OpenSSH": 0.7875, "Mac": 0.7865,
    "Android": 0.911,
}  # fmt: skip


@dataclass(frozen=True)
class ParseRow:
    """One parser on one system.

    Attributes
    ----------
    system, parser
        Which.
    ga, pa, fga, fta
        The four metrics.
    repaired_pa
        PA on the second half, each group's template replaced by the truth's majority in the first.
    constant_pa
        PA of the constant answer: the most frequent true template for every line.
    found, true
        Number of templates.
    """

    system: str
    parser: str
    ga: float
    pa: float
    fga: float
    fta: float
    repaired_pa: float
    constant_pa: float
    found: int
    true: int


def parse_row(log: Log, parser: str, parse: Parse) -> ParseRow:
    """Return the metrics of a parse."""
    texts = parse.line_templates
    found = score(parse.groups, texts, log.events, log.templates)
    fixed = repaired(parse.groups, texts, log.templates)
    later = log.templates[len(log) // 2 :]
    counts: dict[str, int] = defaultdict(int)
    for template in log.templates:
        counts[template] += 1
    return ParseRow(
        log.system, parser, found.ga, found.pa, found.fga, found.fta,
        sum(a == b for a, b in zip(fixed, later, strict=True)) / len(later),
        max(counts.values()) / len(log), found.found, found.true,
    )  # fmt: skip


def parsers(logs: Sequence[Log], branches: int = 4) -> list[ParseRow]:
    """Return Drain and our inducer on every system: Drain by its own settings, ours by one."""
    rows = []
    for log in logs:
        rows.append(parse_row(log, "Drain", drain(log.system, log.contents)))
        rows.append(parse_row(log, "inducer", induce(log.contents, branches)))
    return rows


def left_out(logs: Sequence[Log], choices: Sequence[int] = (2, 3, 4, 6)) -> list[dict[str, object]]:
    """Return our GA on every system, the one setting chosen on all others by their mean GA."""
    table = np.array([
        [score(p.groups, p.line_templates, log.events, log.templates).ga
         for p in (induce(log.contents, b) for b in choices)]
        for log in logs
    ])  # fmt: skip
    rows = []
    for k, log in enumerate(logs):
        others = np.delete(table, k, axis=0).mean(axis=0)
        best = int(others.argmax())
        rows.append({"system": log.system, "branches": choices[best], "ga": float(table[k, best])})
    return rows


@dataclass(frozen=True)
class NoiseRow:
    """A method at one level of noise, over several draws.

    Attributes
    ----------
    system, method
        Which.
    noise, dropped
        Level of noise; share of templates without a reference.
    pa, low, high
        PA as the paper's code compares, with its interval over draws.
    reference_share
        Share of lines answered by a reference; what repeats a line comes from the cache.
    draws
        PA of every draw, in the order of the seeds.
    """

    system: str
    method: str
    noise: float
    dropped: float
    pa: float
    low: float
    high: float
    reference_share: float
    draws: tuple[float, ...]


def under_noise(
    logs: Mapping[str, Log],
    levels: Sequence[float],
    dropped: Sequence[float] = (0.0,),
    cases: int = 200,
    draws: int = 5,
    theta: Mapping[float, float] | None = None,
    seed: int = 2026,
) -> list[NoiseRow]:
    """Return PA of retrieval, of Drain, and of Drain with repaired templates, under noise.

    A draw takes one line of each template as reference, clean, and other lines as cases, noisy.
    Drain parses the noisy cases of the draw; its templates are repaired on a noisy training half of
    as many other lines. The constant answer is the most frequent template of the cases. Shares
    above the first are measured at the highest level alone; ``theta`` holds a threshold for each.
    """
    rows = []
    for system, log in logs.items():
        for level in levels:
            for share in dropped if level == max(levels) else dropped[:1]:
                limit = (theta or {}).get(share, 0.66)
                found: dict[str, list[float]] = defaultdict(list)
                used = []
                for draw in range(draws):
                    values, share_used = _one_draw(log, level, share, cases, limit, seed + draw)
                    used.append(share_used)
                    for method, value in values.items():
                        found[method].append(value)
                for method, values_ in found.items():
                    mean, low, high = (
                        mean_interval(values_)
                        if draws > 1
                        else (values_[0], values_[0], values_[0])
                    )
                    rows.append(NoiseRow(system, method, level, share, mean, low, high,
                                         float(np.mean(used)), tuple(values_)))  # fmt: skip
    return rows


def chosen_theta(
    logs: Mapping[str, Log],
    dropped: float,
    level: float = 1.0,
    choices: Sequence[float] = (0.0, 0.3, 0.5, 0.66, 0.8),
    cases: int = 100,
    draws: int = 3,
    seed: int = 90_000,
) -> float:
    """Return the threshold with the best mean PA on draws of its own, one for all systems.

    The draws have the level of noise, and the share of templates without a reference, that it is
    meant for.
    """
    means = []
    for theta in choices:
        found = [
            _one_draw(log, level, dropped, cases, theta, seed + draw, rivals=False)[0]["retrieval"]
            for log in logs.values()
            for draw in range(draws)
        ]
        means.append(float(np.mean(found)))
    return choices[int(np.argmax(means))]


def _one_draw(
    log: Log, level: float, dropped: float, cases: int, theta: float, seed: int,
    rivals: bool = True,
) -> tuple[dict[str, float], float]:  # fmt: skip
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(log))
    first: dict[str, int] = {}
    rest = []
    for k in order.tolist():
        if log.templates[k] in first:
            rest.append(k)
        else:
            first[log.templates[k]] = k
    names = sorted(first)
    without = {names[k] for k in rng.permutation(len(names))[: round(dropped * len(names))]}
    kept = [name for name in names if name not in without]
    test, train = rest[:cases], rest[cases : 2 * cases]

    def noisy(k: int) -> str:
        return add_noise(log.system, log.contents[k], level, seed)

    truth = [loose_template(log.templates[k]) for k in test]
    perception = Perception([log.contents[first[n]] for n in kept], kept, theta)
    perceived = perception.perceive([noisy(k) for k in test])
    if not rivals:
        found = [loose_template(p.template) for p in perceived]
        return {
            "retrieval": sum(a == b for a, b in zip(found, truth, strict=True)) / len(truth)
        }, 0.0
    parse = drain(log.system, [noisy(k) for k in (*train, *test)])
    texts = parse.line_templates
    votes: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group, k in zip(parse.groups, train, strict=False):
        votes[group][log.templates[k]] += 1
    best = {g: max(sorted(v), key=v.__getitem__) for g, v in votes.items()}
    here = range(len(train), len(train) + len(test))
    answers = {
        "retrieval": [p.template for p in perceived],
        "Drain": [texts[k] for k in here],
        "Drain, repaired": [best.get(parse.groups[k], texts[k]) for k in here],
    }
    counts: dict[str, int] = defaultdict(int)
    for text in truth:
        counts[text] += 1
    values = {
        method: sum(loose_template(a) == t for a, t in zip(given, truth, strict=True)) / len(truth)
        for method, given in answers.items()
    }
    values["constant answer"] = max(counts.values()) / len(truth)
    return values, route_counts(perceived)["reference"] / len(perceived)


def left_out_gain(logs: Sequence[Log]) -> tuple[float, float, float]:
    """Return our left-out GA less Drain's published one: the mean over systems, its interval."""
    rows = left_out(logs)
    return mean_interval([float(r["ga"]) - PUBLISHED_GA[str(r["system"])] for r in rows])  # type: ignore[arg-type]


def difference(one: NoiseRow, other: NoiseRow) -> tuple[float, float, float]:
    """Return the PA of one row less that of the other, paired over draws, with its interval."""
    return mean_interval([a - b for a, b in zip(one.draws, other.draws, strict=True)])


def mean_difference(pairs: Sequence[tuple[NoiseRow, NoiseRow]]) -> tuple[float, float, float]:
    """Return the mean over systems of the PA of one row less that of another, paired over draws.

    The interval is over draws: a draw chooses the references and the cases of every system.
    """
    draws = np.array([np.subtract(one.draws, other.draws) for one, other in pairs])
    return mean_interval(draws.mean(axis=0).tolist())
