"""The right treatment for each segment within one budget: python experiments/treatment_by_segment.py [key=value ...].

Six treatments gain and cost differently in each segment: what pays for a premium customer is wasted on a budget one. Choosing one for each
segment, as a knapsack, gains two fifths more within the budget than the best single one for all. On luck of its own the choice holds,
at a little less than was expected of it: the largest of several estimates is more likely one that is too high.
"""

from typing import Any

import sim
from showing import returns, run, save, say, show
from sim.studies.assignment import Assignment, assign

POLICIES = ("reactive", "accountable", "proactive", "partnership", "gifts", "win_back")  # without costs of the firm's own
BUDGET = 150_000  # USD, discounted, for all customers; assumed


def assigned(found: sim.Comparison) -> tuple[Assignment, dict[str, list[str]]]:
    """Return the best choice from what a comparison says by segment, and the segments that each chosen policy treats."""
    rows = found.differences.query("by == 'segment' and arm != 'none'")
    customers = found.results[0].equity.query("by == 'segment'").set_index("id")["customers"]
    gain, cost, gain_se, cost_se = (
        rows[rows["measure"] == measure].pivot_table(column, "id", "arm")[list(POLICIES)].mul(customers, axis=0)
        for measure, column in (("clv", "difference"), ("policy_cost", "difference"), ("clv", "se"), ("policy_cost", "se"))
    )
    best = assign(gain, cost, BUDGET, gain_se, cost_se)
    chosen = {policy: [str(s) for s, p in zip(gain.index, best.chosen, strict=True) if p == k] for k, policy in enumerate(POLICIES)}
    return best, {policy: segments for policy, segments in chosen.items() if segments}


def main(*settings: str) -> None:
    """Compare, choose, compare what was chosen on luck of its own, print and draw; settings: as for ``clvsim simulate``."""
    scenario = sim.load("lifecycle", *settings)
    found = sim.compare(scenario, POLICIES)
    best, chosen = assigned(found)
    rows = found.differences.query("by == 'segment' and arm != 'none'")
    for title, measure in {"Gain, USD a customer": "clv", "Cost, USD a customer": "policy_cost"}.items():
        show({title: rows[rows["measure"] == measure].pivot_table("difference", "id", "arm")[list(POLICIES)].round(2).rename_axis(None)})
    arm: dict[str, Any] = {"policies": list(chosen)} | {f"{policy}.who.segments": segments for policy, segments in chosen.items()}
    single = POLICIES[best.single] if best.single >= 0 else "none"
    fresh = scenario.model_copy(update={"run": scenario.run.model_copy(update={"seed": scenario.run.seed + 1})})
    again = sim.compare(fresh, [single] if single != "none" else [], {"by segment": arm})
    told = returns(again, 1000)
    say(f"Within {BUDGET:,} USD: " + "; ".join(f"{policy} for {', '.join(segments)}" for policy, segments in chosen.items()))
    say(f"One for all: {single}. Expected gain {best.gain / 1000:,.1f}, of one for all {best.single_gain / 1000:,.1f} thousand USD")
    show({"Again, on luck of its own, thousand USD": told.round(2)})

    axes = told[["gain", "cost"]].plot.barh(title="The right treatment for each", figsize=(7, 3))
    axes.set(xlabel="Thousand USD")
    save(axes.figure, told.rename_axis("treatment"), "treatment_by_segment")


if __name__ == "__main__":
    run(main)
