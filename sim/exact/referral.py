"""What customers are worth who bring others: the reproduction number, and the worth of the whole tree that grows from one of them."""

from dataclasses import dataclass

from sim.exact import exact
from sim.scenario.customers import Acquisition
from sim.scenario.model import Scenario


@dataclass(frozen=True)
class Referral:
    """Exact reproduction of one segment's customers.

    kappa: recruits that a customer wins in its life, each discounted from its arrival to the customer's; kappa_0: the same, undiscounted;
    clv: of a planned customer, after acquisition cost, without those it brings; tree: with all who come by it, and by them, for ever.
    """

    kappa: float
    kappa_0: float
    clv: float
    tree: float


def referral(scenario: Scenario) -> Referral | None:
    """Return the reproduction of a scenario of one segment, None where there is no exact one.

    A tree is worth ``m + kappa / (1 - kappa) * r``, m of a planned customer and r of a recruit, which differ by what winning them costs:
    the geometric series of generations. It is exact where satisfaction stays as it began and nothing depends on the calendar; infinite
    where kappa is 1 or more.
    """
    talk, mind = scenario.word_of_mouth, scenario.satisfaction
    if talk is None or talk.recruits is None or mind is None or mind.spread > 0 or mind.speed > 0 or scenario.horizon == "inf":
        return None
    if any(value and "influence" in (one, other) for one, row in scenario.correlations.items() for other, value in row.items()):
        return None
    alone = scenario.model_copy(update={"word_of_mouth": None, "crowd": None, "base": None, "cohorts": {}})
    planned = exact(alone).clv_mean
    recruit = exact(alone.model_copy(update={"acquisition": Acquisition(cost=talk.recruits.fee, due=alone.acquisition.due)})).clv_mean
    if planned is None or recruit is None:
        return None
    each = talk.reach * talk.influence.mean_value * max((mind.initial - 3.0) / 2.0, 0.0)
    kappa, kappa_0 = (each * _active_periods(alone, rate) for rate in (scenario.discount_rate_annual, 0.0))
    tree = planned + kappa / (1.0 - kappa) * recruit if kappa < 1.0 else float("inf")
    return Referral(kappa, kappa_0, planned, tree)


def _active_periods(scenario: Scenario, rate: float) -> float:
    """Return the expected periods in active stages, each as far as it is lived through and discounted from its end."""
    stages = {
        key: stage.model_copy(update={"information": (1.0 if stage.kind == "active" else 0.0,)}) for key, stage in scenario.stages.items()
    }
    changes = {"stages": stages, "discount_rate_annual": rate, "timing": scenario.timing.model_copy(update={"streams": "end"})}
    cash = exact(scenario.model_copy(update=changes)).cash
    assert cash is not None
    return float(cash["information"].sum())
