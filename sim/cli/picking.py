"""Picking the best arm from the command line: its settings, and what is printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.cli.showing import columns, line, number, progress_bar

if TYPE_CHECKING:
    from sim.scenario import Fault, Scenario
    from sim.studies.arms import Arm
    from sim.studies.picking import How, Picking

SETTINGS = ("pick", "indifference", "confidence")


def apart(settings: Sequence[str]) -> "tuple[list[str], How | None, list[Fault]]":
    """Return the settings of the comparison, how to pick where ``pick`` is among them, and what is wrong with that."""
    from sim.scenario import Fault

    rest, faults, given = [], list[Fault](), dict[str, Any]()
    seen, now = set[str](), ""
    for setting in settings:
        key, separator, value = setting.partition("=")
        seen, now = {*seen, now}, key
        if not separator or key not in SETTINGS:
            rest.append(setting)
        elif key in seen:
            faults.append(Fault(key, value, "is given twice"))
        elif key == "pick" and value in ("kn", "ocba"):
            given["method"] = value
        elif key == "pick":
            faults.append(Fault(key, value, "must be kn or ocba", "kn guarantees what it picks"))
        else:
            try:
                given[key] = float(value)
            except ValueError:
                faults.append(Fault(key, value, "must be a number"))
    if given and "method" not in given and not faults:
        faults.append(Fault(next(iter(given)), "", "is of picking alone", "add pick=kn"))
    if "method" in given and "indifference" not in given and not faults:
        faults.append(Fault("pick", given["method"], "needs indifference=, the smallest difference of customer equity that matters"))
    if given.get("method") == "ocba" and "confidence" in given:
        faults.append(Fault("confidence", f"{given['confidence']:g}", "is of kn alone: ocba guarantees nothing"))
    if given:
        idle = [setting.partition("=") for setting in rest if setting.partition("=")[0] in ("out", "comparator")]
        faults += [Fault(key, value, "means nothing beside pick, which writes no folder and compares all arms") for key, _, value in idle]
    if faults or not given:
        return rest, None, faults
    from sim.studies.picking import How

    return rest, How(**given), faults


def settle(scenario: "Scenario", arms: "Sequence[Arm]", how: "How") -> None:
    """Pick the best arm and print what was found; nothing is written."""
    from sim.studies.picking import pick_best

    with progress_bar() as progress:
        found = pick_best(scenario, arms, how, progress)
    show(found)


def show(found: "Picking") -> None:
    """Print the arms, the best first, how many customers each took, and what is guaranteed."""
    line("scenario", found.scenario.name, found.scenario.label)
    head = f"equity {found.scenario.currency}".strip()
    table = found.table.sort_values(["picked", "customers"], ascending=False, kind="stable")
    rows = [{"arm": row["arm"], "customers": f"{row['customers']:,}", head: number(row["equity"], 0)} for row in table.to_dict("records")]
    if not columns(rows):
        for row in rows:
            line("arm", row.pop("arm"), *(f"{key} {value}" for key, value in row.items()))
    line("picked", found.arms[found.winner].id, f"by {found.how.method.upper()}", f"seed {found.scenario.run.seed}")
    line("guarantee", found.guarantee)
    line("work", f"{sum(found.customers):,} customers", f"{100 * found.saved:.0f} % less than all arms as long as the longest")
