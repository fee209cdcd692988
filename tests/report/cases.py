"""Results to report on: one of each scenario, small, and one whose labels are Chinese and want escaping."""

from functools import cache
from typing import Any

import sim
from sim.scenario.model import Scenario
from sim.studies.result import Result
from tests.measures import cases

SHIPPED = sorted(sim.scenarios())

LABEL = "客户 <b>&\"'"


@cache
def shipped(name: str) -> Result:
    """Return a scenario that ships, of 300 customers."""
    return sim.simulate(sim.load(name, "run.customers=300"))


@cache
def relationship() -> Result:
    """Return prospects, win-back, edge cash, segments, cohorts with budgets."""
    return sim.simulate(cases.relationship(currency="EUR"))


def chinese(**changes: Any) -> Scenario:
    """Return a scenario of two stages with labels that are Chinese or hold what HTML takes for its own."""
    stages = {
        "bought": {"label": "稳定期", "price": 10.0, "to": {"lost": {"label": "流失", "probability": 0.2, "cause": "rival"}}},
        "lost": {"label": "</text><script>alert(1)</script>", "kind": "lost"},
    }
    given = {
        "label": LABEL,
        "currency": "元",
        "description": LABEL,
        "source": LABEL,
        "stages": stages,
        "start": "bought",
        "acquisition": {"cost": 20.0},
    }
    whole = {"name": "zh", "period": "month", "horizon": 24, "run": {"customers": 200}}
    return Scenario.model_validate({**whole, **given, **changes})
