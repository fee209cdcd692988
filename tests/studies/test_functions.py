"""A user's own rule of whom to treat and who comes first: what it may stand for it equals to the last bit, and each check has a breach."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import sim
from sim.kernels.drivers import run_contacts, run_period
from sim.scenario import ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Rank, Survey, Who
from sim.studies.arms import Arm
from sim.studies.compare import compared
from sim.studies.comparison_folder import write_comparison
from sim.studies.functions import Score, Trigger, digest
from tests.engine.test_rationed import limited, whole
from tests.running import assert_same

pytestmark = pytest.mark.usefixtures("small_groups")


def on_threads(scenario: Scenario, threads: int) -> Scenario:
    return scenario.model_copy(update={"run": scenario.run.model_copy(update={"threads": threads})})


def by_value(seen: Any) -> Any:
    return seen.value


def by_orders(seen: Any) -> Any:
    return seen.orders.astype(np.float64)


def by_survey(seen: Any) -> Any:
    return -seen.survey


@pytest.mark.parametrize(
    ("name", "rank", "function"),
    [
        ("treated_chain", Rank(by="value"), by_value),
        pytest.param("treated_orders", Rank(by="orders"), by_orders, marks=pytest.mark.jit),
        pytest.param("treated_minds", Rank(by="survey", lowest=True), by_survey, marks=pytest.mark.jit),
    ],
)
def test_a_score_that_is_a_rank_changes_nothing(name: str, rank: Rank, function: Callable[[Any], Any]) -> None:
    """On one thread and on three, and not a kernel is compiled again."""
    scenario = whole(name, 1300)
    who = Who(survey=Survey(error=0.7, response=0.8)) if rank.by == "survey" else scenario.policies["steady"].who
    built_in = sim.simulate(limited(scenario, "steady", capacity=60, rank=rank, who=who)).outcome
    before = [len(getattr(kernel, "signatures", ())) for kernel in (run_contacts, run_period)]
    for threads in (1, 3):
        own = on_threads(limited(scenario, "steady", capacity=60, rank=Rank(score="mine"), who=who), threads)
        assert_same(built_in.tally, sim.simulate(own, functions={"mine": Score(function)}).outcome.tally)
    assert [len(getattr(kernel, "signatures", ())) for kernel in (run_contacts, run_period)] == before
    other = sim.simulate(limited(scenario, "steady", capacity=60, rank=Rank(by="random"), who=who)).outcome
    assert not np.array_equal(other.tally.policy, built_in.tally.policy) or not np.array_equal(other.tally.cash, built_in.tally.cash)


def old_enough(seen: Any) -> Any:
    return (seen.tenure >= 3) & (seen.tenure < 9)


def not_lately(seen: Any) -> Any:
    return (seen.since_contact < 0) | (seen.since_contact >= 4)


@pytest.mark.parametrize("name", ["treated_chain", pytest.param("treated_minds", marks=pytest.mark.jit)])
def test_a_trigger_that_is_a_condition_changes_nothing(name: str) -> None:
    """Tenure, and a cooldown: as the policy's own words, without a limit, and with one that does not bind."""
    scenario = whole(name, 1300)
    plain = limited(scenario, "fading", who=Who(), when=scenario.policies["fading"].when.model_copy(update={"cooldown": 0}))
    when = plain.policies["fading"].when
    for function, body in (
        (old_enough, {"who": Who(tenure_from=3, tenure_until=9)}),
        (not_lately, {"when": when.model_copy(update={"cooldown": 4})}),
    ):
        wanted = sim.simulate(limited(plain, "fading", **body)).outcome.tally
        assert not np.array_equal(wanted.policy, sim.simulate(plain).outcome.tally.policy)
        for threads, more in ((1, {}), (3, {"capacity": 10**6})):
            own = on_threads(limited(plain, "fading", who=Who(trigger="mine"), **more), threads)
            assert_same(wanted, sim.simulate(own, functions={"mine": Trigger(function)}).outcome.tally)


