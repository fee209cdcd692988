"""The default scenario: the shape that relationship marketing describes, drivers with its signs, win-back, orders of magnitude."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import FEELINGS, FELT
from sim.scenario import read

STAGES = ("investigation", "formation", "stability", "decline")

CUSTOMERS = 4000


def simulated(*settings: str) -> sim.Result:
    return sim.simulate(sim.load("lifecycle", f"run.customers={CUSTOMERS}", *settings))


def everybody(frame: Any) -> Any:
    return frame[frame["by"] == "all"]


def lives() -> dict[str, int]:
    """Return the mean stay in each stage, in whole periods."""
    return {name: round(sim.load().stages[name].mean_duration or 0) for name in STAGES}


def path() -> dict[str, np.ndarray]:
    """Return the level by stage along a life that stays in each as long as the mean."""
    default, stays = sim.load(), lives()
    stages: dict[str, Any] = {"lost": {"kind": "lost"}}
    for name, after in zip(STAGES, (*STAGES[1:], "lost"), strict=True):
        way = {after: {"probability": [0.0] * (stays[name] - 1) + [1.0]}}
        held = default.stages[name].level
        assert held is not None
        stages[name] = {"level": held.model_dump(), "to": way}
    assert default.level is not None
    raw = {"period": "month", "horizon": sum(stays.values()), "start": STAGES[0], "stages": stages, "level": default.level.model_dump()}
    tally = sim.simulate(read({**raw, "run": {"customers": 5}})).outcome.tally
    found = tally.feelings[0, :, :, FEELINGS.index("level"), 0].sum(axis=0) / FELT / 5
    return dict(zip(STAGES, np.split(found, np.cumsum(list(stays.values()))[:-1]), strict=True))


@pytest.mark.jit
def test_shape_of_the_level() -> None:
    """Slow, fast, slow, and a fast fall from the level the customer had (Dwyer, Schurr and Oh 1987); in what measure is our choice."""
    held = path()
    before = np.cumsum([0, *lives().values()])
    whole = np.concatenate(list(held.values()))
    steps = {name: np.diff(whole, prepend=0.1)[before[k] : before[k + 1]] for k, name in enumerate(STAGES)}
    pace = {name: abs(float(values.mean())) for name, values in steps.items()}
    assert all((steps[name] > 0).all() for name in STAGES[:3])
    assert (steps["decline"] < 0).all()
    assert pace["formation"] > 4 * pace["investigation"]
    assert pace["formation"] > 4 * pace["stability"]
    assert pace["decline"] > pace["formation"]
    assert whole.max() == held["stability"][-1]
    assert held["formation"][-1] >= 0.85 * whole.max()
    assert held["investigation"].mean() <= 0.3 * whole.max()
    stage = sim.load().stages["decline"].level
    assert stage is not None
    assert held["decline"][0] == pytest.approx(held["stability"][-1] * (1 - stage.speed), abs=2 / FELT)


def profit(stage: str) -> float:
    """Return mean profit a month of customers in a stage: purchases at their margin less cost to serve, undiscounted."""
    others = [f"stages.{name}.{key}=0" for name in STAGES if name != stage for key in ("price", "cost_to_serve")]
    result = simulated("discount_rate_annual=0", *others)
    ledger = everybody(result.ledger).set_index("column")["mean"]
    return float((ledger["purchase"] + ledger["service"]) / everybody(result.sojourns).set_index("stage")["periods"][stage])


@pytest.mark.jit
def test_profit_rises_with_the_relationship() -> None:
    found = {name: profit(name) for name in STAGES}
    assert found["investigation"] < found["formation"] < found["stability"]
    assert 0 < found["decline"] < found["formation"]


EFFECTS = {
    "investigation.formation": {"loyalty": -1},
    "formation.stability": {"loyalty": -1, "trust": -1},
    "stability.decline": {"loyalty": 1, "trust": 1, "switching_cost": 1},
    "decline.lost": {"loyalty": 1, "switching_cost": 1},
    "lost.investigation": {"trust": -1},
}
"""Signs of the drivers that the literature names: satisfaction moves up, trust to and in stability, switching cost holds."""


def signs(edge: Any) -> dict[str, int]:
    return {name: int(np.sign(value)) for name, value in edge.effects.model_dump(exclude_unset=True).items()}


def test_drivers_have_the_signs_of_the_literature() -> None:
    stages = sim.load().stages
    found = {f"{key}.{name}": edge for key, stage in stages.items() for name, edge in stage.to.items()}
    for name, expected in EFFECTS.items():
        assert signs(found[name]) == expected, name
    for name, edge in found.items():
        assert signs(edge).get("loyalty", 0) == {"own": 1, "rival": 1}.get(edge.cause or "", -1 if "loyalty" in signs(edge) else 0), name
    assert "switching_cost" not in signs(found["investigation.formation"])


@pytest.mark.jit
def test_attractive_rivals_raise_losses_from_every_stage() -> None:
    calm, fierce = (simulated(f"competition.intensity={c}", "competition.reference_intensity=0.6") for c in (0.4, 0.8))
    for name in STAGES[:3]:
        out = []
        for result in (calm, fierce):
            flows, periods = everybody(result.flows), everybody(result.sojourns).set_index("stage")["periods"]
            leave = flows[(flows["stage"] == name) & flows["target"].isin(["decline", "lost"])]
            out.append(leave["per_customer"].sum() / periods[name])
        assert out[1] > 1.05 * out[0], name


@pytest.mark.jit
def test_some_are_won_back_and_keep_a_part_of_their_trust() -> None:
    """Where trust does not move otherwise, those who came back have half of it, and nobody can have come back twice by t = 3."""
    still = [f"trust.{name}=0" for name in ("rise", "fall", "drop")]
    result = sim.simulate(sim.load("lifecycle", "horizon=7", "run.customers=1500", *still))
    retention, feelings = everybody(result.retention).set_index("t"), everybody(result.feelings)
    trust = feelings[feelings["measure"] == "trust"].set_index("t")["mean"]
    settings = sim.load().trust
    assert settings is not None
    assert 0 < settings.inherit < 1
    for t in (2, 3):
        never, active = retention.loc[t, ["survival", "active"]]
        assert active > never
        kept = settings.initial * (never + settings.inherit * (active - never)) / active
        assert trust[t] == pytest.approx(kept, abs=1 / FELT)
    assert (retention["reactivation"].dropna() > 0).any()


def test_win_back_ends() -> None:
    chances = sim.load().stages["lost"].to["investigation"].probability
    assert chances is not None
    assert max(chances) <= 0.03
    assert chances[-1] == 0


@pytest.mark.jit
def test_orders_of_magnitude() -> None:
    """Of mobile telephony: churn of 1 to 4 % a month, satisfaction as surveys find it, and no pattern of life is rare."""
    result = simulated("run.customers=20000")
    retention = everybody(result.retention)
    active = retention["active"].to_numpy()[:-1]
    churn = 1 - float(active @ retention["retention"].to_numpy()[:-1]) / active.sum()
    assert 0.01 < churn < 0.04
    feelings = everybody(result.feelings)
    satisfaction = feelings[feelings["measure"] == "satisfaction"]["mean"].dropna()
    assert satisfaction[:60].between(3.3, 3.9).all()
    shares = everybody(result.patterns).set_index("pattern")["share"]
    assert (shares[["early_lapse", "midway_lapse", "early_retreat", "long_lasting"]] > 0.1).all()
    ledger = everybody(result.ledger).set_index("column")["mean"]
    beside = ledger[["word_of_mouth", "information", "knowledge", "transaction"]]
    assert (beside > 0).all()
    assert beside.sum() < 0.15 * ledger["purchase"]
    assert result.residual["share"] < 0.05
    clv = result.clv.iloc[0]
    assert 0 < clv["mean"] < 10 * sim.load().acquisition.cost
