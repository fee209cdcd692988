"""Retention frames against lives taken one by one, hand-made flows and the published cohort table."""

from itertools import groupby, pairwise

import numpy as np
import pytest

from sim.kernels.types import BINS, COLUMNS, PATTERNS, Tally
from sim.measures import retention
from sim.measures.sample import Sample
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests.measures import cases, twin

SCENARIO = cases.relationship()
LIVES = twin.lives(SCENARIO)
SAMPLE = twin.sample(SCENARIO, LIVES)
CELL = np.array([life.cell for life in LIVES])
STAGES = np.array([life.stages for life in LIVES])
FIRM = np.array([cell.firm for cell in cells(SCENARIO)])
WEIGHT = np.array([FIRM[g] / (g == CELL).sum() for g in CELL])
KINDS = np.array([stage.kind for stage in SCENARIO.stages.values()])[STAGES]
ACTIVE, LOST = KINDS == "active", KINDS == "lost"
ONCE = np.maximum.accumulate(ACTIVE, axis=1)


def shares(top: np.ndarray, base: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(WEIGHT @ (top & base) / (WEIGHT @ base))


def test_tenure_view_matches_lives() -> None:
    frame = cases.part(retention.retention(SAMPLE))
    been_lost = np.maximum.accumulate(LOST & ONCE, axis=1)
    np.testing.assert_allclose(frame["survival"], shares(~been_lost, ONCE))
    np.testing.assert_allclose(frame["active"], WEIGHT @ ACTIVE / WEIGHT.sum())
    np.testing.assert_array_equal(frame["at_risk"], ACTIVE.sum(axis=0))
    np.testing.assert_allclose(frame["retention"].iloc[:-1], shares(ACTIVE[:, 1:], ACTIVE[:, :-1]))
    np.testing.assert_allclose(frame["reactivation"].iloc[:-1], shares(ACTIVE[:, 1:], LOST[:, :-1]))
    assert frame[["retention", "retention_se", "reactivation"]].iloc[-1].isna().all()
    assert np.isnan(frame["survival"].iloc[0])


def test_segments_and_cohorts_match_their_own_lives() -> None:
    frame = retention.retention(SAMPLE)
    grand = np.array([cells(SCENARIO)[g].segment == "grand" for g in CELL])
    np.testing.assert_allclose(cases.part(frame, "segment", "grand")["active"], WEIGHT[grand] @ ACTIVE[grand] / WEIGHT[grand].sum())
    launch = np.array([cells(SCENARIO)[g].arrival == 0 for g in CELL])
    np.testing.assert_array_equal(cases.part(frame, "cohort", "launch")["at_risk"], ACTIVE[launch].sum(axis=0))
    assert list(dict.fromkeys(zip(frame["by"], frame["id"], strict=True))) == [
        ("all", "all"), ("segment", "thrifty"), ("segment", "grand"), ("cohort", "launch"), ("cohort", "later.2"), ("cohort", "later.3"),
    ]  # fmt: skip


def four_lives() -> Sample:
    """Stages 0 lead, 1 trial, 2 steady, 3 gone; edges 0 lead-trial, 1 lead-gone, 2 trial-steady, 3 trial-gone, 4 steady-gone, 5 renewal, 6
    gone-trial.
    """
    scenario = cases.relationship(horizon=4, segments={}, cohorts={}, firm={"customers": 4}, run={})
    made = [
        ([0, 1, 3, 1, 2], [0, 3, 6, 2]),
        ([0, 1, 2, 2, 3], [0, 2, 5, 4]),
        ([0, 0, 1, 3, 3], [-1, 0, 3, -1]),
        ([0, 3, 3, 3, 3], [1, -1, -1, -1]),
    ]
    lives = [twin.Life(0, 0, stages, edges, [[0] * len(COLUMNS)] * 4) for stages, edges in made]
    return twin.sample(scenario, lives)


def test_hand_made_flows_give_hand_computed_retention() -> None:
    frame = retention.retention(four_lives())
    nan = np.nan
    np.testing.assert_allclose(frame["active"], [0, 1 / 2, 1 / 2, 1 / 2, 1 / 4])
    np.testing.assert_allclose(frame["survival"], [nan, 1, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(frame["retention"], [nan, 1 / 2, 1 / 2, 1 / 2, nan])
    np.testing.assert_allclose(frame["reactivation"], [nan, 0, 1 / 2, 0, nan])
    assert frame["at_risk"].tolist() == [0, 2, 2, 2, 1]


def test_hand_made_stays() -> None:
    frame = retention.sojourns(four_lives()).set_index("stage")
    assert frame["completed"].to_dict() == {"lead": 4, "trial": 4, "steady": 1, "gone": 1}
    np.testing.assert_allclose(frame["mean"], [1.25, 1, 2, 1])  # the renewal in steady does not end the stay
    np.testing.assert_allclose(frame["q95"], [2, 1, 2, 1])
    np.testing.assert_allclose(frame["periods"], [5 / 4, 4 / 4, 2 / 4, 5 / 4])
    np.testing.assert_allclose(frame["visits"], [1, 1, 1 / 2, 1])


def test_one_cell_has_binomial_errors() -> None:
    scenario = cases.publisher(run={"customers": 300})
    sample = twin.sample(scenario, twin.lives(scenario))
    frame = retention.retention(sample)
    p, n = frame["survival"], 300
    np.testing.assert_allclose(frame["survival_se"], np.sqrt(p * (1 - p) / (n - 1)), rtol=1e-12)
    r, at_risk = frame["retention"].iloc[:-1], frame["at_risk"].iloc[:-1]
    np.testing.assert_allclose(frame["retention_se"].iloc[:-1], np.sqrt(r * (1 - r) / at_risk * n / (n - 1)), rtol=1e-12)
    np.testing.assert_array_equal(frame["survival"], frame["active"])


def test_occupancy_matches_lives_and_sums_to_1() -> None:
    frame = cases.part(retention.occupancy(SAMPLE))
    tenure = frame[frame["clock"] == "tenure"].pivot_table(index="period", columns="stage", values="share")[list(SCENARIO.stages)]
    expected = np.stack([WEIGHT @ (s == STAGES) / WEIGHT.sum() for s in range(len(SCENARIO.stages))], axis=1)
    np.testing.assert_allclose(tenure, expected, atol=1e-15)
    np.testing.assert_allclose(frame.groupby(["clock", "period"])["share"].sum(), 1.0, rtol=1e-12)


def test_calendar_occupancy_counts_the_firms_customers() -> None:
    frame = cases.part(retention.occupancy(SAMPLE))
    calendar = frame[frame["clock"] == "calendar"].pivot_table(index="period", columns="stage", values="customers")[list(SCENARIO.stages)]
    arrival = np.array([cells(SCENARIO)[g].arrival for g in CELL])
    assert calendar.index.tolist() == list(range(3 + 9 + 1))
    for y in calendar.index:
        inside = (y >= arrival) & (y <= arrival + 9)
        stage = np.array([life.stages[min(max(y - a, 0), 9)] for life, a in zip(LIVES, arrival, strict=True)])
        expected = [WEIGHT[inside & (stage == s)].sum() for s in range(len(SCENARIO.stages))]
        np.testing.assert_allclose(calendar.loc[y], expected, rtol=1e-12)


def test_flows_match_lives() -> None:
    frame = cases.part(retention.flows(SAMPLE))
    edges = np.array([life.edges for life in LIVES])
    expected = np.stack([WEIGHT @ (edges == e) for e in range(7)], axis=1)
    np.testing.assert_allclose(frame["customers"].to_numpy().reshape(9, 7), expected, atol=1e-12)
    np.testing.assert_allclose(frame["per_customer"], frame["customers"] / FIRM.sum())
    rival = frame[(frame["t"] == 0) & (frame["cause"] == "rival")]
    assert rival[["stage", "edge", "target"]].to_numpy().tolist() == [["steady", "gone", "gone"]]


def test_sojourns_match_lives() -> None:
    scenario = cases.relationship(segments={}, cohorts={}, firm={"customers": 300}, run={})
    lives = twin.lives(scenario)
    frame = retention.sojourns(twin.sample(scenario, lives)).set_index("stage")
    stays = [stay for life in lives for stay in [(stage, len(list(run))) for stage, run in groupby(life.stages)][:-1]]
    for s, stage in enumerate(scenario.stages):
        lengths = [length for held, length in stays if held == s]
        assert frame.loc[stage, "completed"] == len(lengths)
        assert frame.loc[stage, "mean"] == pytest.approx(np.mean(lengths))
        quantiles = np.quantile(lengths, [0.05, 0.25, 0.5, 0.75, 0.95], method="inverted_cdf")
        assert frame[["q05", "q25", "q50", "q75", "q95"]].to_numpy()[s].tolist() == quantiles.tolist()
        assert frame.loc[stage, "periods"] == pytest.approx(np.mean([life.stages[:-1].count(s) for life in lives]))
        visits = [(life.stages[0] == s) + sum(a != s == b for a, b in pairwise(life.stages)) for life in lives]
        assert frame.loc[stage, "visits"] == pytest.approx(np.mean(visits))


def test_patterns_match_lives() -> None:
    frame = cases.part(retention.patterns(SAMPLE)).set_index("pattern")
    found = np.array([twin.pattern(SCENARIO, life) for life in LIVES])
    worth = np.array([twin.worth(life) for life in LIVES]) / 2**20
    assert frame["share"].sum() == pytest.approx(1.0)
    for pattern in PATTERNS:
        mine = found == pattern
        assert frame.loc[pattern, "customers"] == mine.sum()
        assert frame.loc[pattern, "share"] == pytest.approx(WEIGHT[mine].sum() / WEIGHT.sum())
        mean = WEIGHT[mine] @ worth[mine] / WEIGHT[mine].sum() if mine.any() else np.nan
        assert frame.loc[pattern, "clv"] == pytest.approx(mean, nan_ok=True)


def test_a_scenario_without_edges_has_no_flows() -> None:
    scenario = Scenario.model_validate(
        {"period": "year", "horizon": 3, "start": "kept", "stages": {"kept": {}}, "firm": {"customers": 2}, "run": {}}
    )
    sample = twin.sample(scenario, twin.lives(scenario))
    assert retention.flows(sample).empty
    assert retention.retention(sample)["survival"].tolist() == [1.0] * 4
    assert retention.sojourns(sample)["completed"].tolist() == [0]


def five_cohorts(survivors: list[int]) -> Sample:
    """Five yearly cohorts of the publisher, each losing its customers exactly by these survivors."""
    scenario = cases.publisher(firm={}, cohorts={"yearly": {"periods": 5, "customers": 1000}}, run={"customers": 5 * survivors[0]})
    left = -np.diff(survivors)
    zero = np.zeros
    moments = zeros = zero((1, 5, len(PATTERNS), 2, 6), dtype=np.int64)
    moments[0, :, 5, :, 0] = survivors[0]
    tally = Tally(
        flows=np.tile(left, (5, 1))[None, :, :, None], conversions=zero((1, 5, 10), np.int64), losses=np.tile(left, (5, 1))[None],
        sojourns=zero((1, 5, 2, 11), np.int64), orders=zeros, cash=zeros, cash_square=zeros, payback=zeros, moments=moments,
        extremes=zeros, by_segment=zero((1, 1, 2, BINS), np.int64), by_cohort=zero((1, 5, 2, BINS), np.int64), replicates=zeros,
        talk=zero((1, 5, 10, 0), np.int64), gone=zero((1, 5, 0), np.int64), feelings=zero((1, 5, 10, 0, 2), np.int64),
        activity=zero((1, 5, 10, 0, 2), np.int64), policy=zero((1, 5, 10, 0, 5), np.int64), paired=zero((0, 5, 5, 7), np.int64),
        against=zero((0, 5, 6, 3, 11), np.int64), parted=zero((0, 5, 2, 10), np.int64),
        gains=zero((1, 0, 5, 0, 3), np.int64), paths=zero((1, 0, 5, 3, 2), np.int64),
    )  # fmt: skip
    return Sample(scenario, cells(scenario), tally, np.zeros(5, np.int64))


def test_published_cohort_table() -> None:
    """Exact survivors of 1,000 a year: totals of the years, and the share of each that stays, as published."""
    exact = [1000, 600, 390, 273, 204.75, 159.705, 126.16695, 100.93356, 80.746848, 64.5974784, 51.67798272]
    frame = cases.part(retention.calendar_retention(five_cohorts([round(n * 10**8) for n in exact])))
    printed = [1000, 1600, 1990, 2263, 2467.75, 1627.455, 1153.622, 864.556, 672.302, 532.150]
    np.testing.assert_allclose(frame["active"].iloc[:10], printed, atol=0.0006)
    assert frame["new"].iloc[:6].round(9).tolist() == [1000] * 5 + [0]
    rates = [60.0, 61.875, 63.4673, 64.8586, 65.9489, 70.8850, 74.9427, 77.7628, 79.1533]
    np.testing.assert_allclose(100 * frame["retention"].iloc[:9], rates, atol=0.00006)
    assert frame["y"].tolist() == list(range(14))
    # from the tenth year on the first cohort's moves are no longer simulated
    np.testing.assert_allclose(frame["active"].iloc[10], sum(exact[6:10]), rtol=1e-12)


def test_calendar_view_matches_lives() -> None:
    frame = cases.part(retention.calendar_retention(SAMPLE))
    arrival = np.array([cells(SCENARIO)[g].arrival for g in CELL])
    for _, row in frame.iterrows():
        t = int(row["y"]) - arrival
        inside = (t >= 0) & (t < 9)
        now = np.array([ACTIVE[i, t[i]] if inside[i] else False for i in range(len(LIVES))])
        later = np.array([ACTIVE[i, t[i] + 1] if inside[i] else False for i in range(len(LIVES))])
        first = np.array([now[i] and not ACTIVE[i, : t[i]].any() for i in range(len(LIVES))])
        assert row["active"] == pytest.approx(WEIGHT[now].sum())
        assert row["new"] == pytest.approx(WEIGHT[first].sum())
        assert row["retained"] == pytest.approx(WEIGHT[now & later].sum())
        if now.any():
            assert row["retention"] == pytest.approx(WEIGHT[now & later].sum() / WEIGHT[now].sum())
