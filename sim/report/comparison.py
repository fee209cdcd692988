"""The report of a comparison: which policy, by how much, how sure, and when it would not be the choice."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.report import assumptions, words
from sim.report.arms import FIGURES, against, called, fitting, lettered, ranked
from sim.report.files import PAGE, figure_files
from sim.report.page import Card, inlined, template
from sim.report.policies import done, facts
from sim.report.style import Drawn, warn_of_missing_letters
from sim.report.words import DASH, SPACE

if TYPE_CHECKING:
    from sim.scenario.policy import Policy
    from sim.studies.comparison import Comparison

TEMPLATE = "comparison.html.j2"


def names(found: "Comparison") -> set[str]:
    """Return the names, relative to its folder, that ``files`` makes of this comparison; draws nothing."""
    return {PAGE, *(f"figures/{name}.{kind}" for name in fitting(found) for kind in ("svg", "png", "csv"))}


def files(found: "Comparison", draws: int) -> dict[str, bytes]:
    """Return the report's files by name: ``report.html``, and each figure as SVG, PNG and the CSV of what it draws.

    draws: number of the scheme of random numbers. May warn with ``style.FontWarning``.
    """
    warn_of_missing_letters(lettered(found))
    drawn = [FIGURES[name](found) for name in fitting(found)]
    pictures = [(figure, figure.svg()) for figure in drawn]
    return {PAGE: page(found, pictures, draws).encode(), **figure_files(pictures)}


def page(found: "Comparison", drawn: Sequence[tuple[Drawn, str]], draws: int) -> str:
    """Return the report as HTML; the same for equal comparisons."""
    scenario = found.scenario
    firm = float(found.results[0].sample.firm.sum())
    every = policies(found)
    return template(TEMPLATE).render(
        scenario=scenario,
        title=scenario.label or scenario.name,
        answer=answer(found),
        cards=cards(found),
        conditions=list(conditions(found)),
        warnings=found.warnings,
        unit=words.unit(scenario),
        against=against(found),
        customers=words.plain(firm),
        forgone=any(policy.effects.price < 1 or policy.effects.margin < 0 for _, policy in every),
        rows=[_row(found, row) for row in _ordered(found).to_dict("records")],
        figures=[(figure, inlined(figure, svg)) for figure, svg in drawn],
        policies=[_policy(found, label, policy) for label, policy in every],
        done_heads=["contacts", "taken up", f"{scenario.period}s in force", f"cost, {words.unit(scenario)}"],
        **assumptions.parts(scenario, found.results[0].sample.horizon),
        checks=[_check(found, row) for row in ranked(found).to_dict("records")],
        rule=_rule(found),
        scope=_scope(found),
        receipt=_receipt(found, draws),
    )


def _ordered(found: "Comparison") -> pd.DataFrame:
    return found.table.sort_values("equity", ascending=False, kind="stable")


def _money(found: "Comparison", value: float, se: float) -> str:
    return words.money(found.scenario, value, se * found.paired.width / words.LEVEL)


def answer(found: "Comparison") -> str:
    """Return the answer in a sentence or two."""
    best = found.table.iloc[found.best]
    if found.best == found.comparator:
        return _nothing_better(found)
    said = f"{best['label']}: it adds {_money(found, best['gain'], best['gain_se'])} to customer equity against {against(found)}"
    if best["gain_low"] < 0:
        said = f"{said}, which may be luck"
    if best["cost"] > 0:
        said += f", for {words.roughly(found.scenario, best['cost'])} {'more ' if _spends(found) else ''}spent"
    others = _ordered(found)
    others = others[others["arm"] != best["arm"]]
    if len(others) and found.confidence > 0.5 and others.iloc[0]["arm"] != found.ids[found.comparator]:
        second = others.iloc[0]
        ahead = found.ahead(found.best, found.ids.index(second["arm"]))
        said += f". It is {_money(found, ahead.mean, ahead.se)} ahead of the next, {called(found)[second['arm']]}"
    return said + "."


def _spends(found: "Comparison") -> bool:
    """Return whether the comparator has policies of its own, beside whose cost that of the others is told."""
    return bool(found.arms[found.comparator].policies)


def _nothing_better(found: "Comparison") -> str:
    """Return the answer where the comparator is the best, with how much the next one falls short."""
    others = ranked(found)
    if not len(others):
        return "There is no other arm to compare with."
    second, several = others.iloc[0], len(others) > 1
    if len(found.alike) == len(others):
        return f"{'All arms come' if several else second['label'] + ' comes'} to the same as {against(found)}, customer by customer."
    said = f"None of the {len(others)} arms does better than" if several else f"{second['label']} does no better than"
    said += f" {against(found)}."
    if second["gain"] < 0:
        lost = _money(found, -second["gain"], second["gain_se"])
        said += f" The nearest, {second['label']}, loses {lost} of customer equity." if several else f" It loses {lost} of customer equity."
    return said


def cards(found: "Comparison") -> list[Card]:
    """Return the answer in three numbers: the gain, what comes back for what is spent, how sure the choice is."""
    best, unit = found.table.iloc[found.best], found.scenario.currency
    one_path = "" if math.isfinite(best["gain_se"]) else "conditional on this market path"
    scale = found.paired.width / words.LEVEL
    number, half = words.estimate(best["gain"], best["gain_se"] * scale)
    gain = Card("Gain in customer equity", number, half, unit, f"{best['label']} against {against(found)}, after what it costs", one_path)
    if found.best == found.comparator:
        gain = Card("Gain in customer equity", DASH, DASH, unit, f"nothing compared does better than {against(found)}", "")
    back, wide = _back(best["roi"], (best["roi_high"] - best["roi"]) / words.LEVEL)
    note = f"customer equity gained per {words.unit(found.scenario)} spent on it; above 1 it pays"
    returned = Card("Comes back per unit spent", back, wide, "", note, "nothing more is spent" if back == DASH else "")
    sure = found.confidence
    told = DASH if not math.isfinite(sure) else f"above {99.9}" if sure > 0.999 else f"{100 * sure:.1f}"
    about = f"that it is the best of the {len(found.arms)} compared, if what is assumed holds"
    return [gain, returned, Card("Confidence", told, DASH, f"{SPACE}%", about, one_path if told == DASH else "")]


def conditions(found: "Comparison") -> Iterator[str]:
    """Yield under what conditions the best arm would not be the choice, as far as this comparison can tell."""
    best = found.table.iloc[found.best]
    others = _ordered(found)
    others = others[others["arm"] != best["arm"]]
    if not len(others):
        return
    second, next_one = others.iloc[0], called(found)[others.iloc[0]["arm"]]
    lead = best["equity"] - second["equity"]
    if best["cost"] > 0 and lead > 0:
        ratio = lead / best["cost"]
        higher = f"{words.percent(ratio)} higher" if ratio < 1 else f"{_times(1 + ratio)} as high"
        more = f" beyond that of {against(found)}" if _spends(found) else ""
        dearer = f"If its cost{more} were {higher}, {next_one} would do as well"
        yield f"{dearer} ({words.roughly(found.scenario, best['cost'] + lead)} in place of {words.roughly(found.scenario, best['cost'])})."
    if best["cost"] <= 0 and 0 < lead < second["cost"]:
        cheaper = f"Were the cost of {next_one} {words.percent(lead / second['cost'])} lower, it would do as well"
        instead = words.roughly(found.scenario, second["cost"])
        yield f"{cheaper} ({words.roughly(found.scenario, second['cost'] - lead, second['cost'])} in place of {instead})."
    if best["gross"] > 0 and lead > 0:
        smaller = words.percent(lead / best["gross"])
        yield f"If it brought {smaller} less than assumed, at the same cost, {next_one} would do as well."
    yield from _on_top(found, best, second)
    yield from _elsewhere(found, best["arm"])
    if not found.results[0].sample.independent:
        row = found.paths[found.paths["arm"] == best["arm"]].iloc[0]
        if row["won"] < 1:
            yield f"On {words.percent(1 - row['won'])} of the market paths another arm does better; at worst it falls " + (
                f"{words.roughly(found.scenario, row['regret_max'])} short of the best."
            )
    if found.confidence < 0.95:
        yield f"The simulation alone does not settle it: confidence is {words.percent(found.confidence)}; simulate more customers."


def _times(ratio: float) -> str:
    """Return a multiple to one decimal: more of it is not known."""
    return f"{words.told_apart(ratio, 10.0)} times"


def _on_top(found: "Comparison", best: "pd.Series[Any]", second: "pd.Series[Any]") -> Iterator[str]:
    """Yield how much dearer what the best arm adds to the next might be, where it is that one and more."""
    base, whole = (found.arms[found.ids.index(row["arm"])].policies for row in (second, best))
    added, lead = best["cost"] - second["cost"], best["equity"] - second["equity"]
    if base and set(base) < set(whole) and added > 0 and lead > 0:
        more = " + ".join(found.arms[found.best].scenario.policies[key].label or key for key in whole if key not in base)
        yield (
            f"{more} on top of {called(found)[second['arm']]} costs {words.roughly(found.scenario, added)} more; "
            f"up to {_times(1 + lead / added)} that it would still pay."
        )


def _elsewhere(found: "Comparison", best: str) -> Iterator[str]:
    """Yield the segments in which another arm, or none, does better for a customer."""
    frame, labels = found.differences, called(found)
    mine = frame[(frame["by"] == "segment") & (frame["measure"] == "clv")]
    better: dict[str, list[str]] = {}
    for segment, rows in mine.groupby("id", sort=False):
        top = rows.iloc[int(rows["difference"].to_numpy().argmax())]
        if top["arm"] != best and _surely(found, str(top["arm"]), best, str(segment)):
            better.setdefault(top["arm"], []).append(words.segment(found.scenario, str(segment)))
    every = [policy for arm in found.arms for policy in arm.scenario.policies.values()]
    spent = any(policy.cost.setup or policy.cost.per_period or policy.acquire is not None for policy in every)
    aside = ", the firm's own costs aside" if spent else ""
    for arm, segments in better.items():
        yield f"For {' and '.join(segments)} customers {labels[arm]} is worth more a head{aside}."


def _surely(found: "Comparison", arm: str, best: str, segment: str) -> bool:
    """Return whether an arm does better than the best for a segment's customers, beyond the 95 % error of the difference."""
    group = next(one for one in found.paired.samples[0].groups if (one.by, one.id) == ("segment", segment))
    gap = found.paired.difference(found.ids.index(arm), found.ids.index(best), "clv", group)
    return gap.mean > (found.paired.width * gap.se if math.isfinite(gap.se) else 0.0)


