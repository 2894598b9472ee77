"""The example of the package's docstring runs, and every public name loads."""

import re

import quire.world_model as world_model


def test_the_docstring_runs():
    code = re.findall(r"(?m)^    (.*)$", world_model.__doc__.split("::\n")[1].split("\nRead in")[0])
    space: dict = {}
    exec("\n".join(code), space)
    assert (
        space["both"].forget("tuesday").digest()
        == space["Learner"]().learn("monday", space["monday"]).digest()
    )


def test_every_name_loads():
    for name in world_model.__all__:
        assert getattr(world_model, name) is not None
