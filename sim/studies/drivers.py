"""Equity by driver: what a step in each attribute of value, brand and relationship is worth (Rust, Lemon and Zeithaml 2004).

An attribute's score is a step better from calendar period 1 on, period 0 being the reference, and once more a step worse, on the same
luck; half of the difference in customer equity is what a step is worth, up to a term of step**3. Where there are exact answers they are
taken, else the same customers are simulated on both sides: the differences between each and itself give the standard error.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.exact import exact
from sim.kernels.types import AFTER
from sim.measures.paths import cell_means, path_error, path_means
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.market import DRIVERS
from sim.scenario.model import Scenario
from sim.scenario.sample import cohorts, looks
from sim.studies.control import coupled_by, pairs
from sim.studies.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd

    from sim.measures.sums import Floats
    from sim.report.style import Drawn
    from sim.studies.result import Result

MOST_STEP = 10.0


class Lever(NamedTuple):
    """An attribute of a driver, or what is delivered (``satisfaction``, ``quality``). scores: by calendar period."""

    driver: str
    attribute: str
    label: str
    scores: tuple[float, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Equity:
    """What a step in each attribute is worth.

    frame: driver (value, brand, relationship or satisfaction), attribute, label, of (all; base and new too where there is a base),
    change (of customer equity by a step, currency), se (of paired differences; 0 where exact; NaN of one market path or of too few
    customers), share (of the sum of all changes), elasticity (% that the customers' value changes by for 1 % of the score at the start;
    NaN where the score or the value is not above 0).
    step: points of the attribute's scale; exact: whether no luck is in it.
    """

    scenario: Scenario
    step: float
    exact: bool
    frame: "pd.DataFrame"

    def plot(self) -> "Drawn":
        """Draw the changes as bars with their 95 % intervals."""
        from sim.report.drivers import drawn

        return drawn(self.scenario, self.frame, self.step)

    def __repr__(self) -> str:
        whole = self.frame[self.frame["of"] == "all"]
        told = "; ".join(f"{row.label} {row.change:,.2f} ± {row.se:,.2f}" for row in whole.itertuples())
        return f"<equity by driver, a step of {self.step:g}: {told} (± standard error)>"

    def _repr_html_(self) -> str:
        from sim.scenario.shown import table

        columns = [str(name) for name in self.frame if name != "attribute"]
        records = self.frame[columns].to_dict("records")
        rows = [tuple(f"{value:,.4g}" if isinstance(value, float) else str(value) for value in row.values()) for row in records]
        title = f"Equity by driver: what {self.step:g} point{'' if self.step == 1 else 's'} more of each attribute are worth"
        return table(title, tuple(columns), rows)


def drivers(scenario: Scenario, step: float = 0.1) -> Equity:
    """Return what ``step`` more points of each attribute of the drivers, and of quality where satisfaction is on, are worth to the firm.

    Raises ScenarioError where there are none, where a score would leave its scale, under an endless horizon, or where arrivals depend on
    customers. Arrivals follow value and brand by fractions of a customer here. Each side simulates the customers that the scenario has;
    where it asks for a precision, those of the first look.
    """
    import pandas as pd

    found = levers(scenario)
    _check(scenario, found, step)
    solved = exact(steady(scenario)).reason is None
    differ = _solved if solved else _simulated
    worth = _worth(scenario, solved)
    rows: list[dict[str, Any]] = []
    for lever in found:
        sides = stepped(scenario, [lever], step), stepped(scenario, [lever], -step)
        for of, (change, se) in differ(scenario, *sides).items():
            relative = change / worth[of] / step * lever.scores[0] if worth[of] > 0 and lever.scores[0] > 0 else math.nan
            rows.append({**lever._asdict(), "of": of, "change": change, "se": se, "elasticity": relative})
    frame = pd.DataFrame(rows)
    total = frame.groupby("of")["change"].transform("sum")
    frame.insert(len(frame.columns) - 1, "share", (frame["change"] / total).where(total != 0))
    return Equity(scenario, step, solved, frame.drop(columns="scores"))


def levers(scenario: Scenario) -> list[Lever]:
    """Return what can be stepped."""
    entries = scenario.drivers
    found = [
        Lever(driver, key, one.label or key, one.own)
        for driver in DRIVERS
        for key, one in (getattr(entries, driver) if entries else {}).items()
    ]
    if scenario.satisfaction is not None:
        found.append(Lever("satisfaction", "quality", "Quality delivered", scenario.satisfaction.quality))
    return found


def _check(scenario: Scenario, found: list[Lever], step: float) -> None:
    if scenario.horizon == "inf":
        raise ScenarioError([Fault("horizon", "inf", "must be a whole number of periods: scores change with the calendar")])
    if scenario.coupled:
        rule = "must be off: arrivals that depend on customers are not the same on both sides of a step"
        raise ScenarioError([Fault(coupled_by(scenario), "", rule)])
    wins = next((key for key, policy in scenario.policies.items() if policy.acquire is not None), None)
    if wins is not None:
        rule = "must be off: whom it wins moves with the drivers, beside those who are planned"
        raise ScenarioError([Fault(f"policies.{wins}.acquire", "", rule, "give a cohort of its own the budget and response")])
    if not found:
        raise ScenarioError([Fault("drivers", "", "must have an attribute, or satisfaction must be on: there is nothing to step")])
    if not 0.0 < step <= MOST_STEP:
        raise ScenarioError([Fault("step", f"{step:g}", f"must be above 0 and at most {MOST_STEP:g} points")])
    for lever in found:
        if max(map(abs, lever.scores)) + step > 100.0:
            where = f"drivers.{lever.driver}.{lever.attribute}.own" if lever.driver != "satisfaction" else "satisfaction.quality"
            raise ScenarioError([Fault(where, f"{max(lever.scores, key=abs):g}", f"must stay within 100 points, {step:g} more or less")])


def stepped(scenario: Scenario, chosen: list[Lever], step: float) -> Scenario:
    """Return the scenario with some scores ``step`` points higher from calendar period 1 on."""
    raw = scenario.model_dump(exclude_unset=True)
    for lever in chosen:
        first, *later = lever.scores
        scores = [first, *(score + step for score in later or [first])]
        if lever.driver == "satisfaction":
            views = [raw, *(view for view in raw.get("segments", {}).values() if "quality" in (view.get("satisfaction") or {}))]
            for view in views:
                first, *later = view["satisfaction"].get("quality", lever.scores)
                view["satisfaction"]["quality"] = [first, *(score + step for score in later or [first])]
        else:
            raw["drivers"][lever.driver][lever.attribute]["own"] = scores
    return Scenario.model_validate(raw)


def steady(scenario: Scenario, like: Scenario | None = None) -> Scenario:
    """Return the scenario with the arrivals of another one (by default its own), whatever its drivers attract."""
    raw, arriving = scenario.model_dump(exclude_unset=True), cohorts(like or scenario)
    for key, entry in raw.get("cohorts", {}).items():
        for name in ("budget", "response", "growth"):
            entry.pop(name, None)
        entry["customers"] = [float(cohort.planned) for cohort in arriving if cohort.id == key]
    if raw.get("drivers"):
        raw["drivers"].pop("acquisition", None)
    run = {key: value for key, value in raw.get("run", {}).items() if key not in ("precision", "precision_money", "control")}
    if scenario.run.precision is not None or scenario.run.precision_money is not None:
        run["customers"] = next(looks(scenario)) or None
    return Scenario.model_validate({**raw, "run": run})


def _pull(scenario: Scenario, side: Scenario, arrival: int) -> float:
    """Return by how much a side's drivers scale the arrivals of a calendar period, against the scenario's own."""
    return side.drivers.pull(arrival) / scenario.drivers.pull(arrival) if scenario.drivers and side.drivers else 1.0


def _worth(scenario: Scenario, solved: bool) -> dict[str, float]:
    """Return the discounted value of the firm's customers: of all, and where there is a base of it and of the others."""
    if solved:
        return {"all": sum(_by_cohort(scenario, scenario))}
    value = simulate(steady(scenario)).equity.set_index("by")["value"]
    whole = float(value["all"])
    if scenario.base is None:
        return {"all": whole}
    held = float(value["base"])
    return {"all": whole, "base": held, "new": whole - held}


