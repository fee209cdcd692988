"""The Result: every frame, made on demand, the same on any number of threads and by either driver."""

import numpy as np
import pandas as pd
import pytest

from sim.studies.result import FRAMES
from sim.scenario.sample import cells
from sim.studies.simulate import simulate
from tests.measures import cases

RUN = {"customers": 60, "replicates": 2, "keep_customers": True}


def test_frames_are_tidy() -> None:
    result = simulate(cases.relationship(run={**RUN, "keep_customers": False}))
    tables = result.tables()
    assert tuple(tables) == FRAMES
    for name, frame in tables.items():
        assert not frame.empty, name
        assert frame.index.equals(pd.RangeIndex(len(frame))), name
        keys = [column for column in frame.columns if not pd.api.types.is_float_dtype(frame[column])]
        assert not frame.duplicated(keys).any(), name
    assert result.clv is result.clv


def test_customers_where_they_were_kept() -> None:
    scenario = cases.relationship(run=RUN)
    result = simulate(scenario)
    frame = result.customers
    assert list(result.tables()) == [*FRAMES, "customers"]
    assert len(frame) == 120
    assert frame.groupby(["replicate", "cohort", "segment"], sort=False).size().tolist() == [cell.sampled for cell in cells(scenario)] * 2
    assert (frame.groupby(["replicate", "cohort", "segment"])["serial"].max() + 1).sum() == 120
    assert (frame["pattern"] == "unconverted").sum() == result.clv.query("id == 'unconverted'")["customers"].iloc[0]
    assert set(frame["lost_at"].dropna()) <= set(range(9))
    assert frame.loc[frame["pattern"].isin(["early_lapse", "early_retreat"]), "lost_at"].notna().all()
    replicate = frame.groupby(["replicate", "cohort", "segment"], sort=False)["clv"].mean().to_numpy().reshape(2, -1)
    np.testing.assert_allclose(result.replicates["clv"], replicate @ [cell.share for cell in cells(scenario)])


def test_customers_are_refused_where_they_were_not() -> None:
    with pytest.raises(AttributeError, match=r"customers were not kept: simulate with run\.keep_customers=true"):
        _ = simulate(cases.publisher(run={"customers": 2})).customers


@pytest.mark.parametrize("run", [{"threads": 1}, {"threads": 2}, {"driver": "period"}])
def test_machine_settings_change_no_digit(run: dict[str, object]) -> None:
    first = simulate(cases.relationship(run=RUN))
    other = simulate(cases.relationship(run={**RUN, **run}))
    for name, frame in first.tables().items():
        pd.testing.assert_frame_equal(frame, other.tables()[name], check_exact=True)
    one, two = first.summary(), other.summary()
    assert {key for key in one if one[key] != two[key]} <= {"timing"}


def test_text_says_what_was_found() -> None:
    result = simulate(cases.publisher(run={"customers": 50}))
    row = result.clv.iloc[0]
    assert repr(result) == (
        f"<Result of magazine: 50 customers over 10 years, CLV {row['mean']:.2f} ± {row['se']:.2f} CNY (standard error)>"
    )


@pytest.mark.parametrize("keep", [False, True])
def test_a_segment_of_nobody_is_undefined_and_changes_nothing(keep: bool) -> None:
    run = {"customers": 40, "keep_customers": keep}
    alone = simulate(cases.publisher(segments={"readers": {"share": 1.0}}, run=run))
    beside = simulate(cases.publisher(segments={"readers": {"share": 1.0}, "nobody": {"share": 0.0}}, run=run))
    for name, frame in beside.tables().items():
        mine = frame[frame["id"] != "nobody"].reset_index(drop=True) if "id" in frame else frame
        pd.testing.assert_frame_equal(mine, alone.tables()[name], check_exact=True)
    nobody = cases.part(beside.clv, "segment", "nobody")
    assert nobody[["mean", "se", "sd", "q50", "min", "share_negative"]].isna().all(axis=None)
    assert nobody[["customers", "share"]].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert cases.part(beside.retention, "segment", "nobody")[["survival", "active", "retention"]].isna().all(axis=None)
    assert (cases.part(beside.occupancy, "segment", "nobody")["customers"] == 0).all()
