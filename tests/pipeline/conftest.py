"""Steps that several tests look at."""

from pathlib import Path

import numpy as np
import pytest

from quire.pipeline import Hardware, balanced_plan, model_named, sample_batch, segmented_program

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "data" / "golden" / "04-dip-pipeline" / "zb_scheduler_golden.csv"


@pytest.fixture(scope="session")
def vlm_batch():
    return sample_batch(model_named("vlm_m"), 8, np.random.default_rng(3))


@pytest.fixture(scope="session")
def vlm_program(vlm_batch):
    """Eight microbatches of vlm_m on four ranks, two language-model segments."""
    model = model_named("vlm_m")
    return segmented_program(model, vlm_batch, balanced_plan(model, 4, (1, 2)), Hardware())
