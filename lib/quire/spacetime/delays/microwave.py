"""The fastest way over licensed microwave links, by the conventions of the IMC 2020 study.

Towers within 50 km of a data centre are joined to it by straight fibre at 200 km/ms; a link carries
a signal at 300 km/ms. Distances are chords of a sphere of 6,371 km. (The
HFTNetView scripts of Bhattacherjee et al.; these are the authors' conventions, not physics.)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from quire.checks import positive, real_array
from quire.spacetime.geometry.earth import cartesian_km

AIR_KM_PER_MS = 300.0
FIBRE_KM_PER_MS = 200.0
REACH_KM = 50.0


@dataclass(frozen=True, eq=False)
class Links:
    """The links of one licensee.

    Attributes
    ----------
    ends_a, ends_b
        Latitude and longitude of both towers, degrees, one row per link.
    lengths_km
        The links' lengths, km.
    """

    ends_a: Any
    ends_b: Any
    lengths_km: Any

    def __post_init__(self) -> None:
        lengths = real_array("lengths_km", self.lengths_km, 1, above=0.0)
        for name in ("ends_a", "ends_b"):
            ends = real_array(name, getattr(self, name), 2)
            if ends.shape != (len(lengths), 2):
                raise ValueError(f"{name} = shape {ends.shape}: must be ({len(lengths)}, 2)")
            object.__setattr__(self, name, ends)
        object.__setattr__(self, "lengths_km", lengths)


@dataclass(frozen=True)
class Route:
    """A way between two data centres.

    Attributes
    ----------
    milliseconds
        One way.
    towers
        How many it passes.
    link_km, fibre_km
        Length over links, and over fibre at both ends.
    """

    milliseconds: float
    towers: int
    link_km: float
    fibre_km: float


def fastest_route(links: Any, start: Any, end: Any) -> Route | None:
    """Return the fastest way from one data centre to another, or None when there is none.

    Parameters
    ----------
    links
        Of one licensee; they carry both ways.
    start, end
        (latitude, longitude) of the data centres, degrees.

    Raises
    ------
    ValueError
        For what is no `Links`, or coordinates that are none.
    """
    if not isinstance(links, Links):
        raise ValueError(f"links = {links!r}: must be Links")
    both = np.stack([_coordinates("start", start), _coordinates("end", end)])
    ends = np.concatenate([links.ends_a, links.ends_b])
    towers, number = np.unique(ends, axis=0, return_inverse=True)
    number = number.reshape(-1)
    where = cartesian_km(towers[:, 0], towers[:, 1], sphere=True)
    sites = cartesian_km(both[:, 0], both[:, 1], sphere=True)
    count = len(towers)
    tails, heads = number[: len(links.lengths_km)], number[len(links.lengths_km) :]
    weights, lengths = links.lengths_km / AIR_KM_PER_MS, links.lengths_km
    for k, site in enumerate(sites):
        away = np.linalg.norm(where - site, axis=1)
        near = np.flatnonzero(away < REACH_KM)
        tails = np.concatenate([tails, np.full(len(near), count + k)])
        heads = np.concatenate([heads, near])
        # a data centre at the foot of a tower is joined by no fibre, and zero would mean no edge
        weights = np.concatenate([weights, np.maximum(away[near], 1e-9) / FIBRE_KM_PER_MS])
        lengths = np.concatenate([lengths, away[near]])
    # of parallel links the shortest counts; a sparse matrix would add them up
    order = np.lexsort((weights, np.maximum(tails, heads), np.minimum(tails, heads)))
    pairs = np.stack([np.minimum(tails, heads), np.maximum(tails, heads)])[:, order]
    fresh = np.append(True, (np.diff(pairs) != 0).any(axis=0)) & (pairs[0] != pairs[1])
    shape = (count + 2, count + 2)
    graph = coo_array((weights[order][fresh], (pairs[0][fresh], pairs[1][fresh])), shape=shape)
    # a way through the other end of the fibre, a data centre, is no way through its own
    times, before = dijkstra(graph.tocsr(), directed=False, indices=count, return_predecessors=True)
    if not np.isfinite(times[count + 1]):
        return None
    known = {
        (int(a), int(b)): float(length)
        for a, b, length in zip(*pairs[:, fresh], lengths[order][fresh], strict=True)
    }
    path = [count + 1]
    while path[-1] != count:
        path.append(int(before[path[-1]]))
    steps = [(min(a, b), max(a, b)) for a, b in pairwise(path)]
    return Route(
        float(times[count + 1]),
        len(path) - 2,
        sum(known[step] for step in steps if max(step) < count),
        sum(known[step] for step in steps if max(step) >= count),
    )


def links_by_licensee(rows: Any) -> dict[str, Links]:
    """Return the links of each licensee from rows of text.

    Parameters
    ----------
    rows
        With the fields entity, lat_a, lon_a, lat_b, lon_b and length_km.

    Raises
    ------
    ValueError
        For a field that is missing or no number, or for no row at all.
    """
    if not isinstance(rows, Iterable):
        raise ValueError(f"rows = {rows!r}: must hold at least one link")
    read: dict[str, list[list[float]]] = {}
    for number, row in enumerate(rows, start=1):
        try:
            values = [float(row[f]) for f in ("lat_a", "lon_a", "lat_b", "lon_b", "length_km")]
            entity = row["entity"]
        except (KeyError, IndexError, TypeError, ValueError) as fault:
            raise ValueError(f"rows: number {number} is no link ({fault})") from None
        read.setdefault(entity, []).append(values)
    if not read:
        raise ValueError("rows: must hold at least one link")
    return {entity: _links(values) for entity, values in sorted(read.items())}


def links_of_graph(text: Any) -> Links | None:
    """Return the links of a graph as HFTNetView stores it (YAML of a networkx graph), None without.

    Only the numbers of edges and nodes are read; the file's object tags are text to us, and nothing
    in it is executed.

    Raises
    ------
    ValueError
        For what is no text, or when an edge names a node without coordinates.
    """
    if not isinstance(text, str):
        raise ValueError(f"text = {text!r}: must be the text of a stored graph")
    section, tail, head, node = "", "", "", ""
    edges: dict[tuple[str, str], float] = {}
    places: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        indent, word = len(line) - len(line.lstrip(" ")), line.strip()
        top = re.match(r"(_\w+|\w+):", line)
        if top:
            section = top[1]
        elif section == "_adj" and indent == 2 and (found := re.match(r"(\d+):", word)):
            tail = found[1]
        elif section == "_adj" and indent == 4 and (found := re.match(r"(\d+):", word)):
            head = found[1]
        elif section == "_adj" and (found := re.match(r"length: ([\d.eE+-]+)$", word)):
            edges[min(tail, head), max(tail, head)] = float(found[1])
        elif section == "_node" and indent == 2 and (found := re.match(r"(\d+):", word)):
            node = found[1]
        elif section == "_node" and (
            found := re.match(r"(lat_deg|long_deg): '?([-+\d.eE]+)'?$", word)
        ):
            places.setdefault(node, {})[found[1]] = float(found[2])
    if not edges:
        return None
    try:
        values = [
            [*(places[end][key] for end in pair for key in ("lat_deg", "long_deg")), length]
            for pair, length in edges.items()
        ]
    except KeyError as fault:
        raise ValueError(f"text: an edge names {fault}, which has no coordinates") from None
    return _links(values)


def _links(values: list[list[float]]) -> Links:
    table = np.array(values)
    return Links(table[:, 0:2], table[:, 2:4], table[:, 4])


def straight_ms(start: Any, end: Any, km_per_ms: Any = AIR_KM_PER_MS) -> float:
    """Return the time over the chord of the study's sphere, ms.

    Raises
    ------
    ValueError
        For coordinates that are none, or a speed that is not positive.
    """
    ends = np.stack([_coordinates("start", start), _coordinates("end", end)])
    both = cartesian_km(ends[:, 0], ends[:, 1], sphere=True)
    return float(np.linalg.norm(both[0] - both[1])) / positive("km_per_ms", km_per_ms)


def _coordinates(name: str, place: Any) -> Float[np.ndarray, " 2"]:
    """Return (latitude, longitude) as an array.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(place, str | bytes) or np.shape(place) != (2,):
        raise ValueError(f"{name} = {place!r}: must be (latitude, longitude) in degrees")
    return real_array(name, place, 1)