def in_stability(seen: Any) -> Any:
    return seen.stage == 2


def test_a_trigger_sees_the_stage_where_the_firm_does() -> None:
    scenario = whole("treated_chain", 700).model_copy(update={"stage_observed": True})
    stage = list(scenario.stages)[2]
    wanted = sim.simulate(limited(scenario, "steady", who=Who(stages=(stage,)))).outcome.tally
    own = limited(scenario, "steady", who=Who(trigger="mine"))
    assert_same(wanted, sim.simulate(own, functions={"mine": Trigger(in_stability)}).outcome.tally)


def latent(seen: Any) -> Any:
    return seen.satisfaction + 0.1 * seen.trust


def test_latent_feelings_are_an_oracles() -> None:
    scenario = limited(whole("treated_minds", 700), "steady", capacity=40, rank=Rank(score="mine"), who=Who())
    told = r"functions.mine: reads what it is not shown: only an oracle sees it, where the scenario has it \(got satisfaction\); set"
    with pytest.raises(ScenarioError, match=told):
        sim.simulate(scenario, functions={"mine": Score(latent)})
    seeing = sim.simulate(limited(scenario, "steady", oracle=True), functions={"mine": Score(latent)})
    assert seeing.outcome.tally.policy.any()


def no_survey(seen: Any) -> Any:
    return seen.survey


def no_such(seen: Any) -> Any:
    return seen.wealth


def changes(seen: Any) -> Any:
    seen.value[0] = 1.0
    return seen.value * 1.0


def scalar(seen: Any) -> Any:
    return seen.value.sum()


def short(seen: Any) -> Any:
    return seen.value[1:]


def whole_numbers(seen: Any) -> Any:
    return seen.tenure


def per_period(seen: Any) -> Any:
    return seen.value / seen.tenure


@numba.njit
def level(value: Any) -> Any:
    return value * 2.0


def helped(seen: Any) -> Any:
    return level(seen.value)


def huge(seen: Any) -> Any:
    return seen.value * 1e300


def at_random(seen: Any) -> Any:
    return seen.value + np.random.random(seen.value.size)  # noqa: NPY002


def above_the_mean(seen: Any) -> Any:
    return seen.value - seen.value.mean()


def raises(seen: Any) -> Any:
    if seen.value.size > 3:
        raise ValueError("too many")
    return seen.value


OWN = "functions.mine: "

FAILING: list[tuple[Trigger | Score | None, str]] = [
    (None, "policies.steady.rank.score: no such function (got 'mine'); it is given from Python: functions={'mine': sim.Score(…)}"),
    (Trigger(old_enough), "policies.steady.rank.score: must be a sim.Score, which this function is not (got 'mine')"),
    (Score(no_survey), OWN + "reads what it is not shown: the policy's answers are not at hand (got survey); give who.survey"),
    (Score(by_orders), OWN + "reads what it is not shown: a subscription has none (got orders); give purchases of another kind"),
    (Score(no_such), OWN + "cannot be compiled and called (got "),
    (Score(raises), OWN + "cannot be compiled and called (got ValueError: too many)"),
    (Score(changes), OWN + "must not change what it is given"),
    (Score(scalar), OWN + "must return an array of floats, one for each customer, not float"),
    (Score(short), OWN + "must return an array of floats, one for each customer, not float64 of shape (198,)"),
    (Score(whole_numbers), OWN + "must return an array of floats, one for each customer, not int64"),
    (Score(old_enough), OWN + "must return an array of floats, one for each customer, not bool"),
    (Score(per_period), OWN + "must be finite for every customer, those without orders and those who have just come too"),
    (Score(huge), OWN + "must be finite for every customer"),
    (Score(at_random), OWN + "must return the same when it is called again"),
    (Score(above_the_mean), OWN + "must judge each customer by itself, whoever stands beside it"),
    (Score(3), OWN + "must be a Python function of one argument (got "),  # type: ignore[arg-type]
]


