"""Proposed changes of a nano model and its rules: harmless ones, and attacks on the safety core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.world_model.kernel.modifications import Sandbox, regression_hash, verify
from quire.world_model.kernel.obligations import Rules, rules

DOMAIN = {"level": (0, 100), "flow": (0, 100), "autonomy": (0, 6)}
CORE = rules(
    DOMAIN, [{"level": (90, 100), "flow": (1, 100)}, {"flow": (81, 100)}, {"autonomy": (4, 6)}]
)
MODEL = "def step(x, u):\n    return max(0.0, x + 0.5 * (u - 0.25 * x))\n"
HOSTILE = (
    "import os\ndef step(x, u):\n    return x\n",
    "def step(x, u):\n    return __import__('os').getpid() + x\n",
    "def step(x, u):\n    return ().__class__.__base__.__subclasses__() and x\n",
    "def step(x, u):\n    while True:\n        x = x + 1\n",
    "def step(x, u):\n    return [x] * 10**9\n",
    "def step(x, u):\n    return open('policy.json', 'w') and x\n",
    "def step(x, u, kernel=None):\n    return x\n",
    "def step(x, u):\n    global DENY\n    DENY = 0\n    return x\n",
    "def step(x, u):\n    exec('x = 1')\n    return x\n",
    "def step(x, u):\n    return (lambda: x)()\n",
    "def step(x, u):\n    return x if x else step(x, u)\n",
    "@staticmethod\ndef step(x, u):\n    return x\n",
    "def step(x, u):\n    return f'{x.__class__}' and x\n",
    "class step:\n    pass\n",
    "def step(x, u):\n    try:\n        return x\n    finally:\n        pass\n",
)


@dataclass(frozen=True)
class Proposal:
    """A change: its source, its rules, and whether it attacks."""

    source: str
    new: Rules
    hostile: bool
    kind: str


@dataclass(frozen=True)
class Outcome:
    """What became of the changes of one kind."""

    kind: str
    hostile: bool
    count: int
    passed: int


def proposals(hostile: int, benign: int, seed: int) -> list[Proposal]:
    """Return random proposals: attacks on code, rules and behaviour, and changes that do no harm.

    An attack is hostile by what it does: syntax outside the list, rules that allow what the core
    denies, answers that differ from the approved model's. A harmless change rewrites the model
    without changing an answer, and may deny more.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    found = []
    for k in range(integer("hostile", hostile, 0)):
        way = k % 3
        if way == 0:
            source = HOSTILE[int(rng.integers(len(HOSTILE)))]
            found.append(Proposal(source, CORE, True, "forbidden code"))
        elif way == 1:
            found.append(Proposal(_rewritten(rng), _weaker(rng), True, "weaker rules"))
        else:
            wrong = float(rng.uniform(0.01, 0.5)) * float(rng.choice([-1, 1]))
            source = f"def step(x, u):\n    return max(0.0, x + 0.5 * (u - {0.25 + wrong!r} * x))\n"
            if rng.random() < 0.3:  # a back door at one point of the regression
                x, u = int(rng.integers(40)) / 4, int(rng.integers(-4, 5)) / 2
                here = f"x >= {x!r} and x <= {x!r} and u >= {u!r} and u <= {u!r}"
                usual = "max(0.0, x + 0.5 * (u - 0.25 * x))"
                source = f"def step(x, u):\n    return 1000.0 if {here} else {usual}\n"
            found.append(Proposal(source, _stricter(rng), True, "other behaviour"))
    found += [
        Proposal(_rewritten(rng), _stricter(rng), False, "harmless")
        for _ in range(integer("benign", benign, 0))
    ]
    order = rng.permutation(len(found))
    return [found[int(k)] for k in order]


def hidden(count: int, seed: int) -> list[Proposal]:
    """Return back doors that open between the points of the regression, and at none of them.

    The level's points lie a quarter apart; each door is open for a strip of it between two of them.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    usual = "max(0.0, x + 0.5 * (u - 0.25 * x))"
    found = []
    for _ in range(integer("count", count, 0)):
        low = int(rng.integers(39)) / 4 + float(rng.uniform(0.02, 0.1))
        high = low + float(rng.uniform(0.02, 0.1))
        source = (
            f"def step(x, u):\n    return 1000.0 if x >= {low!r} and x <= {high!r} else {usual}\n"
        )
        found.append(Proposal(source, _stricter(rng), True, "back doors between the points"))
    return found


def judge(made: Sequence[Proposal]) -> list[Outcome]:
    """Return what the four stages made of proposals, by kind."""
    passed: dict[tuple[str, bool], list[bool]] = {}
    with Sandbox() as sandbox:
        values = sandbox.run(MODEL)
        assert isinstance(values, list)
        expected = regression_hash(values)
        for one in made:
            verdict = verify(one.source, one.new, CORE, expected, sandbox)
            passed.setdefault((one.kind, one.hostile), []).append(verdict.passed)
    return [Outcome(kind, bad, len(v), sum(v)) for (kind, bad), v in sorted(passed.items())]


def _rewritten(rng: np.random.Generator) -> str:
    forms = (
        "def step(x, u):\n    return max(0.0, x + 0.5 * (u - 0.25 * x))\n",
        "def step(x, u):\n    flow = u - 0.25 * x\n    return max(x + 0.5 * flow, 0.0)\n",
        "def step(x, u):\n    y = x + 0.5 * u - 0.125 * x\n    return y if y > 0.0 else 0.0\n",
        "def step(x, u):\n    return max(0.875 * x + u / 2, 0)\n",
        "def step(x, u):\n    a = 0.875 * x + 0.5 * u\n    return (abs(a) + a) / 2\n",
    )
    return forms[int(rng.integers(len(forms)))]


def _stricter(rng: np.random.Generator) -> Rules:
    boxes = [dict(box) for box in CORE.denied]
    if rng.random() < 0.5:
        boxes[0] = {"level": (int(rng.integers(50, 91)), 100), "flow": (1, 100)}
    if rng.random() < 0.5:
        low = int(rng.integers(0, 60))
        boxes.append({"flow": (low, low + int(rng.integers(40)))})
    if rng.random() < 0.5:  # the same denial in two pieces
        cut = int(rng.integers(82, 100))
        boxes[1] = {"flow": (81, cut)}
        boxes.append({"flow": (cut + 1, 100)})
    return rules(DOMAIN, boxes)


def _weaker(rng: np.random.Generator) -> Rules:
    boxes = [dict(box) for box in CORE.denied]
    k = int(rng.integers(4))
    if k == 0:
        boxes[0] = {"level": (int(rng.integers(91, 101)), 100), "flow": (1, 80)}
    elif k == 1:
        boxes[1] = {"flow": (int(rng.integers(82, 101)), 100)}
    elif k == 2:
        boxes[2] = {"autonomy": (int(rng.integers(5, 7)), 6)}
    else:
        hole = int(rng.integers(82, 100))
        boxes[1] = {"flow": (81, hole - 1)}
        boxes.append({"flow": (hole + 1, 100)})
    return rules(DOMAIN, boxes)