def _back(roi: float, se: float) -> tuple[str, str]:
    """Return what comes back for a unit spent and half of its interval; dashes where less than nothing does."""
    return words.estimate(roi + 1.0, se) if roi >= -1.0 else (DASH, DASH)


def _row(found: "Comparison", row: dict[Any, Any]) -> dict[str, Any]:
    own = row["arm"] == found.ids[found.comparator]
    scale = found.paired.width / words.LEVEL
    gain, half = words.estimate(row["gain"], row["gain_se"] * scale)
    clv, error = words.estimate(row["clv"], row["clv_se"] * scale)
    notes = ["its gain cannot be told from 0"] if _open(row) else []
    notes += [] if row["efficient"] else ["not worth considering: another arm brings as much and costs no more"]
    if row["dominates"]:
        better = "better at every level of CLV" if row["dominates"] == "first" else "better for whoever shuns risk"
        notes.append(f"customer by customer {better}")
    return {
        "label": row["label"],
        "best": row["arm"] == found.ids[found.best],
        "note": "; ".join(notes),
        "gain": DASH if own else _joined(gain, half),
        "cost": words.short(row["cost"]),
        "back": _per_unit(row["roi"], row["roi_high"] - row["roi"]),
        "clv": _joined(clv, error),
        "kept": words.percent(row["kept"]),
        "payback": _payback(found, row, own),
    }


