"""Power of a server: each component is in a state, and each state draws so many watts.

A device that computes is active; after its last kernel it stands by for a while, then it idles. The
host's utilisation rises while a device is active. Bytes over links and memory cost energy each.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, positive, real_array, share
from quire.signatures import checked


@dataclass(frozen=True)
class DevicePower:
    """Watts of one accelerator by state, and how long it stands by.

    Attributes
    ----------
    idle, standby, active
        Watts.
    standby_s
        Seconds after the last kernel. Eighteen for the authors' A6000; a property of one card.
    """

    idle: float | int
    standby: float | int
    active: float | int
    standby_s: float | int

    def __post_init__(self) -> None:
        for name in ("idle", "standby", "active", "standby_s"):
            non_negative(name, getattr(self, name))
        if not self.idle <= self.standby <= self.active:
            raise ValueError(
                f"standby = {self.standby:g}: must lie from idle, {self.idle:g}, to active, "
                f"{self.active:g}"
            )


@checked
@dataclass(frozen=True)
class NodePower:
    """A server's power, without its devices' activity.

    Attributes
    ----------
    base
        Watts of what has no state: fans, board.
    device
        The accelerator.
    cpu_idle, cpu_active, cpu_share, cpu_share_busy
        Watts of the host at rest and at work, and its utilisation without and with a device active.
    others
        Watts of memory, links, network and storage at rest.
    """

    base: float | int
    device: DevicePower
    cpu_idle: float | int = 10.0
    cpu_active: float | int = 185.0
    cpu_share: float | int = 0.5
    cpu_share_busy: float | int = 0.7
    others: float | int = 0.0

    def __post_init__(self) -> None:
        for name in ("base", "cpu_idle", "cpu_active", "others"):
            non_negative(name, getattr(self, name))
        share("cpu_share_busy", self.cpu_share_busy)
        if share("cpu_share", self.cpu_share) > self.cpu_share_busy:
            raise ValueError(
                f"cpu_share = {self.cpu_share}: must lie from 0 to cpu_share_busy, "
                f"{self.cpu_share_busy}, which is 1 at most"
            )

    def energy_j(
        self, busy: Float[np.ndarray, "k 2"], edges_s: Float[np.ndarray, " m"], devices: int = 1
    ) -> dict[str, Float[np.ndarray, " m-1"]]:
        """Return joules of each component between successive instants.

        Parameters
        ----------
        busy
            Rows (begin, end) of the stretches in which the devices compute, in order, seconds.
        edges_s
            Instants, increasing.
        devices
            How many, all in one state.

        Raises
        ------
        ValueError
            When the stretches or the instants are out of order.
        """
        count = integer("devices", devices)
        edges = real_array("edges_s", edges_s, 1)
        if edges.size < 2 or (np.diff(edges) <= 0).any():
            raise ValueError("edges_s: must hold two or more increasing instants")
        stretches = np.zeros((0, 2)) if not len(busy) else real_array("busy", busy, 2)
        if stretches.shape[1] != 2:
            raise ValueError(f"busy = rows of {stretches.shape[1]}: must be (begin, end)")
        if (stretches[:, 1] < stretches[:, 0]).any() or (
            stretches[1:, 0] < stretches[:-1, 1]
        ).any():
            raise ValueError("busy: stretches must end after they begin, and follow one another")
        after = np.minimum(
            stretches[:, 1] + self.device.standby_s, np.append(stretches[1:, 0], np.inf)
        )
        active = _covered(stretches[:, 0], stretches[:, 1], edges)
        standby = _covered(stretches[:, 1], after, edges)
        width = np.diff(edges)
        d = self.device
        cpu = self.cpu_idle + self.cpu_share * (self.cpu_active - self.cpu_idle)
        more = (self.cpu_share_busy - self.cpu_share) * (self.cpu_active - self.cpu_idle)
        return {
            "devices": count
            * (d.idle * width + (d.active - d.idle) * active + (d.standby - d.idle) * standby),
            "host": cpu * width + more * active,
            "others": (self.base + self.others) * width,
        }

    def watts(
        self, busy: Float[np.ndarray, "k 2"], edges_s: Float[np.ndarray, " m"], devices: int = 1
    ) -> Float[np.ndarray, " m-1"]:
        """Return the mean power between successive instants; the arguments of `energy_j`."""
        parts = self.energy_j(busy, edges_s, devices)
        return np.sum(list(parts.values()), axis=0) / np.diff(np.asarray(edges_s, dtype=float))


def _covered(begin: np.ndarray, end: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many seconds of each interval between edges the stretches cover."""
    if not begin.size:
        return np.zeros(edges.size - 1)
    total = np.concatenate([[0.0], np.cumsum(end - begin)])
    at = np.searchsorted(begin, edges, side="right")
    inside = np.where(
        at > 0, np.minimum(edges, end[np.maximum(at - 1, 0)]) - begin[np.maximum(at - 1, 0)], 0.0
    )
    done = total[np.maximum(at - 1, 0)] + inside
    done[at == 0] = 0.0
    return np.diff(done)


def busy_stretches(
    ends_ns: np.ndarray, durations_ns: np.ndarray, gap_ns: float | int = 1.0
) -> Float[np.ndarray, "k 2"]:
    """Return stretches of steps that follow one another without a gap, as (begin, end) seconds."""
    ends = real_array("ends_ns", ends_ns, 1)
    begins = ends - real_array("durations_ns", durations_ns, 1, least=0.0)
    positive("gap_ns", gap_ns)
    fresh = np.flatnonzero(np.append(True, begins[1:] > ends[:-1] + gap_ns))
    last = np.append(fresh[1:] - 1, ends.size - 1)
    return np.stack([begins[fresh], ends[last]], axis=1) / 1e9


A6000_SERVER = NodePower(
    219.0,
    DevicePower(33.0, 89.0, 300.0, 18.0),
    others=4 * 4.0 + 5.0 + 11.2 + 5.9,
)
"""The authors' server with one A6000 card; 128 GiB of memory are four modules."""

A6000_SERVER_TWO = NodePower(
    164.0,
    DevicePower(33.0, 89.0, 300.0, 18.0),
    cpu_share=0.7,
    others=4 * 4.0 + 5.0 + 11.2 + 5.9,
)
"""The same server as the authors configure it for two cards: another base, another share."""
