import jax
import pytest


@pytest.fixture(scope="session")
def eight_devices() -> int:
    held = len(jax.devices("cpu"))
    assert held >= 8, "tests/conftest.py asks for eight host devices before the backend starts"
    return held
