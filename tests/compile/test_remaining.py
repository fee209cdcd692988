"""What customers are still worth by where they stand: as the referee says, which goes another way; and who is treated by it."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.compile.pieces import compile_variant
from sim.compile.policy import treated_stages
from sim.compile.quantiles import Library
from sim.compile.remaining import Chain, remaining
from sim.compile.tables import beta_edges, compile_tables
from sim.exact import exact
from sim.exact.decisions import best_rule
from sim.kernels.types import CONTACTED
from sim.scenario.model import Scenario
from tests import zoo


def worth(scenario: Scenario, *, seen: bool = True) -> tuple[Chain, list[float]]:
    """Return a scenario's rows and what is still to come in each."""
    parts = compile_variant(scenario, beta_edges([scenario]), Library(), (1,), 100, (0, 0.0, 0.0))._asdict()
    chain = Chain(scenario, parts)
    return chain, remaining(scenario, parts, seen)[: chain.total].tolist()


@pytest.mark.parametrize("name", ["chain", "lists_and_renewal", "prospects_on_arrival", "wallet_by_chance", "contacts_alone"])
def test_as_dynamic_programming_says(name: str) -> None:
    """In every row, of a customer with no policy; hazards drawn from a beta stand at their mean."""
    found: dict[str, Any] = {**zoo.ZOO[name], "name": name}
    scenario = Scenario.model_validate(found)
    chain, values = worth(scenario)
    if name == "contacts_alone":
        edge = {"lost": {"probability": 1.2 / 4.2}, "idle": {"hazard": 0.1}}
        found = {**found, "stages": {**found["stages"], "customer": {**found["stages"]["customer"], "to": edge}}}
    best = best_rule(Scenario.model_validate(found), {})
    names = list(scenario.stages)
    ages = np.arange(chain.total) - np.array([np.flatnonzero(chain.stage == s)[0] for s in chain.stage])
    wanted = [best.at(names[s], int(age)) if names[s] in best.stage else 0.0 for s, age in zip(chain.stage, ages, strict=True)]
    assert values == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def levelled() -> dict[str, Any]:
    """Return the chain whose share of wallet moves, with customers who come back and nothing else that minds do."""
    stages = {}
    for name, body in zoo.MINDFUL["stages"].items():
        edges = {key: {part: value for part, value in edge.items() if part != "effects"} for key, edge in body.get("to", {}).items()}
        stages[name] = {**{part: value for part, value in body.items() if part not in ("delivered_value", "information")}, "to": edges}
    return zoo.changed(zoo.CHAIN, stages=stages, level=zoo.MINDFUL["level"], purchases=zoo.MINDFUL["purchases"])


def test_with_a_share_of_wallet_that_moves() -> None:
    """As the exact answer of a customer who starts there, with the share of wallet that customers there have on average by a slow loop."""
    case = levelled()
    names, stages = list(case["stages"]), case["stages"]
    chain, values = worth(Scenario.model_validate(case))
    here, stood, held = {"investigation": (1.0, case["level"]["initial"])}, dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for _ in range(case["horizon"]):
        after: dict[str, tuple[float, float]] = {}
        for name, (count, share) in here.items():
            stood[name], held[name] = stood[name] + count, held[name] + share
            step = stages[name].get("level", {"target": 0.0, "speed": 1.0})
            share += step["speed"] * (step["target"] * count - share)
            moves = {key: edge["probability"] for key, edge in stages[name]["to"].items()}
            for key, chance in {**moves, name: 1.0 - sum(moves.values())}.items():
                back = name == "lost" and key != "lost"
                mine = count * chance, case["level"]["re_entry"] * count * chance if back else share * chance
                after[key] = tuple(old + new for old, new in zip(after.get(key, (0.0, 0.0)), mine, strict=True))
        here = after
    for s, name in enumerate(names[:4]):
        start = {**case, "start": name, "level": {**case["level"], "initial": held[name] / stood[name]}}
        assert values[int(np.flatnonzero(chain.stage == s)[0])] == pytest.approx(
            exact(Scenario.model_validate(start)).clv_before_mean, rel=1e-6
        )


def test_stages_that_the_firm_cannot_tell_apart_are_worth_their_mean() -> None:
    scenario = zoo.scenario("chain")
    (chain, told), (_, blurred) = worth(scenario), worth(scenario, seen=False)
    assert len(set(told[:4])) == 4
    assert len(set(blurred[:4])) == 1
    assert min(told[:4]) < blurred[0] < max(told[:4])
    stood = (
        simulated(scenario).occupancy.query("by == 'all' and clock == 'tenure' and period < 14").groupby("stage", sort=False)["share"].sum()
    )
    assert blurred[0] == pytest.approx(np.average(told[:4], weights=stood[list(scenario.stages)[:4]]), rel=0.02)
    assert chain.total == 5


def simulated(scenario: Scenario) -> sim.Result:
    """Return a run of the scenario."""
    return sim.simulate(scenario.model_copy(update={"run": scenario.run.model_copy(update={"customers": 2000})}))


def test_whoever_is_worth_more_is_let_be() -> None:
    """Worth 11, 10 and 8 a year less 9.5 to serve: in the third year the margin has been low for a year, and is not expected to rise."""
    stages = {"s": {"price": [11.0, 10.0, 8.0], "cost_to_serve": 9.5, "to": {"lost": {"probability": 0.1}}}, "lost": {"kind": "lost"}}
    raw = {"period": "year", "horizon": 8, "start": "s", "stage_observed": True, "stages": stages}
    for below, value, first in ((0.0, 0.0, 3), (0.0, None, 3), (1.0, None, 2), (1.0, -2.0, 2), (1.0, -99.0, None)):
        who = {"margin": {"below": below, "periods": 1}, "remaining_value_below": value}
        end = {"who": who, "effects": {"edges": {"s": {"lost": {"set": 1.0}}}}, "lasts": 1}
        scenario = Scenario.model_validate({**raw, "policies": {"end": end}})
        contacted = simulated(scenario).outcome.tally.policy[0, 0, :, 0, CONTACTED]
        left = 2000 * 0.9 ** (first or 0)
        assert [t for t in range(8) if contacted[t]] == ([] if first is None else [first])
        assert first is None or contacted[first] == pytest.approx(left, abs=4 * left**0.5)
    assert treated_stages(scenario, scenario.policies["end"]) == ("s",)
    assert not compile_tables(scenario).policy_who.any()