def _open(row: dict[Any, Any]) -> bool:
    """Return whether an arm's gain cannot be told from 0."""
    return bool(row["gain_low"] <= 0 <= row["gain_high"] and row["gain_low"] < row["gain_high"])


def _per_unit(roi: float, half: float) -> str:
    """Return what comes back for a unit spent, and half of its interval, to the cent as money is."""
    if not roi >= -1.0:
        return DASH
    return f"{roi + 1.0:,.2f}" + (f" ± {half:,.2f}" if half > 0 and math.isfinite(half) else "")


def _payback(found: "Comparison", row: dict[Any, Any], own: bool) -> str:
    if own or row["cost"] == 0 or _open(row):
        return DASH
    return "never" if pd.isna(row["payback"]) else words.periods(found.scenario, int(row["payback"])) if row["payback"] else "at once"


def _joined(number: str, half: str) -> str:
    return number if half in (DASH, "0") else f"{number} ± {half}"


def _check(found: "Comparison", row: dict[Any, Any]) -> dict[str, str]:
    one = found.one(row["arm"], "clv")
    number, half = words.estimate(row["difference"], row["difference_se"] * found.paired.width / words.LEVEL)
    return {
        "label": row["label"],
        "difference": _joined(number, half),
        "sd": words.plain(row["sd"]),
        "apart": words.plain(row["sd_unpaired"]),
        "saved": words.percent(row["saved"]),
        "perfect": _joined(*words.estimate(row["perfect"], row["perfect_se"] * found.paired.width / words.LEVEL)),
        "shares": f"{words.percent(one['gain'])} / {words.percent(one['lose'])}",
    }


