"""Contacts and products by tenure, against customers followed one by one."""

import numpy as np
import pytest

from sim.measures.activity import done, response_rate
from sim.studies.simulate import simulate
from tests import naive
from tests.measures.cases import part
from tests.zoo import scenario


@pytest.mark.parametrize("name", ["active", "active_orders"])
def test_means_and_errors_are_those_of_customers_one_by_one(name: str) -> None:
    found = simulate(scenario(name, customers=80))
    tables, horizon = found.tables_read, found.sample.horizon
    lives = [
        [naive.live(tables, 0, g, 0, serial, horizon).done for serial in range(cell.sampled)] for g, cell in enumerate(found.sample.cells)
    ]
    for g, segment in enumerate(("keen", "cool")):
        for place, measure in enumerate(("contacts", "products", "added")):
            rows = part(found.activity[found.activity["measure"] == measure], "segment", segment).set_index("t")
            for t in (0, 2, 5):
                values = np.array([life[t][place] for life in lives[g] if t in life])
                assert rows.loc[t, "active"] == values.size
                assert rows.loc[t, "mean"] == pytest.approx(values.mean(), rel=1e-12)
                residuals = np.zeros(len(lives[g]))
                residuals[: values.size] = values - values.mean()
                se = residuals.std(ddof=1) * np.sqrt(residuals.size) / values.size
                assert rows.loc[t, "se"] == pytest.approx(se, rel=1e-9, abs=1e-12)
    contacts = sum(counts[0] for cell in lives for life in cell for counts in life.values())
    periods = sum(len(life) for cell in lives for life in cell)
    assert response_rate(found.sample) == pytest.approx(contacts / periods, rel=1e-12)  # shares of the sample are those of the firm


def test_only_what_is_on() -> None:
    alone = simulate(scenario("contacts_alone", customers=50))
    assert done(alone.sample) == ("contacts",)
    assert set(alone.activity["measure"]) == {"contacts"}
    assert "activity" in alone.names
    plain = simulate(scenario("chain", customers=50))
    assert plain.outcome.tally.activity.size == 0
    assert {"activity", "offers", "unit_cost"} & set(plain.names) == set()
    assert plain.summary()["response_rate"] is None


def test_information_by_contact_is_in_its_column_and_columns_add_up() -> None:
    sample = simulate(scenario("active", customers=300, replicates=2)).sample
    assert "information" in sample.columns
    reported = sample.cash[:, :, list(sample.columns.values())].sum(axis=(1, 2))
    clv = sample.tally.moments[0, :, :, 1, 2:4].astype(object)
    assert (reported == (clv[..., 0] * 2**32 + clv[..., 1]).sum(axis=1)).all()
