"""What Ray Serve's prefix-aware router is asked for: looking prompts up in its tree."""

import itertools
import time
from typing import Any

import numpy as np
from calls import Arrays, call, serve


@call
def route(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Route prompts by the longest prefix that a replica has seen, and record each.

    ``replicas`` and ``rounds``; arrays ``start`` and ``blocks``: the blocks of request r are
    ``blocks[start[r]:start[r + 1]]``, numbered from 0. A block is one character of a prompt. The
    answer holds ``matched``, blocks found, and an array ``seconds`` of processor time by round.
    """
    from ray.llm._internal.serve.request_router.prefix_aware.prefix_tree import PrefixTree

    start, blocks = arrays["start"], arrays["blocks"]
    letters = [chr(1 + int(b)) for b in blocks]
    prompts = ["".join(letters[a:b]) for a, b in itertools.pairwise(start)]
    names = [f"replica {k}" for k in range(int(request["replicas"]))]
    seconds, matched = [], 0
    for _ in range(int(request["rounds"])):
        tree, matched = PrefixTree(), 0
        tree.add_tenants(names, 0.0)
        began = time.process_time()
        for r, prompt in enumerate(prompts):
            found, holders = tree.prefix_match(prompt)
            matched += len(found)
            tree.insert(prompt, holders[0] if found and holders else names[r % len(names)], r)
        seconds.append(time.process_time() - began)
    return {"matched": matched}, {"seconds": np.array(seconds)}


if __name__ == "__main__":
    serve()
