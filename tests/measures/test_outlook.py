"""What a firm can expect: closed forms, a slow twin, and nothing of a customer's own future."""

from dataclasses import replace

import numpy as np
import pytest

from sim.kernels.types import UNIT
from sim.measures.followed import Followed
from sim.measures.outlook import BORROWED, OLDEST, outlook
from sim.scenario.model import Scenario
from sim.studies.simulate import simulate
from tests.measures import followed as panels
from tests.zoo import ZOO, one_stage


@pytest.mark.jit
def test_constant_chance_and_cash() -> None:
    """Of a chance p to leave and cash c a period: remaining life (1 - (1 - p)**T) / p, and c times its discounted sum."""
    raw = one_stage({"probability": 0.2}, horizon=20, discount_rate_annual=0.1, run={"panel": 3000}, name="constant")
    found = outlook(simulate(Scenario.model_validate(raw)).followed)
    stays = 0.8 ** np.arange(20)
    spread = np.nanstd(found.remaining[0])
    assert found.remaining[0].mean() == pytest.approx(stays.sum(), rel=0.05)
    assert found.future[0].mean() == pytest.approx(1.5 * (stays / 1.1 ** np.arange(20)).sum(), rel=0.05)
    assert spread < 0.1 * stays.sum()  # the two halves, judged by each other


@pytest.mark.jit
def test_what_was_expected_came() -> None:
    """In the mean of everybody still here: within 4 standard errors, where little lies beyond the horizon."""
    chain = {**ZOO["chain"], "horizon": 120, "firm": {"customers": 3000}, "run": {"panel": 3000}}
    followed = simulate(Scenario.model_validate(chain)).followed
    found = outlook(followed)
    for year in (1, 2):
        to_come = followed.earned[12 * year :].sum(axis=0) / followed.factors[12 * year]
        here = followed.active[12 * year]
        gap = (found.future[year] - to_come)[here]
        assert abs(gap.mean()) < 4 * gap.std() / here.sum() ** 0.5
        life = (found.remaining[year] - followed.active[12 * year : -1].sum(axis=0))[here]
        assert abs(life.mean()) < 4 * life.std() / here.sum() ** 0.5


def slow(followed: Followed, v: int, half: int) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], tuple[float, float]]]:
    """Return remaining life and future (per unit of spending, and other cash) by stage and stay, of one half's records."""
    panel, horizon = followed.panel, followed.sample.horizon
    n_stages, oldest = len(followed.sample.stages), min(horizon, OLDEST * followed.year)
    who = [i for i in range(panel.cell.size) if panel.variant[i] == v and panel.serial[i] % 2 == half]
    steps = [
        (int(panel.stage[t, i]), min(int(panel.stay[t, i]), oldest), int(panel.stage[t + 1, i]), panel.stay[t + 1, i] == 0,
         followed.full[t, i] / panel.spend[i] * levels(followed, t, i), followed.cash[t, i], panel.spend[i])
        for i in who for t in range(horizon)
    ]  # fmt: skip
    states = [(s, a) for s in range(n_stages) for a in range(oldest + 1)]
    moves, unit, other = {}, {}, {}
    for s, a in states:
        at, everywhere = [x for x in steps if x[:2] == (s, a)], [x for x in steps if x[0] == s]
        for to in range(n_stages):
            moves[s, a, to] = smooth([[float(x[3] and x[2] == to) for x in part] for part in (at, everywhere)])
        unit[s, a] = smooth([[x[4] for x in part] for part in (at, everywhere)])
        other[s, a] = smooth([[x[5] - x[4] * x[6] for x in part] for part in (at, everywhere)])
    life = dict.fromkeys(states, 0.0)
    worth = dict.fromkeys(states, (0.0, 0.0))
    factor = followed.sample.scenario.discount_factor
    active = [stage.kind == "active" for stage in followed.sample.scenario.stages.values()]
    for _ in range(horizon):
        chances = {x: [(1 - sum(moves[(*x, to)] for to in range(n_stages)), (x[0], min(x[1] + 1, oldest)))]
                   + [(moves[(*x, to)], (to, 0)) for to in range(n_stages)] for x in states}  # fmt: skip
        life, worth = (
            {x: active[x[0]] + sum(p * life[y] for p, y in chances[x]) for x in states},
            {x: (unit[x] + factor * sum(p * worth[y][0] for p, y in chances[x]),
                 other[x] + factor * sum(p * worth[y][1] for p, y in chances[x])) for x in states},
        )  # fmt: skip
    return life, worth


def smooth(values: list[list[float]]) -> float:
    """Return the mean of the first values, with as much of the second's as BORROWED of them."""
    mine, whole = values
    return (sum(mine) + BORROWED * sum(whole) / max(len(whole), 1)) / (len(mine) + BORROWED)


def levels(followed: Followed, t: int, i: int) -> float:
    return float(followed.level[t + 1, i])


@pytest.mark.jit
def test_against_a_slow_life_table() -> None:
    followed = panels.deepening(80).followed
    panel, found = followed.panel, outlook(panels.deepening(80).followed)
    oldest = min(followed.sample.horizon, OLDEST * followed.year)
    for v in np.unique(panel.variant):
        life, worth = slow(followed, int(v), 0)
        for i in np.flatnonzero((panel.variant == v) & (panel.serial % 2 == 1)):
            for k in range(followed.years + 1):
                state = int(panel.stage[12 * k, i]), min(int(panel.stay[12 * k, i]), oldest)
                assert found.remaining[k, i] == pytest.approx(life[state])
                assert found.future[k, i] == pytest.approx(worth[state][0] * panel.spend[i] + worth[state][1])


@pytest.mark.jit
def test_a_customer_s_own_future_says_nothing() -> None:
    """Whatever a customer and all of its half bring later, its expectation is the same."""
    followed = panels.deepening(200).followed
    panel = followed.panel
    richer = panel.clv.copy()
    odd = panel.serial % 2 == 1
    richer[13:, odd] += np.int64(1000 * UNIT)
    other = outlook(Followed(followed.sample, replace(panel, clv=richer), followed.tables))
    np.testing.assert_array_equal(outlook(followed).future[:, odd], other.future[:, odd])
    assert (outlook(followed).future[1, ~odd] < other.future[1, ~odd]).any()
