"""One rank of a pipelined run: a process of the call ``pipelined_gradients`` of ``torch.py``.

``python pipelined_rank.py FOLDER RANKS SEED RANK`` reads ``FOLDER/actions.csv``, executes that
rank's row with PyTorch's pipelining runtime over gloo, and writes ``FOLDER/RANK.json``.
"""

import json
import re
import sys
from pathlib import Path

# torch.py stands beside this file and is not torch
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch.distributed.pipelining import PipelineStage  # noqa: E402
from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime  # noqa: E402

WIDTH = 32
"""Features of every stage."""

Gradients = list[list[torch.Tensor]]


def plain_gradients(
    layers: list[torch.nn.Module], inputs: torch.Tensor, target: torch.Tensor
) -> Gradients:
    """Return the gradients of the same layers in one process."""
    whole = torch.nn.Sequential(*layers)
    whole.zero_grad()
    torch.nn.functional.mse_loss(whole(inputs), target).backward()
    return [[p.grad.clone() for p in layer.parameters()] for layer in layers]


def main(folder: str, ranks: int, seed: int, rank: int) -> None:
    """Run this rank's row of the table and compare its gradients with the plain model's."""
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
    expected = plain_gradients(layers, inputs, target)
    short = plain_gradients(layers, inputs[:-1], target[:-1])
    for layer in layers:
        layer.zero_grad(set_to_none=True)
    mine = [s for s in sorted(home) if home[s] == rank]
    stages = [PipelineStage(layers[s], s, len(home), torch.device("cpu")) for s in mine]
    runtime = _PipelineScheduleRuntime(
        stages, microbatches, loss_fn=torch.nn.functional.mse_loss, scale_grads=True
    )
    runtime._load_csv(str(place / "actions.csv"), format="compute_only")
    last = len(home) - 1
    runtime.step(*([inputs] if 0 in mine else []), target=target if last in mine else None)

    def apart(reference: Gradients) -> float:
        return max(
            float((p.grad - value).abs().max())
            for s in mine
            for p, value in zip(layers[s].parameters(), reference[s], strict=True)
        )

    found = {
        "difference": apart(expected),
        "gradient": max(float(g.abs().max()) for s in mine for g in expected[s]),
        "left_out": apart(short),
    }
    (place / f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
