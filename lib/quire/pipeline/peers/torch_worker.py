"""One rank of a pipelined run under PyTorch; a script for PyTorch's own environment.

``python torch_worker.py FOLDER RANKS SEED RANK`` reads ``FOLDER/actions.csv`` and writes
``FOLDER/RANK.json``. It needs PyTorch and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

WIDTH = 32
"""Features of every stage."""


def main(folder: str, ranks: int, seed: int, rank: int) -> None:
    """Run this rank's row of the table and compare its gradients with the plain model's."""
    import torch
    import torch.distributed as dist
    from torch.distributed.pipelining import PipelineStage
    from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime

    place = Path(folder)
    rows = (place / "actions.csv").read_text().strip().splitlines()
    actions = [re.findall(r"(\d+)[FBIW](\d+)", row) for row in rows]
    home = {int(stage): r for r, row in enumerate(actions) for stage, _ in row}
    microbatches = 1 + max(int(m) for row in actions for _, m in row)
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{place / 'meeting'}", rank=rank, world_size=ranks
    )
    torch.manual_seed(seed)
    layers = [torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()) for _ in home]
    inputs, target = torch.randn(microbatches, WIDTH), torch.randn(microbatches, WIDTH)
    loss = torch.nn.functional.mse_loss

    def plain(count: int) -> list[list[torch.Tensor]]:
        """Gradients of the same layers in one process, over the first microbatches."""
        whole = torch.nn.Sequential(*layers)
        whole.zero_grad()
        loss(whole(inputs[:count]), target[:count]).backward()
        return [[p.grad.clone() for p in layer.parameters()] for layer in layers]

    expected, short = plain(microbatches), plain(microbatches - 1)
    for layer in layers:
        layer.zero_grad(set_to_none=True)
    mine = [s for s in sorted(home) if home[s] == rank]
    stages = [PipelineStage(layers[s], s, len(home), torch.device("cpu")) for s in mine]
    runtime = _PipelineScheduleRuntime(stages, microbatches, loss_fn=loss, scale_grads=True)
    runtime._load_csv(str(place / "actions.csv"), format="compute_only")
    last = len(home) - 1
    runtime.step(*([inputs] if 0 in mine else []), target=target if last in mine else None)

    def apart(reference: list[list[torch.Tensor]]) -> float:
        return max(
            float((p.grad - value).abs().max())
            for s in mine
            for p, value in zip(layers[s].parameters(), reference[s], strict=True)
        )

    found = {
        "version": torch.__version__.split("+")[0],
        "stages": len(home),
        "microbatches": microbatches,
        "difference": apart(expected),
        "gradient": max(float(g.abs().max()) for s in mine for g in expected[s]),
        "wrong": apart(short),
    }
    (place / f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