@pytest.mark.jit
@pytest.mark.parametrize(("given", "said"), FAILING, ids=[said[:60] for _, said in FAILING])
def test_each_check(given: Trigger | Score | None, said: str) -> None:
    scenario = limited(whole("treated_chain", 100), "steady", capacity=10, rank=Rank(score="mine"))
    with pytest.raises(ScenarioError) as caught:
        sim.simulate(scenario, functions={} if given is None else {"mine": given})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(said)


def test_a_function_that_nobody_names() -> None:
    with pytest.raises(ScenarioError, match=r"^functions.mine: no policy names it; name it in who.trigger or rank.score$"):
        sim.simulate(whole("treated_chain", 100), functions={"mine": Score(by_value)})


def later_not(seen: Any) -> Any:
    return np.where(seen.tenure >= 150, np.nan, seen.value)


def test_what_is_not_finite_later_stops_the_run() -> None:
    """Made-up customers are younger than these."""
    scenario = whole("treated_chain", 100).model_copy(update={"horizon": 160})
    scenario = limited(scenario, "steady", capacity=10, rank=Rank(score="mine"), who=Who(tenure_from=149))
    told = r"functions.mine: must be finite for every customer, which it is not at tenure 151 \(got nan\)"
    with pytest.raises(ScenarioError, match=told):
        sim.simulate(scenario, functions={"mine": Score(later_not)})


def test_folders_name_and_hash_them(tmp_path: Path) -> None:
    """Run and comparison: the manifest holds kind and hash; verifying asks for the same function."""
    scenario = limited(whole("treated_chain", 200), "steady", capacity=20, rank=Rank(score="mine"))
    scenario = scenario.model_copy(update={"policies": {"steady": scenario.policies["steady"]}})
    plain, functions = scenario.model_copy(update={"policies": {}}), {"mine": Score(by_value)}
    wanted = {"mine": {"kind": "score", "sha256": digest(by_value)}}
    run = sim.write_run(sim.simulate(scenario, functions=functions), tmp_path / "run", report=False)
    assert json.loads((run / "manifest.json").read_text())["functions"] == wanted
    assert sim.verify(run, functions=functions) == []
    assert sim.verify(run)[0].startswith("config.yaml: cannot be run again: policies.steady.rank.score: no such function")
    other = sim.verify(run, functions={"mine": Score(by_orders)})
    assert other[0] == "functions.mine: is not the one that the folder was written with"
    arms = (Arm("none", (), plain), Arm("steady", ("steady",), scenario))
    both = write_comparison(compared(plain, arms, functions=functions), tmp_path / "both", report=False)
    assert json.loads((both / "manifest.json").read_text())["functions"] == wanted
    assert sim.verify(both, functions=functions) == []
    assert sim.verify(both)[0].startswith("cannot be run again: policies.steady.rank.score: no such function (got 'mine')")


SCALE = 2.0


def scaled(seen: Any) -> Any:
    return seen.value * SCALE


def test_a_hash_follows_what_is_taken_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(scaled)
    assert before == digest(scaled) != digest(by_value)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert digest(scaled) != before


def test_two_functions_of_a_line_have_hashes_of_their_own() -> None:
    few, many = (lambda seen: seen.tenure > 3), (lambda seen: seen.tenure > 5)
    assert digest(few) != digest(many)


def test_a_helper_may_be_called_as_what_is_not_shown() -> None:
    scenario = limited(whole("treated_chain", 100), "steady", capacity=10, rank=Rank(score="mine"))
    doubled = sim.simulate(scenario, functions={"mine": Score(helped)}).outcome.tally
    plain = sim.simulate(limited(scenario, "steady", rank=Rank(by="value"))).outcome.tally
    np.testing.assert_array_equal(doubled.policy, plain.policy)
