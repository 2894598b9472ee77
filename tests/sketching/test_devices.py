import jax
import pytest

from quire.sketching import Grid, mesh_of, request_devices

pytestmark = pytest.mark.usefixtures("eight_devices")


def test_too_few_devices_name_the_flag_to_set():
    with pytest.raises(RuntimeError, match="xla_force_host_platform_device_count=4096"):
        request_devices(4096)
    with pytest.raises(RuntimeError, match="4096 are needed"):
        mesh_of(Grid(4096, 1, 1))


def test_a_mesh_has_the_axes_of_the_grid():
    assert dict(mesh_of(Grid(2, 1, 4)).shape) == {"i": 2, "j": 1, "k": 4}


def test_asking_for_what_is_there_changes_nothing():
    held = len(jax.devices("cpu"))
    request_devices(held)
    assert len(jax.devices("cpu")) == held


def test_a_count_below_one_is_refused():
    with pytest.raises(ValueError, match="count = 0"):
        request_devices(0)
