"""How customers spend and how they differ in it, as numbers: wallet, rate, frailty, beta edges, totals of orders."""

from collections.abc import Sequence

import numpy as np

from sim.compile.quantiles import Library, beta, positive, standardised
from sim.kernels.types import BERNOULLI, POISSON, SUBSCRIPTION, Array
from sim.scenario import Scenario
from sim.scenario.base import PERIODS_PER_YEAR
from sim.scenario.purchases import Bernoulli, Poisson, Trait

PURCHASES = {"subscription": SUBSCRIPTION, "bernoulli": BERNOULLI, "poisson": POISSON}


def _table_of(trait: Trait, library: Library) -> int:
    """Return 1 + the number of a trait's table of mean 1, or 0 for a trait that does not vary."""
    cv, name = trait.cv_value, trait.distribution
    return 1 + library.number(positive, name, cv) if cv > 0 else 0


def wallet_of(scenario: Scenario) -> Trait:
    """Return what customers spend by: wallet, or order value."""
    how = scenario.purchases
    if isinstance(how, Poisson):
        return how.order_value
    return how.wallet or (how.order_value if isinstance(how, Bernoulli) else None) or Trait(mean=1.0)


def traits(scenario: Scenario, betas: Sequence[str], library: Library, purchase_units: Array) -> dict[str, Array]:
    """Tables and means of wallet (or order value), rate (or ordering chance), frailty and the beta edges."""
    how, wallet = scenario.purchases, wallet_of(scenario)
    rate_table, rate_value = 0, 1.0
    if isinstance(how, Poisson):
        rate_table = _table_of(how.rate, library)
        rate_value = how.rate.mean_value * PERIODS_PER_YEAR[how.rate_period or scenario.period] / scenario.periods_per_year
    elif isinstance(how, Bernoulli):
        chance = how.probability
        if chance.a is not None and chance.b is not None:
            a, b = chance.a, chance.b
            rate_table = 1 + library.number(beta, a, b)
        else:
            rate_value = chance.value or 0.0
    frailty = Trait(mean=1.0, cv=scenario.frailty.variance**0.5)
    beta_table = np.zeros(len(betas), np.uint32)
    for stage_id, stage in scenario.stages.items():
        for edge_id, edge in stage.to.items():
            if edge.beta is not None:
                a, b = edge.beta.a, edge.beta.b
                beta_table[betas.index(f"{stage_id}.{edge_id}")] = 1 + library.number(beta, a, b)
    return {
        "purchase": np.array(PURCHASES[how.kind], np.uint32),
        "purchase_units": purchase_units * wallet.mean_value,  # a customer's wallet itself is kept relative to the mean
        "wallet_mean": np.array(wallet.mean_value, np.float32),
        "wallet_table": np.array(_table_of(wallet, library), np.uint32),
        "rate_table": np.array(rate_table, np.uint32),
        "rate_value": np.array(rate_value, np.float32),
        "wallet_by_rate": np.array(isinstance(how, Bernoulli) and how.wallet is not None, np.uint32),
        "frailty_table": np.array(_table_of(frailty, library), np.uint32),
        "beta_table": beta_table,
    }


def amounts(scenario: Scenario, library: Library, nodes: Sequence[int]) -> dict[str, Array]:
    """Tables of a period's total by number of orders, for each stage's coefficient of variation."""
    cv = np.zeros(len(scenario.stages), np.float32)
    tables = np.zeros((len(scenario.stages), len(nodes)), np.uint32)
    how = scenario.purchases
    if isinstance(how, Bernoulli | Poisson) and how.amount.distribution != "fixed":
        name = how.amount.distribution
        for s, stage in enumerate(scenario.stages.values()):
            own = how.amount.cv if stage.amount_cv is None else stage.amount_cv
            cv[s] = own
            for place, n in enumerate(nodes if own > 0 else ()):
                total = own / n**0.5
                tables[s, place] = library.number(standardised, name, total)
    return {"amount_cv": cv, "amount": tables}
