"""What the calendar does to the hazards: seasons, and the drivers of equity against a rival's."""

from collections.abc import Callable

import numpy as np

from sim.exact.chain import Chain, Floats
from sim.exact.value import factors, varies
from sim.scenario.market import DRIVERS, Attribute, DriverName
from sim.scenario.model import Scenario


def profile(scenario: Scenario, driver: str) -> list[Attribute]:
    """Return the attributes of a driver of equity."""
    return list(getattr(scenario.drivers, driver).values()) if scenario.drivers else []


def settled(scenario: Scenario) -> int:
    """Return the calendar period from which on the drivers no longer change."""
    listed = [len(scores) for driver in DRIVERS for one in profile(scenario, driver) for scores in (one.own, one.rival)]
    return max(listed, default=1) - 1


def change(scenario: Scenario, driver: DriverName, period: int) -> float:
    """Return by how much a driver's gap differs from that at the start."""
    return scenario.drivers.gap(driver, period) - scenario.drivers.gap(driver, 0) if scenario.drivers else 0.0


def moves(scenario: Scenario, driver: DriverName) -> bool:
    """Tell whether a driver's gap ever differs from that at the start."""
    return any(change(scenario, driver, y) != 0 for y in range(settled(scenario) + 1))


def changing(scenario: Scenario, chain: Chain) -> bool:
    """Tell whether any hazard changes with the calendar."""
    moved = any(moves(scenario, DRIVERS[d]) for d in np.flatnonzero(chain.driven.any(1)))
    return moved or (varies(scenario.calendar.hazards) and bool(chain.seasonal.any()))


def hazard_factors(scenario: Scenario, chain: Chain) -> Callable[[Floats], Floats]:
    """Return what gives, of calendar periods (phase,), what the calendar multiplies each move's hazard by, (move, phase)."""
    last = settled(scenario)
    gaps = np.array([[change(scenario, name, y) for y in range(last + 1)] for name in DRIVERS])
    driven = np.exp(-(chain.driven.T @ gaps))  # (move, period until they no longer change)

    def multiplied(periods: Floats) -> Floats:
        seasons = factors(scenario.calendar.hazards, periods, scenario.periods_per_year)
        now = driven[:, np.minimum(periods, last).astype(np.intp)]
        return np.asarray(np.where(chain.seasonal[:, None], seasons, 1.0) * now, float)

    return multiplied
