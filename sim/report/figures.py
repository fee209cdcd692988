"""The figures of a run: each goes from a Result to a matplotlib Figure and the tidy frame of exactly what it draws."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.report.classes import classes, migration, sorted_out
from sim.report.followed import arpu_tenure, forecast, foretold, profit_curves, scorecard, several_patterns, uneven
from sim.report.lives import flows, occupancy, retention
from sim.report.minds import feelings, leaving, told_by_cause
from sim.report.parts import arrivals, concentrated, concentration, equity_risk, ledger, risky, streams
from sim.report.scale import unit_cost
from sim.report.style import Drawn
from sim.report.words import patterned
from sim.report.worth import cash, clv, equity, equity_by

if TYPE_CHECKING:
    from sim.studies.result import Result

__all__ = ["FIGURES", "Drawn", "fitting"]

FIGURES: dict[str, Callable[["Result"], Drawn]] = {
    "clv": clv,
    "cash": cash,
    "retention": retention,
    "occupancy": occupancy,
    "flows": flows,
    "equity": equity,
    "equity_risk": equity_risk,
    "arrivals": arrivals,
    "ledger": ledger,
    "concentration": concentration,
    "feelings": feelings,
    "leaving": leaving,
    "classes": classes,
    "migration": migration,
    "profit_curves": profit_curves,
    "forecast": forecast,
    "scorecard": scorecard,
    "arpu_tenure": arpu_tenure,
    "unit_cost": unit_cost,
}
"""Every figure by name, in the order in which a report shows them, two by two."""


def fitting(result: "Result") -> tuple[str, ...]:
    """Return the names of the figures that say something of this run.

    Equity as a single bar does not, nor flows where nothing flows, nor what is off, nor a concentration or causes that all have in common.
    """
    leave = {"equity"} if equity_by(result) == "all" else set()
    leave |= set() if result.scenario.stages and any(stage.to for stage in result.scenario.stages.values()) else {"flows"}
    mechanisms = {
        "equity_risk": risky(result),
        "arrivals": result.scenario.coupled,
        "ledger": streams(result),
        "concentration": concentrated(result),
        "feelings": "feelings" in result.names,
        "leaving": told_by_cause(result),
        "unit_cost": "unit_cost" in result.names,
    }
    followed = result.scenario.run.panel > 0
    told_apart = followed and patterned(result.scenario)
    panel = {
        "classes": followed and sorted_out(result),
        "migration": followed and sorted_out(result),
        "profit_curves": told_apart and several_patterns(result),
        "forecast": told_apart and foretold(result),
        "scorecard": followed and bool(result.scorecard["value"].notna().any()),
        "arpu_tenure": followed and uneven(result),
    }
    leave |= {name for name, there in (mechanisms | panel).items() if not there}
    return tuple(name for name in FIGURES if name not in leave)
