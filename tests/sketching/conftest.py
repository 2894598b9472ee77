"""Eight host devices for the whole session, asked for before JAX's backend starts.

pytest loads every conftest of the collected tests before it runs the first test, so that this comes
in time in a run of the whole suite too.
"""

import contextlib

import jax
import pytest

with contextlib.suppress(RuntimeError):  # too late: the backend already runs
    jax.config.update("jax_num_cpu_devices", 8)


@pytest.fixture(scope="session")
def eight_devices() -> int:
    held = len(jax.devices("cpu"))
    if held < 8:
        pytest.skip(f"needs 8 host devices, JAX's backend started with {held}")
    return held