def policies(found: "Comparison") -> list[tuple[str, "Policy"]]:
    """Return every policy of the arms with what it is called; one that a variant changes is there again, with the variant's name."""
    told: list[tuple[str, Policy]] = []
    for arm in found.arms:
        for key, policy in arm.scenario.policies.items():
            if all(policy != other for _, other in told):
                label = policy.label or key
                told.append((label if all(label != name for name, _ in told) else f"{label}, in {arm.label}", policy))
    return told


def _policy(found: "Comparison", label: str, policy: "Policy") -> dict[str, Any]:
    told = {"label": label, "description": policy.description, "facts": list(facts(found.scenario, policy))}
    return {**told, "done": done(found, policy)}


def _scope(found: "Comparison") -> str:
    """Return whose equity is told, and over how long."""
    sample, scenario = found.results[0].sample, found.scenario
    span = words.periods(scenario, sample.horizon)
    who = f"{words.newcomer(scenario)}s" if scenario.base is None else "customers, those of today among them"
    who += "" if found.same_customers else ", and those whom an arm wins,"
    return f"Customer equity is what the firm's {words.plain(float(sample.firm.sum()))} {who} bring over {span} each, discounted to today."


def _rule(found: "Comparison") -> str:
    """Return what theory says of the best that can be done."""
    known, scenario = found.referee, found.scenario
    if known.reason is not None:
        return f"Theory gives no best rule of whom to treat here ({known.reason})."
    said = (
        "By theory the best rule of whom to treat, one that looks at a customer's stage, the time spent in it and the tenure, would make a "
        f"customer worth {words.money(scenario, known.value)} before acquisition cost and the firm's own costs; without any policy it is "
        f"{words.money(scenario, known.nothing)}."
    )
    if known.bound:
        return f"{said} No arm can bring more."
    left = "; ".join(dict.fromkeys(_left_out(found, path) for path in known.left_out))
    limits = [f"takes no account of all that the policies say ({left})"] if left else []
    limits += ["never treats with two policies at once"] if any(len(arm.policies) > 1 for arm in found.arms) else []
    limits += ["wins nobody who would not come anyway"] if not found.same_customers else []
    return f"{said} The rule {' and '.join(limits)}, so that an arm may do better."


LEFT_OUT = {"when": "when it treats", "excludes": "whom it leaves out", "turnover": "staff who leave", "overload": "shared capacity"}
"""What the best rule by theory leaves out of a policy, in words."""


def _left_out(found: "Comparison", path: str) -> str:
    """Return in words what the best rule leaves out of a policy; path: as ``sim.studies.referee`` tells it."""
    *before, part, last = path.split(".")
    told = LEFT_OUT.get(last) or f"{'whom it treats' if part == 'who' else 'its effect'}, by {last.replace('_', ' ')}"
    key = part if last in LEFT_OUT else before[-1]
    every = {name: policy for arm in found.arms for name, policy in arm.scenario.policies.items()}
    return f"{every[key].label or key}: {told}"


def _receipt(found: "Comparison", draws: int) -> list[tuple[str, str]]:
    from importlib.metadata import version

    from sim import __version__

    run = found.scenario.run
    several = f" in each of {run.replicates:,} replicates" if run.replicates > 1 else ""
    return [
        ("Scenario", found.scenario.name),
        ("Arms", ", ".join(found.ids)),
        ("Seed", str(run.seed)),
        ("Customers simulated", f"{found.results[0].sample.simulated:,}{several}, the same in every arm"),
        ("clvsim", __version__),
        ("Scheme of the random numbers", str(draws)),
        ("Figures by", f"matplotlib {version('matplotlib')}"),
    ]
