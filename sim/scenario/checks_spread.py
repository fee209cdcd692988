"""Rules that keep what differs between customers within what can be drawn: spreads, Betas, the busiest and the rarest buyers.

Within these limits the compiled quantile tables keep mean and second moment to 1e-6 and never fall. See checks.py, which runs them.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from sim.scenario.base import MOST_MONEY
from sim.scenario.checks_customers import last_period
from sim.scenario.errors import Fault
from sim.scenario.raw import Raw, edges, mapping, number, numbers, per_year, rate_period, season, show, spreading, stages

Rule = Callable[[Raw], Iterator[Fault]]

LEAST_MEAN = 1e-12
LEAST_SPREAD = 0.001
MOST_SPREAD = {"gamma": 5.0, "lognormal": 4.0}
LEAST_BETA, MOST_BETA = 0.01, 1e4
MAX_ORDERS = 650.0
"""Largest mean orders of a period of any customer: their number comes from one uniform, term by term from exp(-mean)."""
Z_BUSIEST = 6.5
"""The standard normal at which the quantile tables end: no customer is further out."""


def spreads(raw: Raw) -> Iterator[Fault]:
    """Require that spreads are none or neither so small nor so large that a quantile table fails."""
    for place, trait in spreading(raw):
        yield from _trait_spread(place, mapping(trait))
    yield from _cv("knowledge.cv", mapping(raw, "knowledge").get("cv"), "lognormal")
    amount = mapping(raw, "purchases", "amount")
    if amount.get("distribution") in tuple(MOST_SPREAD):  # what is malformed may not be hashable
        given = {f"stages.{key}.amount_cv": stage.get("amount_cv") for key, stage in stages(raw)}
        for where, cv in {"purchases.amount.cv": amount.get("cv"), **given}.items():
            yield from _cv(where, cv, amount["distribution"])
    variance = number(mapping(raw, "frailty").get("variance"))
    least, most = LEAST_SPREAD**2, MOST_SPREAD["gamma"] ** 2
    if variance is not None and variance > 0 and not least <= variance <= most:
        yield Fault("frailty.variance", show(raw["frailty"]["variance"]), f"must be 0 or 0.000001 to {most:g}, a spread of 0.001 to 5")


def _trait_spread(where: str, trait: dict[str, Any]) -> Iterator[Fault]:
    shape = number(trait.get("shape"))
    if shape is None:
        yield from _cv(f"{where}.cv", trait.get("cv"), trait.get("distribution", "gamma"))
    elif shape > 0 and not MOST_SPREAD["gamma"] ** -2 <= shape <= 1e6:
        yield Fault(f"{where}.shape", show(trait["shape"]), "must be 0.04 to 1,000,000, a spread of 0.001 to 5")


def _cv(where: str, value: Any, distribution: Any) -> Iterator[Fault]:
    cv, most = number(value), MOST_SPREAD.get(distribution) if isinstance(distribution, str) else None
    if cv is not None and most is not None and cv > 0 and not LEAST_SPREAD <= cv <= most:
        of = " of a lognormal" if distribution == "lognormal" else ""
        yield Fault(where, show(value), f"the spread{of} must be 0 or {LEAST_SPREAD:g} to {most:g}")


def betas(raw: Raw) -> Iterator[Fault]:
    """Require that Betas are neither so narrow nor so near to 0 and 1 that a quantile table fails."""
    found = {f"stages.{stage}.to.{key}.beta": mapping(edge, "beta") for stage, key, edge in edges(raw)}
    for where, pair in {**found, "purchases.probability": mapping(raw, "purchases", "probability")}.items():
        a, b = number(pair.get("a")), number(pair.get("b"))
        if a is not None and b is not None and min(a, b) > 0 and not (min(a, b) >= LEAST_BETA and a + b <= MOST_BETA):
            yield Fault(where, f"a {a:g}, b {b:g}", f"a and b must be {LEAST_BETA:g} or more and a + b at most {MOST_BETA:,.0f}")


def _mean(trait: Any) -> float | None:
    """Return the mean of a trait, None where it is malformed."""
    if not isinstance(trait, dict):
        return number(trait)
    shape, inverse = number(trait.get("shape")), number(trait.get("rate"))
    if trait.get("mean") is None and shape and inverse and min(shape, inverse) > 0:
        return shape / inverse
    return number(trait.get("mean"))


def means(raw: Raw) -> Iterator[Fault]:
    """Refuse a mean too small to be counted, and an amount, given by shape and rate, beyond those that can be given as a number."""
    for where, trait in spreading(raw):
        mean = _mean(trait)
        by_shape = isinstance(trait, dict) and trait.get("mean") is None
        if mean is not None and 0 < mean < LEAST_MEAN:
            yield Fault(where, f"{mean:.6g}", f"a mean must be at least {LEAST_MEAN:g}", "use other units")
        elif mean is not None and mean > MOST_MONEY and by_shape and where != "purchases.rate":
            yield Fault(where, f"{mean:.6g}", f"shape / rate must be at most {MOST_MONEY:,.0f}")


def divided_wallet(raw: Raw) -> Iterator[Fault]:
    """Refuse a chance of 0 under a wallet: an order is wallet / probability."""
    found = mapping(raw, "purchases")
    chance = found.get("probability")
    value = number(chance.get("value") if isinstance(chance, dict) else chance)
    if found.get("kind") == "bernoulli" and found.get("wallet") is not None and value == 0:
        yield Fault("purchases.probability", "0", "must be above 0 where a wallet is divided by it", "give order_value instead")


def order_rate(raw: Raw) -> Iterator[Fault]:
    """Refuse more orders a period of any customer than can be drawn."""
    found = most_orders(raw)
    if found is None or found <= MAX_ORDERS:
        return
    times = _busiest(mapping(raw, "purchases", "rate"))
    if times > 1:
        rule = f"the busiest customers would order {found:.6g} times a period, and {MAX_ORDERS:g} is the most"
        yield Fault("purchases.rate", f"{found / times:.6g} on average", rule, "use a shorter period or a smaller spread")
    else:
        yield Fault("purchases.rate", f"{found:.6g}", f"at most {MAX_ORDERS:g} orders a period", "use a shorter period")


def most_orders(raw: Raw) -> float | None:
    """Return the mean orders a period of the busiest customers, in the busiest season and stage; None where orders are not Poisson."""
    found = mapping(raw, "purchases")
    rate = found.get("rate")
    mean, year = _mean(rate), per_year(raw.get("period"))
    if found.get("kind") != "poisson" or mean is None or mean <= 0 or not year or any(_trait_spread("rate", mapping(found, "rate"))):
        return None
    mean *= per_year(rate_period(raw, found)) / year * season(raw, "orders", last_period(raw))
    mean *= max((max(numbers(stage.get("orders", 1.0)), default=0.0) for _, stage in stages(raw)), default=0.0)
    return mean * _busiest(mapping(found, "rate"))


def recruits(raw: Raw) -> Iterator[Fault]:
    """Refuse more recruits a period of any customer than can be drawn."""
    talk = mapping(raw, "word_of_mouth")
    reach, mean, influence = number(talk.get("reach")), _mean(talk.get("influence", 1.0)), mapping(talk, "influence")
    if talk.get("recruits") is None or not reach or mean is None or any(_trait_spread("influence", influence)):
        return
    most = reach * mean * _busiest(influence)
    if most > MAX_ORDERS:
        rule = f"the most influential customers would win {most:.6g} others a period, and {MAX_ORDERS:g} is the most that can be drawn"
        yield Fault("word_of_mouth.reach", show(talk["reach"]), rule, "give a smaller reach")


def _busiest(trait: dict[str, Any]) -> float:
    """Return the largest multiple of its mean that a trait takes."""
    shape, cv = number(trait.get("shape")), number(trait.get("cv")) or 0.0
    if shape is None and cv <= 0:
        return 1.0
    if trait.get("distribution") == "lognormal":
        spread = math.sqrt(math.log1p(cv * cv))
        return math.exp(spread * Z_BUSIEST - spread * spread / 2)
    from scipy.special import gammainccinv, ndtr

    shape = shape if shape is not None and shape > 0 else cv**-2
    return float(gammainccinv(shape, float(ndtr(-Z_BUSIEST)))) / shape


EACH: tuple[Rule, ...] = (betas, divided_wallet, means, order_rate, recruits, spreads)
