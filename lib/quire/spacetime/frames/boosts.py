"""Order in time under a boost (special relativity, one event pair at a time).

Two events dt apart in time and d in space have the interval s^2 = c^2 dt^2 - d^2, the same for
every inertial observer. With s^2 >= 0 and dt > 0 the first can have caused the second, and all
agree on the order. With s^2 < 0 an observer who moves from the earlier event towards the later,
faster than c^2 dt / d, finds them in the other order.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from quire.checks import real_array
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S

KM_PER_NS = LIGHT_KM_PER_S / 1e9


def interval_km2(dt_ns: Any, dx_km: Any) -> Float[np.ndarray, " pairs"]:
    """Return c^2 dt^2 - |dx|^2, km^2: negative for spacelike pairs.

    Parameters
    ----------
    dt_ns
        Time differences, ns, one per pair.
    dx_km
        Space differences, km, one row of three per pair.

    Raises
    ------
    ValueError
        For numbers that are not finite, or shapes that do not fit.
    """
    dt, dx = _pairs(dt_ns, dx_km)
    light, distance = KM_PER_NS * dt, np.linalg.norm(dx, axis=1)
    return (light - distance) * (light + distance)  # differences of squares lose digits


def spacelike(dt_ns: Any, dx_km: Any) -> Bool[np.ndarray, " pairs"]:
    """Return whether neither event can have caused the other; light itself orders.

    The arguments and faults are those of `interval_km2`.
    """
    return interval_km2(dt_ns, dx_km) < 0


def boost(
    times_ns: Any, positions_km: Any, velocity_km_s: Any
) -> tuple[Float[np.ndarray, " events"], Float[np.ndarray, "events 3"]]:
    """Return when and where events happen for an observer who moves with a velocity.

    Parameters
    ----------
    times_ns
        ns, one per event.
    positions_km
        km, one row of three per event.
    velocity_km_s
        Three components, km/s, slower than light together.

    Returns
    -------
    tuple
        t' = gamma (t - v.x / c^2) and x' = x + ((gamma - 1) (x.v) / v^2 - gamma t) v.

    Raises
    ------
    ValueError
        For |v| >= c, numbers that are not finite, or shapes that do not fit.
    """
    t, x = _pairs(times_ns, positions_km, ("times_ns", "positions_km"))
    beta = _beta(velocity_km_s)
    square = float(beta @ beta)
    gamma = 1 / np.sqrt(1 - square)
    along = x @ beta
    # gamma - 1 = gamma^2 beta^2 / (gamma + 1), which stays exact for slow observers
    stretch = gamma * gamma / (gamma + 1)
    return (
        gamma * (t - along / KM_PER_NS),
        x + np.outer(stretch * along - gamma * KM_PER_NS * t, beta),
    )


def flip_speed_km_s(dt_ns: Any, distance_km: Any) -> Float[np.ndarray, " pairs"]:
    """Return the speed that an observer must exceed to reverse two events: c^2 |dt| / d, km/s.

    Infinite where no observer does, which is for |dt| >= d / c.

    Parameters
    ----------
    dt_ns
        Time differences, ns.
    distance_km
        Distances, km, zero or more.

    Raises
    ------
    ValueError
        For numbers that are not finite, negative distances, or different lengths.
    """
    dt = np.abs(real_array("dt_ns", dt_ns, 1))
    distance = real_array("distance_km", distance_km, 1, least=0.0)
    if dt.shape != distance.shape:
        raise ValueError(f"distance_km = {len(distance)} distances: must be one per dt_ns")
    open_to_order = KM_PER_NS * dt < distance
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = LIGHT_KM_PER_S * (KM_PER_NS * dt / distance)
    return np.where(open_to_order, speed, np.inf)


def flippable_ns(speed_km_s: Any, distance_km: Any) -> Float[np.ndarray, " pairs"]:
    """Return the largest time difference that an observer of a speed can reverse: v d / c^2, ns.

    Raises
    ------
    ValueError
        For negative values, speeds of light or more, or different lengths.
    """
    speed = real_array("speed_km_s", speed_km_s, 1, least=0.0)
    distance = real_array("distance_km", distance_km, 1, least=0.0)
    if speed.shape != distance.shape:
        raise ValueError(f"distance_km = {len(distance)} distances: must be one per speed_km_s")
    if (speed >= LIGHT_KM_PER_S).any():
        raise ValueError(f"speed_km_s = {speed.max():g}: must be below {LIGHT_KM_PER_S}")
    return speed / LIGHT_KM_PER_S * distance / KM_PER_NS


def add_speeds_km_s(first: Any, second: Any) -> Float[np.ndarray, " pairs"]:
    """Return the speed of one boost after another along one line: (v + w) / (1 + v w / c^2).

    Raises
    ------
    ValueError
        For speeds of light or more in size, or different lengths.
    """
    v, w = real_array("first", first, 1), real_array("second", second, 1)
    if v.shape != w.shape:
        raise ValueError(f"second = {len(w)} speeds: must be one per speed of first")
    for name, values in (("first", v), ("second", w)):
        if (np.abs(values) >= LIGHT_KM_PER_S).any():
            raise ValueError(f"{name}: must be below {LIGHT_KM_PER_S} km/s in size")
    return (v + w) / (1 + (v / LIGHT_KM_PER_S) * (w / LIGHT_KM_PER_S))


def _beta(velocity_km_s: Any) -> Float[np.ndarray, " 3"]:
    velocity = real_array("velocity_km_s", velocity_km_s, 1)
    if velocity.shape != (3,):
        raise ValueError(f"velocity_km_s = {len(velocity)} components: must be 3")
    speed = float(np.linalg.norm(velocity))
    if speed >= LIGHT_KM_PER_S:
        raise ValueError(f"velocity_km_s: {speed:g} km/s must be below {LIGHT_KM_PER_S}")
    return velocity / LIGHT_KM_PER_S


def _pairs(
    dt_ns: Any, dx_km: Any, names: tuple[str, str] = ("dt_ns", "dx_km")
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, "pairs 3"]]:
    dt, dx = real_array(names[0], dt_ns, 1), real_array(names[1], dx_km, 2)
    if dx.shape != (len(dt), 3):
        raise ValueError(f"{names[1]} = shape {dx.shape}: must be ({len(dt)}, 3), a row per time")
    return dt, dx
