"""Which scenarios the past orders of existing customers can tell anything of: those that are a Pareto/NBD model in their first stage.

Orders come at a rate that is gamma between customers, customers leave at a hazard that is gamma between them, both constant in time and
independent (Schmittlein, Morrison and Colombo 1987). Then x orders, the last at t_x, in a time T since acquisition are all that tells.
"""

from collections.abc import Iterator, Sequence

from sim.scenario.columns import PAST
from sim.scenario.errors import Fault
from sim.scenario.model import Scenario
from sim.scenario.purchases import Poisson


def past(scenario: Scenario, given: Sequence[str]) -> bool:
    """Return whether the table's columns of past orders are read: all are there, and orders are Poisson."""
    return set(PAST) <= set(given) and all(isinstance(view.purchases, Poisson) for view in scenario.by_segment.values())


def missing(given: Sequence[str]) -> list[str]:
    """Return the columns of past orders that a table with a t_x lacks."""
    return [name for name in PAST if name not in given] if "t_x" in given else []


def faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what makes past orders of existing customers say something else than Pareto/NBD has it."""
    hint = "leave x, t_x and T out of the table"
    for segment, view in scenario.by_segment.items():
        where = f"segments.{segment}." if scenario.segments else ""
        for place, value, rule in _unlike(view):
            yield Fault(f"{where}{place}", value, f"{rule}, where the base has past orders (Pareto/NBD)", hint)
    for one, row in scenario.correlations.items():
        for other, correlation in row.items():
            if correlation and "rate" in (one, other):
                rule = "the rate of ordering cannot be correlated where past orders say what it is"
                yield Fault(f"correlations.{one}.{other}", f"{correlation:g}", rule, "leave it out")


def _unlike(view: Scenario) -> Iterator[tuple[str, str, str]]:
    """Yield place, value and rule of whatever is no Pareto/NBD in one segment's scenario."""
    how, key = view.purchases, view.start
    stage = view.stages[key]
    assert isinstance(how, Poisson)
    if how.rate.distribution != "gamma" or how.rate.cv_value == 0:
        yield "purchases.rate", f"{how.rate.distribution}, cv {how.rate.cv_value:g}", "must be gamma between customers"
    if view.exposure != "until_exit":
        yield "exposure", view.exposure, "must be until_exit"
    if view.level is not None:
        yield "level", "", "must be off, for orders would depend on it"
    if stage.kind != "active":
        yield f"stages.{key}.kind", stage.kind, "must be active"
        return
    if stage.orders != (1.0,):
        yield f"stages.{key}.orders", ", ".join(f"{value:g}" for value in stage.orders), "must be 1"
    if len(stage.to) != 1:
        yield f"stages.{key}.to", ", ".join(stage.to), "must be one way out, into a lost stage"
        return
    [(name, edge)] = stage.to.items()
    lost = view.stages[view.target(key, name)]
    if lost.kind != "lost" or lost.to:
        yield f"stages.{key}.to.{name}", "", "must lead into a lost stage that nobody leaves"
    rates = edge.probability or edge.hazard or (0.0,)
    if edge.beta is not None or edge.weibull is not None or len(rates) > 1 or (rates == (1.0,) and edge.probability):
        yield f"stages.{key}.to.{name}", "", "must have one hazard that does not change"
    if view.frailty.variance == 0 or not (view.frailty.edges is None or f"{key}.{name}" in view.frailty.edges):
        yield "frailty", f"variance {view.frailty.variance:g}", "must differ between customers and act on the way out"
