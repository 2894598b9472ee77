"""The event loop of the three stages, compiled; `stages` checks what goes in and names what comes.

A stage is one server. Network and copy serve quanta of a request, the device serves steps. A
request waits in one heap at a time (in two with cut-through, while the network works for it).

With layers a quantum is a layer of a request, and ``there[k, i]`` counts those that stage k is done
with. The device then keeps the request that it has begun, and waits for the layers it lacks.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from quire.serving.loading._queues import best, key_of, push
from quire.serving.loading._shorter import shorten
from quire.serving.loading._state import ADMISSION, COPY, DEVICE, NET


@njit(cache=True, nogil=True)
@no_type_check
def _speed_at(times, factors, now):
    at = np.searchsorted(times, now, side="right") - 1
    return factors[max(at, 0)]


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _ready(rules, work, there, i, slow, spent):
    """Return whether the device may begin with request i, by layers that have come.

    At the first layer if ``eager``; else at the last moment, of those at which a layer comes, from
    which on the device need not wait by nominal speeds. ``spent`` is what the network has worked
    for the next layer.
    """
    if rules.eager:
        return True
    lack, coming = rules.layers - there[1, i], rules.layers - there[0, i]
    copy = work.loaded[i] / rules.layers * rules.copy_s
    net = work.remote[i] / rules.layers * rules.net_s * slow
    last, following = lack * copy, copy
    if coming > 0:
        last = max(last, coming * net - spent + copy)
    if there[0, i] <= there[1, i]:
        following += net - spent
    u = work.uncached[i]
    device = rules.fixed_s + rules.token_s * u + rules.pair_s * u * (work.context[i] + u / 2)
    return last - following < (rules.layers - 1) * device / rules.layers


@njit(cache=True, nogil=True)
@no_type_check
def run(rules, work, speed_times, speeds, log):
    """Serve all requests; return stamps, counts, and the rows of the log that were used.

    Stamps: 0 start of the load, 1 last byte over the network, 2 last byte on the device, 3 first
    token, 4 last token, 5 the end of the network's work as predicted at the arrival. ``tokens[i]``
    is what was loaded over the network.
    """
    n = work.arrival.size
    inf = np.inf
    stamps = np.full((6, n), np.nan)
    left = np.zeros((3, n))
    keys, ids = np.zeros((4, n)), np.zeros((4, n), np.int64)
    sizes = np.zeros(4, np.int64)
    staged, held = np.zeros(n), np.zeros(n)
    copied = np.zeros(n)
    queued = np.zeros(n, np.bool_)
    there, begun, holder = np.zeros((3, n)), np.zeros(n, np.bool_), -1
    to_decode, cache = np.zeros(n), np.zeros(n)
    decoding, stepping, chunk = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    aside = np.zeros(n, np.int64)
    free, memory = rules.staging, rules.memory
    net_end = copy_end = device_end = inf
    net_i = copy_i = -1
    net_q = copy_q = net_t = copy_t = whole_s = 0.0
    n_decoding = n_stepping = inflight = done = arrived = events = rows = 0
    backlog = computing = 0.0
    believed = 1.0
    in_staging = in_memory = most_staged = most_held = 0.0
    now = 0.0
    while done < n:
        now = min(net_end, copy_end, device_end)
        if arrived < n:
            now = min(now, work.arrival[arrived])
        if now == inf:
            break
        slow = 1.0 / believed
        # A quantum has come over the network.
        if net_end == now:
            events += 1
            i = net_i
            if rows < log.shape[0]:
                log[rows, 0], log[rows, 1], log[rows, 2], log[rows, 3] = NET, i, net_t, now
                rows += 1
            there[0, i] += 1
            if rules.layers > 0:
                left[0, i] = work.remote[i] * ((rules.layers - there[0, i]) / rules.layers)
            else:
                left[0, i] -= net_q
            backlog -= net_q
            if rules.half_life > 0:
                took = now - net_t
                if took > 0:
                    real = net_q * rules.net_s / took
                    keep = 0.5 ** (took / rules.half_life)
                    believed = keep * believed + (1 - keep) * real
                    slow = 1.0 / believed
            net_end, net_i = inf, -1
            if left[0, i] > 0:
                push(keys, ids, sizes, NET, key_of(rules, work, left, i, now, slow), i)
            else:
                stamps[1, i] = now
            if (rules.cut_through or left[0, i] == 0) and not queued[i] and copy_i != i:
                queued[i] = True
                push(keys, ids, sizes, COPY, key_of(rules, work, left, i, now, slow), i)
        # A quantum has been copied to the device.
        if copy_end == now:
            events += 1
            i = copy_i
            if rows < log.shape[0]:
                log[rows, 0], log[rows, 1], log[rows, 2], log[rows, 3] = COPY, i, copy_t, now
                rows += 1
            there[1, i] += 1
            more = left[1, i] - copy_q > left[0, i]
            if rules.layers > 0:
                left[1, i] = work.loaded[i] * ((rules.layers - there[1, i]) / rules.layers)
                more = there[0, i] > there[1, i]
            else:
                left[1, i] -= copy_q
            copy_end, copy_i = inf, -1
            if left[1, i] == 0:
                stamps[2, i] = now
                free += staged[i]
                in_staging -= staged[i]
                staged[i] = 0.0
            ready = left[1, i] == 0
            if rules.layers > 0 and not ready and not begun[i]:
                ready = _ready(rules, work, there, i, slow, now - net_t if net_i == i else 0.0)
            if ready and not begun[i]:
                begun[i] = True
                push(keys, ids, sizes, DEVICE, key_of(rules, work, left, i, now, slow), i)
            if left[1, i] > 0 and more:
                queued[i] = True
                push(keys, ids, sizes, COPY, key_of(rules, work, left, i, now, slow), i)
        # The device has ended a step.
        if device_end == now:
            events += 1
            device_end = inf
            kept = 0
            for k in range(n_decoding):
                i = decoding[k]
                to_decode[i] -= 1
                cache[i] += 1
                if to_decode[i] == 0:
                    stamps[4, i] = now
                    memory += held[i]
                    in_memory -= held[i]
                    held[i] = 0.0
                    done += 1
                else:
                    decoding[kept] = i
                    kept += 1
            n_decoding = kept
            for k in range(n_stepping):
                i = stepping[k]
                there[2, i] += 1
                if rules.layers > 0:
                    if there[2, i] < rules.layers:
                        left[2, i] = work.uncached[i] * (1 - there[2, i] / rules.layers)
                        continue
                    left[2, i], holder = chunk[i], -1
                left[2, i] -= chunk[i]
                cache[i] += chunk[i]
                if left[2, i] > 0:
                    push(keys, ids, sizes, DEVICE, key_of(rules, work, left, i, now, slow), i)
                    continue
                stamps[3, i] = now
                inflight -= 1
                computing -= work.estimate[2, i]
                to_decode[i] = work.n_out[i] - 1
                if rules.decode and to_decode[i] > 0:
                    decoding[n_decoding] = i
                    n_decoding += 1
                else:
                    stamps[4, i] = now
                    memory += held[i]
                    in_memory -= held[i]
                    held[i] = 0.0
                    done += 1
            n_stepping = 0
        # Arrivals.
        while arrived < n and work.arrival[arrived] <= now:
            events += 1
            i = arrived
            arrived += 1
            if rules.recompute and work.remote[i] > 0:
                shorten(rules, work, i, backlog, computing, slow)
            left[0, i] = work.remote[i]
            left[1, i] = work.loaded[i]
            left[2, i] = work.uncached[i]
            cache[i] = work.context[i]
            there[0, i] = rules.layers if work.remote[i] == 0 else 0
            there[1, i] = rules.layers if work.loaded[i] == 0 else 0
            backlog += work.remote[i]
            computing += work.estimate[2, i]
            stamps[5, i] = now + backlog * rules.net_s * slow
            push(keys, ids, sizes, ADMISSION, key_of(rules, work, left, i, now, slow), i)
        # Admission: at most `window` requests between here and their first token.
        while sizes[ADMISSION] > 0 and inflight < rules.window:
            i = best(rules, work, left, keys, ids, sizes, ADMISSION, now, slow)
            inflight += 1
            key = key_of(rules, work, left, i, now, slow)
            if left[0, i] > 0:
                push(keys, ids, sizes, NET, key, i)
            elif left[1, i] > 0:
                stamps[1, i] = now
                queued[i] = True
                push(keys, ids, sizes, COPY, key, i)
            else:
                stamps[1, i] = stamps[2, i] = now
                push(keys, ids, sizes, DEVICE, key, i)
        # The network takes the best request for which there is staging room.
        if net_i < 0 and sizes[NET] > 0 and not (rules.blocking and device_end < inf):
            skipped = 0
            while sizes[NET] > 0:
                i = best(rules, work, left, keys, ids, sizes, NET, now, slow)
                q = min(rules.quantum, left[0, i])
                if rules.layers > 0:
                    q = work.remote[i] / rules.layers
                need = q if rules.by_quantum else (work.remote[i] if staged[i] == 0 else 0.0)
                if need <= free:
                    free -= need
                    staged[i] += need
                    in_staging += need
                    most_staged = max(most_staged, in_staging)
                    net_i, net_q, net_t = i, q, now
                    break
                aside[skipped] = i
                skipped += 1
            for k in range(skipped):
                i = aside[k]
                push(keys, ids, sizes, NET, key_of(rules, work, left, i, now, slow), i)
            if net_i >= 0:
                first = left[0, net_i] == work.remote[net_i]
                if first:
                    stamps[0, net_i] = now
                took = net_q * rules.net_s / _speed_at(speed_times, speeds, now)
                net_end = now + took + (rules.net_latency if first else 0.0)
        # The copy takes the best request for which there is memory on the device.
        if copy_i < 0 and sizes[COPY] > 0 and not (rules.blocking and device_end < inf):
            skipped = 0
            while sizes[COPY] > 0:
                i = best(rules, work, left, keys, ids, sizes, COPY, now, slow)
                need = work.context[i] + work.uncached[i] + work.n_out[i] if held[i] == 0 else 0.0
                if need <= memory:
                    memory -= need
                    held[i] += need
                    in_memory += need
                    most_held = max(most_held, in_memory)
                    copy_i, copy_t = i, now
                    queued[i] = False
                    break
                aside[skipped] = i
                skipped += 1
            for k in range(skipped):
                i = aside[k]
                push(keys, ids, sizes, COPY, key_of(rules, work, left, i, now, slow), i)
            if copy_i >= 0:
                i = copy_i
                if np.isnan(stamps[0, i]):
                    stamps[0, i] = now
                first = copied[i] == 0
                copied[i] = 1.0
                copy_q = min(rules.quantum, left[1, i] - left[0, i])
                if rules.layers > 0:
                    copy_q = work.loaded[i] / rules.layers
                copy_end = now + copy_q * rules.copy_s + (rules.copy_latency if first else 0.0)
        # The device takes a step: everybody who decodes, and prompts in the order of their keys.
        idle = net_i < 0 and copy_i < 0
        if device_end == inf and not (rules.blocking and not idle):
            took = 0.0
            room = rules.budget - n_decoding
            length = 0.0
            for k in range(n_decoding):
                length += cache[decoding[k]]
            took += rules.sequence_s * n_decoding + rules.context_s * length
            n_stepping = skipped = 0
            while sizes[DEVICE] > 0 and room > 0 and n_stepping + n_decoding < rules.seats:
                if holder >= 0 or (not rules.decode and n_stepping == 1):
                    break
                i = best(rules, work, left, keys, ids, sizes, DEVICE, now, slow)
                need = work.context[i] + work.uncached[i] + work.n_out[i] if held[i] == 0 else 0.0
                if need > memory:
                    aside[skipped] = i
                    skipped += 1
                    continue
                memory -= need
                held[i] += need
                in_memory += need
                most_held = max(most_held, in_memory)
                chunk[i] = min(left[2, i], room)
                room -= chunk[i]
                took += rules.token_s * chunk[i] + rules.pair_s * chunk[i] * (
                    cache[i] + chunk[i] / 2
                )
                stepping[n_stepping] = i
                n_stepping += 1
            for k in range(skipped):
                i = aside[k]
                push(keys, ids, sizes, DEVICE, key_of(rules, work, left, i, now, slow), i)
            took += rules.fixed_s
            if rules.layers > 0:
                if n_stepping > 0:
                    holder, whole_s = stepping[0], took
                if holder >= 0 and there[1, holder] > there[2, holder]:
                    stepping[0], n_stepping = holder, 1
                    took = whole_s / rules.layers
                else:
                    n_stepping = 0
            if n_stepping + n_decoding > 0:
                device_end = now + took
                for k in range(n_stepping):
                    if rows < log.shape[0]:
                        log[rows, 0], log[rows, 1] = DEVICE, stepping[k]
                        log[rows, 2], log[rows, 3] = now, device_end
                        rows += 1
    return stamps, done, events, rows, most_staged, most_held
