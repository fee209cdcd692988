"""Credit of customers followed: where it is drawn, how it goes with traits, and that nothing but classes looks at it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from sim.measures.classes import Ratings, classed
from sim.measures.credit import credit
from sim.scenario.classes import SHIPPED
from sim.scenario.model import Scenario
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests.naive import philox
from tests.zoo import CHAIN

SEED, CUSTOMERS = 11, 4000
TRAITS: dict[str, Any] = {
    "purchases": {"kind": "subscription", "wallet": {"mean": 1.0, "cv": 0.5, "distribution": "lognormal"}},
    "frailty": {"variance": 0.5},
    "correlations": {"wallet": {"frailty": -0.5}},
}
POINTS = {"mean": 650.0, "sd": 80.0, "correlations": {"wallet": 0.3, "frailty": -0.6}}


def followed(**changes: Any) -> Result:
    run = {"panel": CUSTOMERS, "seed": SEED}
    return simulate(Scenario.model_validate({**CHAIN, **TRAITS, "firm": {"customers": CUSTOMERS}, "run": run, **changes}))


def normals(serial: int, purpose: int) -> list[float]:
    """Return the normals of a customer's trait block."""
    words = philox([serial, 0, 0, 65_535 << 16 | purpose], [SEED, 0])
    return [float(special.ndtri((word + 0.5) / 2**32)) for word in words]


@pytest.mark.jit
def test_one_draw_a_customer_at_its_address() -> None:
    found = credit(followed(credit={"mean": 650.0, "sd": 80.0}).followed)
    assert found[:50] == pytest.approx([650 + 80 * normals(i, 6)[0] for i in range(50)], abs=0.01)


@pytest.mark.jit
def test_it_goes_with_traits_as_a_copula() -> None:
    """Correlations within 4 standard errors; the wallet itself, in logarithms, is the kernels'."""
    panel = followed(credit=POINTS).followed
    found = credit(panel)
    z = np.array([normals(i, 0) for i in range(CUSTOMERS)])
    frailty = -0.5 * z[:, 0] + np.sqrt(0.75) * z[:, 2]
    for score, rho in ((np.log(panel.panel.spend), 0.3), (frailty, -0.6)):
        assert np.corrcoef(found, score)[0, 1] == pytest.approx(rho, abs=4 * (1 - rho**2) / CUSTOMERS**0.5)
    assert found.mean() == pytest.approx(650, abs=4 * 80 / CUSTOMERS**0.5)
    assert found.std() == pytest.approx(80, rel=4 / (2 * CUSTOMERS) ** 0.5)


@pytest.mark.jit
def test_nothing_but_classes_looks_at_it() -> None:
    without, having = followed(), followed(credit=POINTS)
    assert without.clv.equals(having.clv)
    assert without.migration.query("classification != 'abcd'").equals(having.migration.query("classification != 'abcd'"))
    assert not without.classes.equals(having.classes)
    weights = {"score": {"current": 2.0, "orders": 1.0, "credit": None}}
    plain = followed(credit=POINTS, classes={"abcd": weights})
    alone = without.classes.query("classification == 'abcd'").reset_index(drop=True)
    pd.testing.assert_frame_equal(plain.classes, alone, check_exact=True)
    assert SHIPPED["abcd"]["score"]["credit"] == 1.0


@pytest.mark.jit
def test_classes_by_credit_alone_are_its_ranks() -> None:
    result = followed(credit=POINTS, classes={"abcd": {"score": {"current": None, "orders": None, "credit": 1.0}}})
    ratings, points = Ratings(result.followed), credit(result.followed)
    found = classed(ratings, result.scenario.classes["abcd"])[1]
    rated = [points[found == place] for place in (4, 3, 2, 1)]  # d to a
    assert all(worse.max() <= better.min() for worse, better in pairwise(rated))
    assert len(rated[3]) / ratings.rated[1].sum() == pytest.approx(0.2, abs=0.02)
