import numpy as np
import pytest

from quire.isa import Launch, RunOptions, assemble, kernels, run
from quire.isa.engines.recording import record

LANES = 1024
OPTIONS = RunOptions(lanes=LANES, limit=4096)
LAUNCH = Launch(workgroup=(16, 1, 1), wave_width=8)


def test_a_recording_ends_where_a_run_ends():
    kernel = assemble(kernels.demonstration()).kernel()
    memory = np.zeros(64, np.uint32)
    recorded = record(kernel, LAUNCH, memory, wave=1, options=OPTIONS)
    assert recorded.instruction[0] == -1
    names = [kernel.instructions[i].mnemonic for i in recorded.instruction[1:]]
    assert names[0] == "mov_sr" and names[-1] == "halt"
    assert recorded.alive[0].all() and not recorded.alive[-1].any()
    stored = run(kernel, LAUNCH, memory, lanes=LANES).memory[8:16]
    assert np.array_equal(recorded.registers[-1, 5], stored)
    assert recorded.barriers[-1] == 1 and recorded.local[-1, :16].tolist() == list(range(16))


def test_masks_are_nested_and_every_block_gives_its_lanes_back():
    kernel = assemble(kernels.demonstration()).kernel()
    recorded = record(kernel, LAUNCH, np.zeros(64, np.uint32), options=OPTIONS)
    for inner, outer in ((1, 0), (2, 1), (3, 2)):
        assert not (recorded.masks[:, inner] & ~recorded.masks[:, outer]).any()
    depth_of_end = [i for i, at in enumerate(recorded.instruction) if at >= 0]
    for step in depth_of_end:
        if kernel.instructions[recorded.instruction[step]].mnemonic == "endloop":
            assert (recorded.masks[step, 0] == recorded.alive[step]).all()
    assert recorded.masks[:-1, 0].all()


def test_a_wave_that_does_not_exist_is_named():
    kernel = assemble(kernels.demonstration()).kernel()
    with pytest.raises(ValueError, match="wave = 2: a workgroup has waves 0 to 1"):
        record(kernel, LAUNCH, np.zeros(64, np.uint32), wave=2, options=OPTIONS)
