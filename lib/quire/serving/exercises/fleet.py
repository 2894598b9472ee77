"""The checks of chapter 08's exercises."""

from typing import Any

import numpy as np

from quire.answers import called, is_near
from quire.serving.planning import H100, erlang_c, least_gpus
from quire.serving.routing import Rule, conflicts

CV2 = 2.5


def exact_power(answer: Any) -> bool:
    """Whether the answer is a curve of power for which tokens a joule halve exactly.

    A function of the batch: constant and positive over the batches that windows from 2K to 128K
    leave the H100.
    """
    told = [called(answer, n) for n in (512, 256, 128, 64, 32, 16, 8)]
    try:
        watts = [float(np.ravel(w)[0]) for w in told]
    except Exception:  # a reader's object may be anything
        return False
    if not 0 < watts[0] < 1e9 or not all(is_near(w, watts[0], rel=1e-6) for w in told):
        return False
    rates = [n / H100.step_s(n, 2**20 / n / 2) / w for n, w in zip((512, 256), watts, strict=False)]
    return is_near(rates[0] / rates[1], 2.0, rel=1e-6)


def pool_size(answer: Any) -> bool:
    """Whether the answer is the least number of GPUs of the exercise's pool.

    Twelve requests a second, 0.8 a second on a GPU of two slots, cv2 2.5, P99 wait 0.3 s, and a
    utilisation of 0.85 at most.
    """
    right = least_gpus(12.0, 0.8, 0.3, CV2, slots=2)
    return is_near(answer, right) and 0 < erlang_c(2 * right, 30.0) < 1


def silent_conflict(answer: Any) -> bool:
    """Whether the answer is the guard (needs, forbids) of a rule that conflicts with neither.

    The others: code goes to the large model, long prompts that are no code to the long one. The
    rule must fire on every chat that no other rule takes, and on nothing without chat.
    """
    others = [
        Rule("code", frozenset({"code"}), frozenset(), "large"),
        Rule("long", frozenset({"long"}), frozenset({"code"}), "long"),
    ]
    try:
        needs, forbids = answer
        mine = Rule("chat", frozenset(needs), frozenset(forbids), "small")
    except Exception:  # a reader's object may be anything
        return False
    signals = sorted({"chat", "code", "long", "another"} | mine.needs | mine.forbids)
    if len(signals) > 12:
        return False
    for which in range(1 << len(signals)):
        true = {s for k, s in enumerate(signals) if which >> k & 1}
        taken = any(rule.fires(true) for rule in others)
        if mine.fires(true) != ("chat" in true and not taken):
            return False
    return not conflicts([*others, mine])
