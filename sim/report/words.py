"""Numbers as a reader wants them: as many digits as their error allows, a unit, a dash where there is none."""

import math

import numpy as np

from sim.measures.sums import wilson
from sim.scenario.model import Scenario
from sim.scenario.world import TWO_SIDED_95

DASH = "—"

SPACE = "\N{NO-BREAK SPACE}"

LEVEL = TWO_SIDED_95

PATTERNS = {
    "unconverted": ("Unconverted", "never became active"),
    "early_lapse": ("Early lapse", "lost, at most at rank 1 before"),
    "midway_lapse": ("Midway lapse", "lost, at most at rank 2 before"),
    "early_retreat": ("Early retreat", "lost after a short time at rank 3"),
    "long_lasting": ("Long-lasting", "long at rank 3, lost or not"),
    "open": ("Open", "still undecided at the horizon"),
}
"""What life patterns are called, and what they are."""


def patterned(scenario: Scenario) -> bool:
    """Return whether life patterns tell lives apart: without an active stage of rank 2 or 3, each that ended is an early lapse."""
    return any(stage.kind == "active" and (stage.rank or 0) > 1 for stage in scenario.stages.values())


def plain(value: float | None) -> str:
    """Return a number whose error is not known or 0: whole if it is or from 1,000 on, two decimals from 1 on, else three digits."""
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    if 0 < size < 1e-4:
        return _signed(f"{value:.1e}")
    digits = 0 if size >= 1000 or value == round(value) else 2 if size >= 1 else 2 - math.floor(math.log10(size))
    return _signed(f"{value:,.{digits}f}")


def told_apart(value: float, spread: float, error: float = 0.0) -> str:
    """Return a number among others that lie about ``spread`` apart, to a hundredth of that or so.

    error: what the number may be off by, which is at most one in the last digit shown.
    """
    if not (math.isfinite(value) and math.isfinite(spread) and spread > 0):
        return plain(value)
    decimals = min(max(2 - math.floor(math.log10(spread)), 0), 9)
    if error > 0:
        decimals = min(decimals, -math.ceil(math.log10(error)))
    return _signed(f"{round(value, decimals):,.{max(decimals, 0)}f}")


def short(value: float, spread: float | None = None) -> str:
    """Return a number whose error is not known to three digits, or to those that a number of size ``spread`` has three of."""
    size = abs(value if spread is None else spread)
    if not (math.isfinite(value) and math.isfinite(size) and size > 0):
        return plain(value)
    decimals = 2 - math.floor(math.log10(size))
    return _signed(f"{round(value, decimals):,.{max(decimals, 0)}f}")


def _signed(text: str) -> str:
    zero = not text.strip("-0.,")
    return text.lstrip("-") if zero else text.replace("-", "\N{MINUS SIGN}")


def estimate(value: float | None, se: float | None, scale: float = 1.0) -> tuple[str, str]:
    """Return a value and the half-width of its 95 % interval, both times ``scale``, to the half-width's second digit.

    Where there is no error the value is ``plain`` and the half-width a dash; a half-width of 0 is 0.
    """
    if value is None or not math.isfinite(value):
        return DASH, DASH
    if se is None or not math.isfinite(se) or se < 0:
        return plain(value * scale), DASH
    half = LEVEL * se * scale
    if half == 0:
        return plain(value * scale), "0"
    decimals = 1 - math.floor(math.log10(half))
    rounded = round(value * scale, decimals), round(half, decimals)
    number, error = (f"{part:,.{min(max(decimals, 0), 9)}f}" for part in rounded)
    return _signed(number), error


def percent(share: float | None, se: float | None = None) -> str:
    """Return a share as a percentage, with the half-width of its 95 % interval where there is an error."""
    if share is None or not math.isfinite(share):
        return DASH
    if se is None or not math.isfinite(se):
        digits = 0 if share in (0, 1) else 2 if abs(share) < 0.01 or 0.99 < abs(share) < 1 else 1
        return f"{_signed(f'{100 * share:,.{digits}f}')}{SPACE}%"
    value, half = estimate(share, se, 100.0)
    return f"{value}{SPACE}%" if half == "0" else f"{value} ± {half}{SPACE}%"


def share_error(share: float, se: float, base: float) -> float:
    """Return the error of a share with which ± reaches to the farther end of Wilson's interval; arguments as for ``wilson``."""
    low, high = wilson(np.array(share), np.array(se), np.array(base))
    return max(float(high) - share, share - float(low)) / LEVEL


def unit(scenario: Scenario) -> str:
    """Return the currency as an axis names it."""
    return scenario.currency or "currency units"


def money(scenario: Scenario, value: float | None, se: float | None = None) -> str:
    """Return an amount with its currency, and the half-width of its 95 % interval where there is an error."""
    number, half = estimate(value, se) if se is not None else (plain(value), DASH)
    if number == DASH:
        return DASH
    whole = number if half in (DASH, "0") else f"{number} ± {half}"
    return f"{whole}{SPACE}{scenario.currency}".rstrip()


def roughly(scenario: Scenario, value: float, spread: float | None = None) -> str:
    """Return an amount whose error is not known, with its currency; see ``short``."""
    return f"{short(value, spread)}{SPACE}{scenario.currency}".rstrip()


def given(value: float) -> str:
    """Return a number as somebody gave it: whole if it is, else with two decimals, or as many as it has."""
    whole, _, decimals = f"{value:,.10f}".rstrip("0").partition(".")
    return _signed(f"{whole}.{decimals.ljust(2, '0')}" if decimals else whole)


def price(scenario: Scenario, value: float) -> str:
    """Return an amount that was given, not found, with its currency."""
    return f"{given(value)}{SPACE}{scenario.currency}".rstrip()


def periods(scenario: Scenario, count: float) -> str:
    """Return a number of periods, as in "1 month" or "2.5 years"."""
    number = f"{count:,.1f}".removesuffix(".0")
    return f"{number}{SPACE}{scenario.period}{'' if number == '1' else 's'}"


def newcomer(scenario: Scenario) -> str:
    """Return what somebody who arrives is: a customer, or a prospect yet to be won."""
    return "prospect" if scenario.stages[scenario.start].kind == "prospect" else "customer"


def firm_costs(scenario: Scenario) -> str:
    """Return what the costs are called that are the firm's and no customer's."""
    wins = any(policy.acquire is not None for policy in scenario.policies.values())
    return f"set-up and fixed costs{' and money to win more customers' if wins else ''}"


def stage(scenario: Scenario, key: str) -> str:
    """Return what a stage is called."""
    return scenario.stages[key].label or key


def segment(scenario: Scenario, key: str) -> str:
    """Return what a segment is called."""
    return (scenario.segments[key].label or key) if key in scenario.segments else key


def cohort(scenario: Scenario, key: str) -> str:
    """Return what a cohort is called: its entry, and the calendar period where the entry makes several; or what the base is called."""
    if scenario.base is not None and key in ("base", "all"):
        return "existing customers" if key == "base" else "new customers"
    entry, _, arrival = key.partition(".")
    name = (scenario.cohorts[entry].label or entry) if entry in scenario.cohorts else entry
    return f"{name}, {scenario.period} {arrival}" if arrival else name


def everybody(scenario: Scenario, _: str) -> str:
    """Return what the customers of a scenario are called as a whole."""
    return scenario.label or scenario.name
