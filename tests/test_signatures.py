"""What a signature names is checked when it is called; every public function of a topic does so."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import pandas as pd
import pytest

import quire
from quire import signatures
from quire.signatures import checked

TOPICS = [
    found.name
    for found in pkgutil.iter_modules(quire.__path__)
    if found.ispkg and found.name not in {"workbook", "_checkout"}
]


@dataclass(frozen=True)
class Farm:
    """Something of our own."""

    servers: int = 1


@checked
@dataclass(frozen=True)
class Plan:
    """A dataclass whose fields are of every kind."""

    names: tuple[str, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    farms: Mapping[str, Farm] | None = None
    exact: bool = False
    kept: frozenset[str] = frozenset()


@checked
def served(
    farm: Farm,
    names: Sequence[str],
    lines: Iterable[str] = (),
    *,
    then: Callable[[int], int] | None = None,
    folder: Path | None = None,
    how: Literal["fast", "safe"] = "fast",
    data: bytes = b"",
    rate: float = 1.0,
    array: np.ndarray | None = None,
) -> tuple[Any, ...]:
    """Return what arrived."""
    return names, lines, folder, data, rate, array


class Stranger:
    """No argument of anything."""

    def __repr__(self) -> str:
        return "a stranger"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"farm": None}, "farm = None: must be a Farm"),
        ({"names": "ab"}, "names = 'ab': must be a list of strings"),
        ({"names": ["a", 1]}, r"names\[1\] = 1: must be a string"),
        ({"names": {"a": 1}}, "names = .*: must be a list of strings"),
        ({"names": np.array("a")}, "names = .*: must be a list of strings"),
        ({"lines": 3}, "lines = 3: must be a list of strings"),
        ({"then": 3}, "then = 3: must be a function or None"),
        ({"folder": 3}, "folder = 3: must be a path or None"),
        ({"folder": "a\0b"}, "folder = .*NUL"),
        ({"how": "slow"}, "how = 'slow': must be one of 'fast', 'safe'"),
        ({"how": np.arange(3)}, "how = .*: must be one of"),
        ({"data": "text"}, "data = 'text': must be bytes"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        served(**({"farm": Farm(), "names": []} | given))


def test_an_iterator_of_a_sequence_is_read_once_and_one_of_an_iterable_is_left_alone() -> None:
    lines = iter("ab")
    names, same, *_ = served(Farm(), (n for n in "ab"), lines)
    assert names == ("a", "b") and same is lines
    given = ["a"]
    assert served(Farm(), given)[0] is given


def test_a_text_stands_for_a_path_and_numbers_and_arrays_are_left_to_the_function() -> None:
    found = served(Farm(), [], folder="a/b", data=memoryview(b"x"), rate="no", array=[1])
    assert found[2:] == (Path("a/b"), b"x", "no", [1])


def test_missing_and_unknown_arguments_read_as_ever() -> None:
    with pytest.raises(TypeError, match="missing 2 required"):
        served()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword"):
        served(Farm(), [], nothing=1)  # type: ignore[call-arg]
    assert list(inspect.signature(served).parameters)[:2] == ["farm", "names"]


def test_a_dataclass_keeps_tuples_whatever_lists_it_is_given() -> None:
    plan = Plan(["a"], iter((1, 2)), {"x": Farm()}, np.True_, {"k"})  # type: ignore[arg-type]
    assert plan == Plan(("a",), (1, 2), {"x": Farm()}, True, frozenset("k"))
    assert plan.exact is True and hash(plan.names) and isinstance(plan.kept, frozenset)


def test_a_table_is_a_mapping_of_its_columns() -> None:
    assert isinstance(Plan(farms=pd.DataFrame(index=[0])).farms, pd.DataFrame)
    with pytest.raises(ValueError, match=r"farms\['x'\] = .*: must be a Farm"):
        Plan(farms=pd.DataFrame({"x": [1]}))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"names": "a"}, "names = 'a'"),
        ({"pair": [1]}, r"pair = \[1\]: must have 2 items"),
        ({"farms": {"x": 3}}, r"farms\['x'\] = 3: must be a Farm"),
        ({"farms": {1: Farm()}}, "a key of farms = 1"),
        ({"farms": [Farm()]}, "farms = .*: must be a mapping or None"),
        ({"farms": dict}, "farms = .*: must be a mapping or None"),
        ({"exact": "no"}, "exact = 'no': must be True or False"),
        ({"exact": None}, "exact = None"),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Plan(**given)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.usefixtures("unchecked_types")
def test_every_public_function_of_a_topic_refuses_a_stranger_by_name(topic: str) -> None:
    module = importlib.import_module(f"quire.{topic}")
    for name in module.__all__:
        function = getattr(module, name)
        compiled = isinstance(function, type(jax.jit(abs)))
        if not inspect.isfunction(function) or compiled or f"{topic}.{name}" in INNER:
            continue
        kinds = signatures.kinds_of(function)
        for argument, parameter in inspect.signature(function).parameters.items():
            if argument in kinds and parameter.kind is not parameter.POSITIONAL_ONLY:
                with pytest.raises(ValueError, match=f"{argument} = a stranger: must be"):
                    function(**{argument: Stranger()})


INNER = {  # called for every message, value or line: they check what they read
    *("brokers.stamped", "brokers.read_stamp", "provenance.canonical_bytes", "self_healing.mask"),
}