def _by_cohort(scenario: Scenario, side: Scenario) -> Iterator[float]:
    """Yield each cohort's exact value at calendar 0."""
    answers = exact(steady(side, scenario)).by_cohort
    for c, cohort in enumerate(cohorts(scenario)):
        discounted = scenario.discount_factor**cohort.arrival
        yield cohort.customers * _pull(scenario, side, cohort.arrival) * discounted * (answers[c].clv_mean if cohort.customers else 0.0)


def _solved(scenario: Scenario, above: Scenario, below: Scenario) -> dict[str, tuple[float, float]]:
    up, down = (math.fsum(_by_cohort(scenario, side)) for side in (above, below))
    return {"all": ((up - down) / 2.0, 0.0)}


def _simulated(scenario: Scenario, above: Scenario, below: Scenario) -> dict[str, tuple[float, float]]:
    """Return half of the difference between two sides, and its standard error, for all and where there is a base for it and the others."""
    up, down = (simulate(_kept(steady(side, scenario))) for side in (above, below))
    sample = up.sample
    scale = np.array([cell.firm * scenario.discount_factor**cell.arrival / 2.0 for cell in sample.cells])
    pulled = [np.array([1.0 if cell.base else _pull(scenario, side, cell.arrival) for cell in sample.cells]) for side in (above, below)]
    based = np.array([cell.base for cell in sample.cells])
    groups = {"all": np.ones_like(based)} | ({"base": based, "new": ~based} if based.any() else {})
    if not sample.independent:
        paths = [cell_means(run.sample, AFTER) * pull for run, pull in zip((up, down), pulled, strict=True)]
        values = {of: path_means((paths[0] - paths[1])[:, chosen], scale[chosen]) for of, chosen in groups.items()}
        return {of: (float(found.mean()), path_error(found)) for of, found in values.items()}
    mean, variance = _cells(up, down, pulled)
    return {of: _sum(mean[chosen] * scale[chosen], variance[chosen] * scale[chosen] ** 2) for of, chosen in groups.items()}


def _kept(scenario: Scenario) -> Scenario:
    """Return the scenario with customers kept, where they are what is paired."""
    raw = scenario.model_dump(exclude_unset=True)
    return Scenario.model_validate({**raw, "run": {**raw.get("run", {}), "keep_customers": scenario.market is None}})


def _cells(up: "Result", down: "Result", pulled: "list[Floats]") -> "tuple[Floats, Floats]":
    """Return the mean difference of a cell's customers, and the variance of that mean, (g,); 0 for cells of nobody."""
    mean, variance = np.zeros(len(pulled[0])), np.zeros(len(pulled[0]))
    for g, (high, low) in enumerate(pairs(up, down, AFTER)):
        if not len(high):
            continue
        found = pulled[0][g] * high - pulled[1][g] * low
        mean[g] = math.fsum(found.tolist()) / len(found)
        variance[g] = math.fsum(((found - mean[g]) ** 2).tolist()) / (len(found) - 1) / len(found) if len(found) > 1 else math.nan
    return mean, variance


def _sum(mean: "Floats", variance: "Floats") -> tuple[float, float]:
    return math.fsum(mean.tolist()), math.sqrt(math.fsum(variance.tolist()))
