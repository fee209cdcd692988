"""What the reports of studies call their arms and parameters."""

from typing import TYPE_CHECKING

from sim.report import words
from sim.report.style import shortened
from sim.scenario.purchases import ONE, Subscription

if TYPE_CHECKING:
    from sim.studies.points import Plan

NONE = "none"
"""The arm without any policy."""

MONEY = {"cost", "cost_to_serve", "cash", "sales_cost", "setup", "per_period", "per_contact", "per_uptake", "per_member", "budget", "fee"}
"""Last parts of paths that lead to money, besides prices where nothing is multiplied by them."""


def called(plan: "Plan") -> dict[str, str]:
    """Return what each arm is called within a sentence, by id: by the labels of its policies, with its id where two are called alike."""
    said = {NONE: f"doing nothing{' more' if plan.scenario.policies else ''}"}
    for arm, names in plan.arms.items():
        if names:
            said[arm] = " + ".join(str(plan.bodies[name].get("label") or name) for name in names)
    several = list(said.values())
    return {arm: label if several.count(label) == 1 else f"{label} ({arm})" for arm, label in said.items()}


def opening(text: str) -> str:
    """Return a text as it opens a sentence."""
    return text[:1].upper() + text[1:]


def axis(plan: "Plan", name: str, most: int = 46) -> str:
    """Return what an axis of a parameter is called: its name, and the currency where it is money."""
    factor = plan.study.vary.get(name)
    paths = () if factor is None or factor.scale else factor.paths or (name,)
    money = bool(paths) and all(_money(plan, [part for part in path.split(".") if not part.isdecimal()]) for path in paths)
    unit = f", {words.unit(plan.scenario)}" if money else ""
    return f"{shortened(name, most - len(unit))}{unit}"


def _money(plan: "Plan", parts: list[str]) -> bool:
    """Return whether a path leads to money, not to a factor."""
    spent = plan.scenario.purchases
    paid = parts[-1] == "price" and isinstance(spent, Subscription) and spent.wallet == ONE
    return "effects" not in parts and (paid or parts[-1] in MONEY)
