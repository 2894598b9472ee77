"""Load a shorter prefix and compute the rest: what a request of E3 chooses when it comes."""

from typing import no_type_check

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def trust(believed, true):
    """Return the ratio of a belief to the truth; exactly one where they differ by rounding only."""
    if abs(believed - true) <= 1e-12 * true:
        return 1.0
    return believed / true if true > 0 else 1.0


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def shorten(rules, work, i, backlog, computing, slow):
    """Choose, in sixteenths of the prefix, what of it request i computes; change it in ``work``."""
    least, choice = np.inf, 0
    u, c = work.uncached[i], work.context[i]
    for k in range(17):
        s = np.floor(work.remote[i] * k / 16)
        more = u + s
        device = rules.fixed_s + rules.token_s * more
        device += rules.pair_s * more * (c - s + more / 2)
        copy = (work.loaded[i] - s) * rules.copy_s
        there = (backlog + work.remote[i] - s) * rules.net_s * slow + copy
        ends = max(there, computing) + device
        if ends < least:
            least, choice = ends, k
    s = np.floor(work.remote[i] * choice / 16)
    more = u + s
    # What was believed of copy and device, over the truth: it stays as far from it.
    copy = rules.copy_latency + work.loaded[i] * rules.copy_s
    device = rules.fixed_s + rules.token_s * u + rules.pair_s * u * (c + u / 2)
    copy_trust = trust(work.estimate[1, i], copy)
    device_trust = trust(work.estimate[2, i], device)
    work.remote[i] -= s
    work.loaded[i] -= s
    work.context[i] -= s
    work.uncached[i] = more
    work.estimate[0, i] *= (16 - choice) / 16
    work.estimate[1, i] = work.loaded[i] * rules.copy_s
    if work.loaded[i] > 0:
        work.estimate[1, i] += rules.copy_latency
    work.estimate[1, i] *= copy_trust
    work.estimate[2, i] = rules.fixed_s + rules.token_s * more
    work.estimate[2, i] += rules.pair_s * more * (work.context[i] + more / 2)
    work.estimate[2, i] *= device_trust
