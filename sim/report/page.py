"""The report of a run: one HTML file that needs nothing but itself."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from sim.measures.paths import widening
from sim.report import assumptions, words
from sim.report.panels import quantile
from sim.report.parts import COLUMNS
from sim.report.style import Drawn, inline
from sim.report.words import DASH, PATTERNS

if TYPE_CHECKING:
    from jinja2 import Template

    from sim.scenario.model import Scenario
    from sim.studies.result import Result

TEMPLATE = "report.html.j2"

NO_ERROR = "no error can be told: it takes two simulated customers in every segment and cohort"

SHARED = "no error can be told: customers share luck"


class Card(NamedTuple):
    """One of the three numbers. half: of the 95 % interval, a dash where ``reason`` says why."""

    label: str
    value: str
    half: str
    unit: str
    note: str
    reason: str


def page(result: "Result", drawn: Sequence[tuple[Drawn, str]], draws: int) -> str:
    """Return the report as HTML. The same for equal results, whatever the machine; figures as this version of matplotlib draws them.

    drawn: figures, in their order, each with its SVG; draws: number of the scheme of random numbers, for the receipt.
    """
    scenario = result.scenario
    return template(TEMPLATE).render(
        scenario=scenario,
        title=scenario.label or scenario.name,
        cards=cards(result),
        sentence=_sentence(result),
        figures=[(figure, inlined(figure, svg)) for figure, svg in drawn],
        ledger=_ledger(result),
        segments=_segments(result),
        patterns=_patterns(result) if words.patterned(scenario) else [],
        **assumptions.parts(scenario, result.sample.horizon),
        unit=words.unit(scenario),
        checks=_checks(result),
        warnings=result.warnings,
        receipt=_receipt(result, draws),
    )


@cache
def template(name: str) -> "Template":
    """Return a template of this folder; everything put into it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)


def inlined(figure: Drawn, svg: str) -> Markup:
    """Return a figure's SVG as it may stand in the page."""
    return Markup(inline(svg, figure.name, str(escape(f"{figure.title}. {figure.caption}"))))


def cards(result: "Result") -> list[Card]:
    """Return the answer: CLV, retention over the first year and customer equity, each with its 95 % interval."""
    scenario, clv, equity = result.scenario, result.clv.iloc[0], result.equity.iloc[0]
    horizon = result.sample.horizon
    year = min(scenario.periods_per_year, horizon)
    whole = result.retention[result.retention["by"] == "all"]
    survival = whole["survival"].iloc[year]
    error = words.share_error(survival, whole["survival_se"].iloc[year], whole["at_risk"].iloc[: year + 1].max())
    span = words.periods(scenario, year)
    name = "First-year retention" if year == scenario.periods_per_year else f"Retention over {span}"
    kept = f"share of customers not lost within {span}, of those who became active by then"
    who = "prospect, won or not," if words.newcomer(scenario) == "prospect" else "customer"
    worth = f"mean of a new {who} over {words.periods(scenario, horizon)}, after acquisition cost, discounted to arrival"
    costs = f" and the firm's {words.firm_costs(scenario)}" if equity["firm_cost"] > 0 else ""
    costs = f", less budgets{costs}" if equity["budget"] > 0 else f", less{costs.removeprefix(' and')}" if costs else ""
    firm = f"CLV of all {words.plain(equity['customers'])} {words.newcomer(scenario)}s, discounted to calendar {scenario.period} 0{costs}"
    wider, reasons = widening(result.sample), _reasons(result)
    return [
        _card("Customer lifetime value (CLV)", clv["mean"], clv["se"] * wider, scenario.currency, worth, reasons[0]),
        _card(name, survival, error, f"{words.SPACE}%", kept, reasons[1], 100.0),
        _card("Customer equity", equity["equity"], equity["se"] * wider, scenario.currency, firm, reasons[0]),
    ]


def _reasons(result: "Result") -> tuple[str, str]:
    """Return why money, and why a share, may have no error."""
    if result.sample.independent:
        return NO_ERROR, NO_ERROR
    return (NO_ERROR, SHARED) if result.sample.replicates > 1 else (f"conditional on this {result.sample.shared}",) * 2


def _card(label: str, value: float, se: float, unit: str, note: str, reason: str, scale: float = 1.0) -> Card:
    number, half = words.estimate(value, se, scale)
    if number == DASH:
        return Card(label, DASH, "", "", note, "nobody is in this share")
    return Card(label, number, half, unit, note, reason if half == DASH else "")


def _sentence(result: "Result") -> str:
    """Return the answer in words."""
    scenario, after, before = result.scenario, result.clv.iloc[0], result.clv.iloc[1]
    span, who, wider = words.periods(scenario, result.sample.horizon), words.newcomer(scenario), widening(result.sample)
    said = f"Over {span} a new {who} brings {words.money(scenario, before['mean'], before['se'] * wider)}"
    cost = before["mean"] - after["mean"]
    if cost > 0:
        price = words.told_apart(cost, 10 * words.LEVEL * after["se"])
        left = words.money(scenario, abs(after["mean"]), after["se"] * wider)
        said += f" and costs {price}{_currency(scenario)} to win: {left} "
        said += "remain" if after["mean"] >= 0 else "are lost"
    loss = f"{words.percent(after['share_negative'])} of the {who}s bring" if after["share_negative"] > 0 else f"No {who} brings"
    said += f". {loss} a loss."
    if who == "prospect":
        won = result.clv[(result.clv["by"] == "acquired") & (result.clv["measure"] == "clv")].iloc[0]
        said += f" {words.percent(won['share'])} become customers, who are worth {words.money(scenario, won['mean'], won['se'])} each."
    return said


