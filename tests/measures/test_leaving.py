"""Losses and declines by cause, against lives taken one by one."""

import numpy as np
import pandas as pd
import pytest

from sim.measures import leaving
from sim.studies.simulate import simulate
from tests.measures import cases, mindful, twin
from tests.measures.cases import part
from tests.zoo import CHAIN

LOST = {"lost": {"kind": "lost"}}
STAGES = {
    "trial": {"rank": 1, "to": {"lost": {"probability": 0.1, "cause": "own"}, "steady": {"probability": 0.3}}},
    "steady": {"rank": 3, "to": {"fading": {"probability": 0.2, "cause": "rival"}, "lost": {"probability": 0.1, "cause": "natural"}}},
    "fading": {"to": {"lost": {"probability": 0.4}}},
    **LOST,
}
SCENARIO = cases.publisher(start="trial", stages=STAGES, firm={"customers": 400})
LIVES = twin.lives(SCENARIO)
SAMPLE = twin.sample(SCENARIO, LIVES)


def found(frame: pd.DataFrame, column: str, move: str, cause: str) -> float:
    """Return one number of the frame ``causes``."""
    return float(frame.loc[(frame["move"] == move) & (frame["cause"] == cause), column].item())


def test_causes_of_lives_one_by_one() -> None:
    frame = leaving.leaving(SAMPLE)
    assert set(zip(frame["move"], frame["cause"], strict=True)) == {
        ("lost", "own"),
        ("lost", "natural"),
        ("lost", "not stated"),
        ("decline", "rival"),
    }
    names = ["own", "", "rival", "natural", "not stated"]  # of the edges, in file order
    for t in range(10):
        active = sum(life.stages[t] != 3 for life in LIVES)
        lost = [names[life.edges[t]] for life in LIVES if life.stages[t] != 3 and life.stages[t + 1] == 3]
        for cause in ("own", "natural", "not stated"):
            row, share = frame[frame["t"] == t], lost.count(cause) / len(lost)
            assert found(row, "rate", "lost", cause) == pytest.approx(lost.count(cause) / active)
            assert found(row, "share", "lost", cause) == pytest.approx(share)
            residuals = np.array([float(one == cause) - share for one in lost] + [0.0] * (400 - len(lost)))
            assert found(row, "share_se", "lost", cause) == pytest.approx(residuals.std(ddof=1) * 20 / len(lost))


def test_premature_is_all_but_natural() -> None:
    frame = leaving.causes(SAMPLE)
    either = frame[(frame["move"] == "either") & ~frame["cause"].isin(["premature", "natural"])]
    assert found(frame, "share", "lost", "premature") == pytest.approx(1 - found(frame, "share", "lost", "natural"))
    assert found(frame, "per_customer", "either", "premature") == pytest.approx(either["per_customer"].sum())
    moved = sum(life.edges.count(2) for life in LIVES)
    assert found(frame, "per_customer", "decline", "rival") == moved / 400
    np.testing.assert_allclose(frame[frame["cause"] != "premature"].groupby("move")["share"].sum(), 1.0)


def test_errors_only_where_a_customer_moves_once() -> None:
    """One may decline and then be lost, which are two moves of either kind."""
    frame = leaving.causes(SAMPLE)
    n, share = sum(3 in life.stages for life in LIVES), found(frame, "share", "lost", "own")
    outcomes = np.zeros(400)
    outcomes[:n] = -share
    outcomes[: round(share * n)] += 1.0
    assert found(frame, "share_se", "lost", "own") == pytest.approx(outcomes.std(ddof=1) * 20 / n)
    assert frame.loc[frame["move"] == "either", "share_se"].isna().all()
    back = simulate(cases.publisher(**{key: CHAIN[key] for key in ("stages", "start", "period", "horizon")}))
    recovering = back.causes
    assert np.isnan(found(recovering, "share_se", "decline", "not stated"))
    assert np.isfinite(found(recovering, "share_se", "lost", "not stated"))


def test_groups_and_markets() -> None:
    shared, calm = mindful.result(), mindful.calm()
    assert shared.leaving[["rate_se", "share_se"]].isna().all(axis=None)
    assert np.isfinite(calm.leaving.query("t == 3 and cause == 'rival'")["share_se"]).all()
    flows = part(calm.flows, "segment", "cool")
    taken = flows[(flows["target"] == "lost") & (flows["cause"] == "rival")]["per_customer"].sum()
    rows = part(calm.causes, "segment", "cool")
    assert found(rows, "per_customer", "lost", "rival") == pytest.approx(taken)


def test_nobody_leaves_where_nothing_leads_out() -> None:
    nobody = simulate(cases.publisher(stages={"subscribed": {"price": 1.0}}, run={"customers": 5}))
    assert nobody.leaving.empty
    assert nobody.causes["share"].isna().all()
    assert (nobody.causes["per_customer"] == 0).all()
