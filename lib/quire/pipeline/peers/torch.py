"""Run an action table with PyTorch's own pipelining runtime, on CPU processes over gloo.

An optional check (package ``torch``): every rank holds tiny linear stages, the runtime executes the
table, and the gradients are compared with those of the same layers in one process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from quire.pipeline.schedules.action_tables import read_actions

WIDTH = 8
"""Features of every stage."""

_LIMIT = 240.0


def gradient_difference(text: str, *, seed: int = 0) -> float:
    """Largest absolute difference between pipelined and plain gradients (float32).

    ``text`` is a table of whole microbatches as :func:`~quire.pipeline.write_actions` writes it.
    One process per rank is started on this machine and ended again.

    Raises
    ------
    RuntimeError
        If PyTorch refuses the table; its last words are repeated.
    """
    ranks = read_actions(text).ranks
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "actions.csv").write_text(text)
        command = [
            sys.executable,
            "-m",
            "quire.pipeline.peers.torch",
            folder,
            str(ranks),
            str(seed),
        ]
        processes = [
            subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True)
            for rank in range(ranks)
        ]
        try:
            errors = [process.communicate(timeout=_LIMIT)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
        for process, error in zip(processes, errors, strict=True):
            if process.returncode:
                raise RuntimeError(f"PyTorch did not run the table: {error.strip()[-400:]}")
        return max(float(np.load(place / f"{rank}.npy")) for rank in range(ranks))


def _worker(folder: str, ranks: int, seed: int, rank: int) -> None:
    import torch
    import torch.distributed as dist
    from torch.distributed.pipelining import PipelineStage
    from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime

    place = Path(folder)
    table = read_actions((place / "actions.csv").read_text())
    home = {action.stage: r for r, row in enumerate(table.rows) for e in row for action in e}
    microbatches = 1 + max(a.microbatch for row in table.rows for e in row for a in e)
    dist.init_process_group(
        "gloo", init_method=f"file://{place / 'meeting'}", rank=rank, world_size=ranks
    )
    torch.manual_seed(seed)
    layers = [torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()) for _ in home]
    inputs, target = torch.randn(microbatches, WIDTH), torch.randn(microbatches, WIDTH)
    plain = [[p.detach().clone() for p in layer.parameters()] for layer in layers]
    torch.nn.functional.mse_loss(torch.nn.Sequential(*layers)(inputs), target).backward()
    expected = [[p.grad.clone() for p in layer.parameters()] for layer in layers]
    for layer, values in zip(layers, plain, strict=True):
        for parameter, value in zip(layer.parameters(), values, strict=True):
            parameter.data, parameter.grad = value, None
    mine = [s for s in sorted(home) if home[s] == rank]
    device = torch.device("cpu")
    stages = [PipelineStage(layers[s], s, len(home), device) for s in mine]
    runtime = _PipelineScheduleRuntime(
        stages, microbatches, loss_fn=torch.nn.functional.mse_loss, scale_grads=True
    )
    runtime._load_csv(str(place / "actions.csv"), format="compute_only")
    last = len(home) - 1
    runtime.step(*([inputs] if 0 in mine else []), target=target if last in mine else None)
    worst = max(
        float((parameter.grad - value).abs().max())
        for s in mine
        for parameter, value in zip(layers[s].parameters(), expected[s], strict=True)
    )
    np.save(place / f"{rank}.npy", worst)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    _worker(sys.argv[1], *map(int, sys.argv[2:]))
