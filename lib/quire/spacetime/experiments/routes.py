"""The fastest licensed microwave routes from Aurora to New Jersey, and a prototype's values."""

from collections.abc import Mapping
from dataclasses import dataclass

from quire.spacetime.delays.microwave import Links, fastest_route, straight_ms
from quire.spacetime.experiments.theory import COORDINATES

PROTOTYPE_MS = {
    ("New_Line_Networks", "Secaucus"): 3.96171,
    ("Pierce_Broadband__LLC", "Secaucus"): 3.96209,
    ("Jefferson_Microwave__LLC", "Secaucus"): 3.96597,
    ("Blueline_Comm", "Secaucus"): 3.96940,
    ("Webline_Holdings_LLC", "Secaucus"): 3.97157,
    ("AQ2AT_LLC", "Secaucus"): 4.01101,
    ("Wireless_Internetwork__LLC", "Secaucus"): 4.12246,
    ("GTT_Americas_LLC", "Secaucus"): 4.24241,
    ("SW_Networks", "Secaucus"): 4.44530,
    ("", "Mahwah"): 3.93209,
    ("", "Carteret"): 3.92728,
}
"""One-way times, ms, of 1 April 2020; of the last two only the best licensee's is known."""


@dataclass(frozen=True)
class RouteRow:
    """One licensee's fastest route, or the best of all."""

    licensee: str
    end: str
    milliseconds: float
    prototype: float
    towers: int
    fibre_km: float
    above_chord: float


def route_rows(links: Mapping[str, Links]) -> list[RouteRow]:
    """Return the fastest routes of every prototype value that the links can answer.

    Parameters
    ----------
    links
        By licensee.
    """
    rows = []
    for (licensee, end), prototype in PROTOTYPE_MS.items():
        names = [licensee] if licensee else sorted(links)
        found = [
            (route, name)
            for name in names
            if name in links
            for route in [fastest_route(links[name], COORDINATES["Aurora"], COORDINATES[end])]
            if route is not None
        ]
        if found:
            best, name = min(found, key=lambda pair: pair[0].milliseconds)
            chord = straight_ms(COORDINATES["Aurora"], COORDINATES[end])
            rows.append(
                RouteRow(
                    name.replace("__", " ").replace("_", " "),
                    end,
                    best.milliseconds,
                    prototype,
                    best.towers,
                    best.fibre_km,
                    100 * (best.milliseconds / chord - 1),
                )
            )
    return rows
