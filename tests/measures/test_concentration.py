"""Concentration against laws whose curve of Lorenz is known."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from sim.kernels.types import UNIT
from sim.measures.concentration import concentration, gini
from sim.measures.sample import Sample
from sim.studies.simulate import simulate
from tests.measures import cases, twin

N = 20_000
NORMAL = NormalDist()


def worth(values: np.ndarray, kept: bool) -> Sample:
    """Return customers of these values."""
    scenario = cases.publisher(horizon=1, run={"customers": values.size})
    return twin.sample(scenario, [twin.Life(0, 0, [0, 0], [-1], [[round(value * UNIT)]]) for value in values], kept=kept)


def means(lorenz: "list[float]") -> np.ndarray:
    """Return the mean of each of N equal parts of the customers, the best first, from what share of a total of 100 N they bring so far."""
    return np.diff(lorenz) * 100 * N


def top(frame: pd.DataFrame, share: float) -> float:
    return float(frame.loc[frame["customers"] == share, "value"].iloc[0])


@pytest.mark.parametrize("kept", [True, False])
def test_pareto_of_80_20(kept: bool) -> None:
    index = np.log(5) / np.log(4)
    sample = worth(np.random.default_rng(1).permutation(means([(i / N) ** (1 - 1 / index) for i in range(N + 1)])), kept)
    frame = concentration(sample)
    assert top(frame, 0.2) == pytest.approx(0.8, abs=1e-6 if kept else 2e-3)
    assert top(frame, 0.04) == pytest.approx(0.64, abs=1e-6 if kept else 2e-3)
    assert gini(sample) == pytest.approx(1 / (2 * index - 1), abs=2e-3)


@pytest.mark.parametrize("kept", [True, False])
def test_lognormal_of_80_20(kept: bool) -> None:
    sigma = 1.68324
    inside = [NORMAL.cdf(sigma + NORMAL.inv_cdf(i / N)) for i in range(1, N)]
    sample = worth(means([0.0, *inside, 1.0]), kept)
    assert top(concentration(sample), 0.2) == pytest.approx(0.8, abs=1e-5 if kept else 2e-3)
    assert gini(sample) == pytest.approx(2 * NORMAL.cdf(sigma / np.sqrt(2)) - 1, abs=2e-3)


@pytest.mark.parametrize("kept", [True, False])
def test_the_curve_passes_1_where_some_bring_losses(kept: bool) -> None:
    sample = worth(np.array([50.0] * 4 + [-10.0] * 6), kept)
    frame = concentration(sample).set_index("customers")["value"]
    assert frame.loc[0.4] == frame.max() == pytest.approx(200 / 140, rel=5e-3)
    assert (frame.loc[0.0], frame.loc[1.0]) == (0.0, 1.0)
    assert np.isnan(gini(sample))


def test_equal_values_are_not_concentrated() -> None:
    for sample in (worth(np.full(50, 3.0), True), worth(np.full(50, 3.0), False)):
        frame = concentration(sample)
        np.testing.assert_allclose(frame["value"], frame["customers"], atol=1e-12)
        assert gini(sample) == pytest.approx(0.0, abs=1e-12)


def test_a_loss_in_all_has_no_curve() -> None:
    assert concentration(worth(np.array([-3.0, 1.0]), True))["value"].isna().all()


def test_summary_says_how_concentrated() -> None:
    result = simulate(cases.publisher(acquisition={"cost": 0.0}, run={"customers": 400}))
    found = result.summary()["concentration"]
    assert found == {"top_fifth": top(result.concentration, 0.2), "gini": gini(result.sample)}
    assert 0.2 < found["top_fifth"] < 1
    assert 0 < found["gini"] < 1