def _currency(scenario: "Scenario") -> str:
    return f"{words.SPACE}{scenario.currency}" if scenario.currency else ""


def _ledger(result: "Result") -> list[tuple[str, str]]:
    means = result.ledger[result.ledger["by"] == "all"].set_index("column")["mean"].to_dict()
    size = max([abs(mean) for mean in means.values()]) / 10
    rows = [(label, words.told_apart(means[column], size)) for column, label in COLUMNS.items() if means.get(column)]
    return [*rows, ("CLV", words.told_apart(result.clv["mean"].iloc[0], size))]


def _segments(result: "Result") -> list[dict[str, str]]:
    scenario, clv = result.scenario, result.clv[result.clv["measure"] == "clv"]
    return [
        {
            "label": words.segment(scenario, row["id"]),
            "share": words.percent(row["share"]),
            "clv": _interval(row["mean"], row["se"] * widening(result.sample)),
            "median": quantile(row, "q50", result.sample.kept is not None)[1],
            "negative": words.percent(row["share_negative"]),
        }
        for row in clv[clv["by"] == "segment"].to_dict("records")
    ]


def _interval(value: float, se: float) -> str:
    number, half = words.estimate(value, se)
    return number if half == DASH else f"{number} ± {half}"


def _patterns(result: "Result") -> list[dict[str, str]]:
    whole = result.patterns[result.patterns["by"] == "all"]
    everybody = whole["customers"].sum()
    return [
        {
            "label": PATTERNS[row["pattern"]][0],
            "meaning": PATTERNS[row["pattern"]][1],
            "share": words.percent(row["share"], words.share_error(row["share"], row["share_se"], everybody)),
            "clv": _interval(row["clv"], row["clv_se"] if row["customers"] > 1 else math.nan),
        }
        for row in whole[whole["customers"] > 0].to_dict("records")
    ]


def _checks(result: "Result") -> list[tuple[str, str, str, str]]:
    """Return what was checked: quantity, simulated, exact, verdict."""
    row, exact, summary = result.clv.iloc[0], result.exact, result.summary()
    reason = summary["exact_reason"] or ""
    found = summary["exact"]
    mean, half = words.estimate(row["mean"], row["se"] * widening(result.sample))
    said = mean if half == DASH else f"{mean} ± {half}"
    if found is None:
        where, _, why = reason.rpartition(": ")
        checks = [("Mean CLV", said, DASH, f"no exact answer: {why}" + (f" ({where})" if where else ""))]
    else:
        checks = [("Mean CLV", said, words.plain(found["clv_mean"]), _verdict(found["z"], row["mean"], found["clv_mean"]))]
        spread = found["clv_sd"]
        apart = f"{words.percent(abs(row['sd'] / spread - 1))} apart" if spread and math.isfinite(row["sd"]) else reason
        apart = "equal" if spread == row["sd"] else apart
        checks.append(("Standard deviation of CLV between customers", words.plain(row["sd"]), words.plain(spread), apart))
    checks += _controlled(result, summary)
    beyond = result.residual
    share = f"{words.percent(beyond['share'])} of the value over an endless life" if math.isfinite(beyond["share"]) else "share not defined"
    how = "from theory" if beyond["method"] == "exact" else "estimated: the last year's cash and retention carried on"
    value = words.plain(beyond["value"])
    theory = beyond["method"] == "exact"
    checks.append(("Value per customer beyond the horizon", DASH if theory else value, value if theory else DASH, f"{share}; {how}"))
    if exact.node_error > 1e-9:
        checks.append(("Rounding of the exact answer", DASH, f"{exact.node_error:.0e}", "relative; by halving its quadrature"))
    return checks


def _controlled(result: "Result", summary: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return the mean by control variate, where it was asked for."""
    if not result.scenario.run.control:
        return []
    found = summary["controlled"]
    name = "Mean CLV, helped by the nearest solvable case"
    if found is None:
        return [(name, DASH, DASH, f"none: {summary['controlled_reason']}")]
    what = f"variance saved {words.percent(found['variance_saved'])}; exact is the case without {', '.join(found['without'])}"
    return [(name, _interval(found["mean"], found["se"]), words.plain(found["exact"]), what)]


def _verdict(z: float | None, mean: float, exact: float) -> str:
    if z is None:
        return "equal" if math.isclose(mean, exact, rel_tol=1e-9, abs_tol=1e-9) else "no error to measure the distance by"
    size = abs(z)
    seldom = (
        "within 2, as in 95 of 100 runs" if size <= 2 else "between 2 and 3, as in 4 of 100 runs" if size <= 3 else "beyond 3: look into it"
    )
    return f"z = {words.told_apart(z, 1.0)} standard errors: {seldom}"


def _receipt(result: "Result", draws: int) -> list[tuple[str, str]]:
    from importlib.metadata import version

    from sim import __version__

    scenario, run = result.scenario, result.scenario.run
    customers = result.sample.simulated
    several = f" in each of {run.replicates:,} replicates" if run.replicates > 1 else ""
    return [
        ("Scenario", scenario.name),
        ("Seed", str(run.seed)),
        ("Customers simulated", f"{customers:,}{several}"),
        *([("Of them followed", f"{len(result.followed.panel.cell):,}")] if run.panel else []),
        ("clvsim", __version__),
        ("Scheme of the random numbers", str(draws)),
        ("Figures by", f"matplotlib {version('matplotlib')}"),
    ]
