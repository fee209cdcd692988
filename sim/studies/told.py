"""Parts of an explanation in words."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from sim.exact import Exact, chain, traits
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli, Chance, Poisson, Trait
from sim.scenario.world import Season

MANY_AGES = 12
"""Changes by stage age that are told one by one."""

SOME_AGES = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
"""Stage ages that are told of longer lists."""

MUCH_WORK = 20_000_000
"""What takes a second or a few."""

MANY_SEGMENTS = 6
"""Differing segments that are told one by one."""


def heading(scenario: Scenario) -> list[str]:
    """Return what the scenario is."""
    rate = f"discounted at {100 * scenario.discount_rate_annual:.4g} % a year"
    if scenario.period != "year":
        rate += f" ({100 * (1 / scenario.discount_factor - 1):.4g} % a {scenario.period})"
    horizon = "for ever" if scenario.horizon == "inf" else f"{scenario.horizon:,} {scenario.period}s"
    told = [f"{scenario.name}: {scenario.label}" if scenario.label else scenario.name]
    told += [f"source: {scenario.source}" if scenario.source else ""]
    told += [f"time: {horizon}, {rate}", f"purchases: {purchases(scenario)}"]
    return [line for line in told if line] + customers_differ(scenario)


def purchases(scenario: Scenario) -> str:
    """Return how customers spend."""
    entry = scenario.purchases
    if isinstance(entry, Bernoulli):
        worth = _trait("order", entry.order_value) if entry.order_value is not None else _trait("wallet", entry.wallet)
        return f"at most one order a {scenario.period}, {_chance(entry.probability)}; {worth}{_amount(entry)}"
    if isinstance(entry, Poisson):
        orders = f"{_trait('orders', entry.rate)} a {entry.rate_period or scenario.period} (Poisson)"
        return f"{orders}; {_trait('order', entry.order_value)}{_amount(entry)}"
    return f"every {scenario.period} in an active stage; {_trait('wallet', entry.wallet)}"


def _trait(name: str, trait: Trait | None) -> str:
    if trait is None:
        return name
    spread = f" ({trait.distribution}, CV {trait.cv_value:.4g} between customers)" if trait.cv_value else ""
    return f"{name} of mean {trait.mean_value:.4g}{spread}" if spread else f"{name} of {trait.mean_value:.4g}"


def _chance(chance: Chance) -> str:
    return f"chance {chance.value:.4g}" if chance.value is not None else f"chance Beta({chance.a:g}, {chance.b:g}) between customers"


def _amount(entry: Bernoulli | Poisson) -> str:
    return "" if entry.amount.distribution == "fixed" else f"; amounts {entry.amount.distribution}, CV {entry.amount.cv:.4g}"


def customers_differ(scenario: Scenario) -> list[str]:
    """Return segments, acquisition and cohorts, a line each."""
    found = []
    if scenario.segments:
        listed = [f"{key} {segment.share:.4g}" for key, segment in scenario.segments.items()]
        more = f" and {len(listed) - MANY_SEGMENTS} more" if len(listed) > MANY_SEGMENTS else ""
        found.append(f"segments, by share: {', '.join(listed[:MANY_SEGMENTS])}{more}")
    costs = {key: amount(view.acquisition.cost) for key, view in scenario.by_segment.items()}
    if set(costs.values()) != {"0.00"}:
        due = scenario.acquisition.due if scenario.stages[scenario.start].kind == "prospect" else "arrival"
        found.append(f"acquisition on {due}, a customer: {by_segment(costs)}")
    if scenario.cohorts:
        found.append(
            f"cohorts: {', '.join(list(scenario.cohorts)[:MANY_SEGMENTS])}{', …' if len(scenario.cohorts) > MANY_SEGMENTS else ''}"
        )
    if scenario.base is not None and scenario.existing is not None:
        held = zip(scenario.stages, scenario.existing.counts.sum(axis=0).tolist(), strict=True)
        where = ", ".join(f"{key} {count:,}" for key, count in held if count)
        found.append(f"existing customers: {scenario.existing.stage.size:,} ({where}), from {scenario.base.file}")
    return found


def amount(money: float) -> str:
    """Return money with two decimals, or as many as show a small amount."""
    return f"{money:,.2f}" if money == 0 or abs(money) >= 0.1 else f"{money:.3g}"


def by_age(values: Sequence[str]) -> str:
    """Return values by stage age, those that hold told once: ``0.4 at age 0, 0.3 at 1, 0.2 from 2 on``."""
    runs = [(next(group)[0], value) for value, group in groupby(enumerate(values), key=lambda item: item[1])]
    if len(runs) == 1:
        return values[0]
    if len(runs) > MANY_AGES:
        chosen = [age for age in SOME_AGES if age < len(values) - 1]
        runs = [*((age, values[age]) for age in chosen), (len(values) - 1, values[-1])]
        return ", ".join(f"{value} at {'age ' if age == 0 else ''}{age}" for age, value in runs)
    told = []
    for (age, value), (after, _) in zip(runs, [*runs[1:], (0, "")], strict=True):
        span = f"{age}" if after - age == 1 else f"{age} to {after - 1}"
        told.append(f"{value} at {'age ' if age == 0 else ''}{span}" if after else f"{value} from {age} on")
    return ", ".join(told)


def by_segment(values: Mapping[str, str]) -> str:
    """Return what holds in each segment: once where it is the same in all, else with those it holds in."""
    found: dict[str, list[str]] = {}
    for segment, value in values.items():
        found.setdefault(value, []).append(segment)
    if len(found) == 1:
        return next(iter(found))
    told = [f"{', '.join(who[:3])}{f' and {len(who) - 3} more' if len(who) > 3 else ''} {value}" for value, who in found.items()]
    more = f"; {len(told) - MANY_SEGMENTS} more values" if len(told) > MANY_SEGMENTS else ""
    return "; ".join(told[:MANY_SEGMENTS]) + more


def what_changes(scenario: Scenario) -> list[str]:
    """Return, in words, what makes chances and cash differ from those told: traits, calendar, exposure, hazards beside probabilities."""
    views = list(scenario.by_segment.values())
    edges = [(stage, edge) for view in views for stage in view.stages.values() for edge in stage.to.values()]
    found = [f"Chances are those of a {scenario.period}, and cash is undiscounted; both by stage age, periods since the stage was entered."]
    if any(_mixed(view) for view in views):
        found.append("A probability beside edges given otherwise is what it would be without them; shown is what comes of all.")
    if any(edge.beta is not None for _, edge in edges):
        found.append(
            "Beta: each customer draws a chance and keeps it. Shown is a customer of the mean chance; the share of customers who leave is "
            "another where the chance meets other edges or another period, and falls as those likely to leave go."
        )
    variances = {key: f"{view.frailty.variance:g}" for key, view in scenario.by_segment.items()}
    if any(view.frailty.variance > 0 for view in views):
        where = ", ".join(scenario.frailty.edges or ()) or "all edges into a lost stage"
        frailty = f"Frailty: hazards of {where} are multiplied by a gamma draw a customer, of mean 1 and variance {by_segment(variances)}"
        found.append(f"{frailty}. Shown is a customer of frailty 1.")
    seasons = {"hazards": scenario.calendar.hazards, "orders": scenario.calendar.orders, "margin": scenario.calendar.margin}
    found += [f"Calendar: {name} times {told}. Shown is a factor of 1." for name, season in seasons.items() if (told := _season(season))]
    if scenario.exposure == "until_exit":
        found.append("Exposure until exit: who leaves pays and costs for the part of the last period that was lived through.")
    return found


def _mixed(view: Scenario) -> bool:
    """Return whether a stage has probabilities or shares beside edges given otherwise."""
    kinds = [{edge.probability is not None or edge.share is not None for edge in stage.to.values()} for stage in view.stages.values()]
    return any(len(kind) == 2 for kind in kinds)


def _season(season: Season) -> str:
    told = []
    if season.multiplier is not None and len(set(season.multiplier)) > 1:
        told.append(f"{min(season.multiplier):g} to {max(season.multiplier):g} through the year")
    elif season.multiplier is not None and season.multiplier[0] != 1.0:
        told.append(f"{season.multiplier[0]:g}")
    if season.growth_annual:
        told.append(f"{1 + season.growth_annual:g} a year, compounding")
    return ", ".join(told)


def theory(scenario: Scenario, exact: Callable[[Scenario], Exact]) -> list[str]:
    """Return what exact answers there are, over the horizon and without end. exact: ``sim.exact``."""
    if _work(scenario) > MUCH_WORK:
        return ["exact: not tried here, for it would take long; clvsim exact does"]
    found = [_answered("exact", exact(scenario))]
    if scenario.horizon != "inf":
        found.append(_answered("exact, horizon=inf", exact(scenario.model_copy(update={"horizon": "inf"}))))
    return found


def _work(scenario: Scenario) -> int:
    """Return how much the exact answers have to go through: rows of the chain, nodes of quadrature and periods."""
    periods = 1 if scenario.horizon == "inf" else scenario.horizon
    total = 0
    for view in scenario.by_segment.values():
        links = chain.build(view)
        total += links.rows * max(1, traits.count(view, links.beta_edges, bool(links.frail.any()))) * periods
    return total


def _answered(name: str, answer: Exact) -> str:
    if answer.reason is not None:
        return f"{name}: none: {answer.reason}"
    told = ["mean CLV" if answer.clv_sd is None else "mean CLV and its standard deviation", "periods and visits in each stage"]
    told += ["survival, retention, occupancy, flows and cash by period"] if len(answer.survival) else []
    told += ["life patterns"] if answer.patterns else []
    why = f"; {answer.sd_reason}" if answer.sd_reason else ""
    return f"{name}: {'; '.join(told)}{why}"
