"""What others published beside exact and simulated values: python experiments/validation.py writes docs/validation.md.

The numbers, their sources and what is misprinted are in published.yaml; the tests hold simulation and theory to the same file.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

import sim

HERE = Path(__file__).resolve().parent
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "published.yaml").read_text(encoding="utf-8"))
N = 1_000_000
PAIRED = ("gain", "difference", "difference_sd")


class Figure(NamedTuple):
    """One published number beside ours. digits: decimals printed; derived, misprint: its marks; exact is NaN where there is none."""

    quantity: str
    published: float
    digits: int
    derived: bool
    misprint: bool
    exact: float
    simulated: float
    se: float

    @property
    def z(self) -> float:
        """Distance of the simulated from the exact (else the published) value in standard errors; NaN where nothing is left to luck."""
        beside = self.published if math.isnan(self.exact) else self.exact
        return (self.simulated - beside) / self.se if self.varies else math.nan

    @property
    def varies(self) -> bool:
        """Whether luck has a part in it; a smaller standard error than this is what rounding to 2^-20 leaves."""
        return self.se > 1e-5 * abs(self.simulated)

    def row(self) -> str:
        """Write the figure as a row of its table; what is simulated to two digits of its standard error."""
        mark = "°" * self.derived + r"\*" * self.misprint
        shown = "–" if math.isnan(self.exact) else f"{self.exact:,.{self.digits + 2}f}"
        digits = max(0, 1 - math.floor(math.log10(self.se))) if self.varies else self.digits + 2
        found = f"{self.simulated:,.{digits}f}" + f" ± {self.se:.{digits}f}" * self.varies
        z = "–" if math.isnan(self.z) else f"{self.z + 0.0:.2f}"
        return f"| {self.quantity} | {self.published:,.{self.digits}f}{mark} | {shown} | {found} | {z} |".replace("-", "−")


@lru_cache(maxsize=4)
def scenario(name: str, *settings: str) -> sim.Scenario:
    """Return a scenario, of N customers; those of scenario/ beside this file are found too."""
    return sim.load(name, *settings, f"run.customers={N}", "run.seed=1", configs=HERE)


@lru_cache(maxsize=2)
def simulated(name: str, *settings: str) -> sim.Result:
    """Return a run."""
    return sim.simulate(scenario(name, *settings))


@lru_cache(maxsize=2)
def worth(name: str, *settings: str) -> Any:
    """Return the CLV of each of N customers."""
    one = scenario(name, *settings)
    kept = one.model_copy(update={"run": one.run.model_copy(update={"keep_customers": True})})  # reading it again would take longer
    return sim.simulate(kept).customers["clv"].to_numpy()


@lru_cache(maxsize=2)
def theory(name: str, *settings: str) -> Any:
    """Return the exact answers."""
    return sim.exact(scenario(name, *settings))


def spread(values: Any) -> tuple[float, float]:
    """Return a standard deviation and its standard error, sd sqrt((kurtosis - 1) / n) / 2."""
    gaps = (values - values.mean()) ** 2
    sd = float(np.sqrt(gaps.mean()))
    return sd, float(np.sqrt((np.mean(gaps**2) / sd**4 - 1) / values.size)) * sd / 2


def measured(measure: str, key: str, name: str, settings: tuple[str, ...], endless: bool) -> tuple[float, float, float]:
    """Return the exact and the simulated value of a measure and the standard error; key: a tenure, segment, pattern, stage or scenario."""
    exact = theory(name, *settings, "horizon=inf") if endless else theory(name, *settings)
    if measure == "sd":
        return (exact.clv_sd, *spread(worth(name, *settings)))
    if measure in PAIRED:
        return paired(measure, exact.clv_mean, theory(key, *settings).clv_mean, worth(name, *settings), worth(key, *settings))
    result = simulated(name, *settings)
    if measure in ("clv", "before", "negative"):
        frame = result.clv.set_index(["by", "id", "measure"])
        row: Any = frame.xs(("segment" if key else "all", key or "all", "clv_before_acquisition" if measure == "before" else "clv"))
        if measure == "negative":
            return math.nan, row["share_negative"], binomial(row["share_negative"])
        of = exact.by_segment[key] if key else exact
        return (of.clv_before_mean if measure == "before" else of.clv_mean), row["mean"], row["se"]
    if measure in ("survival", "retention", "active"):
        row = result.retention[result.retention["by"] == "all"].iloc[int(key)]
        return getattr(exact, measure)[int(key)], row[measure], row[f"{measure}_se"]
    return OTHERS[measure](exact, result, key)


def paired(measure: str, exact: float, exact_base: float, better: Any, base: Any) -> tuple[float, float, float]:
    """Compare the same customers in two scenarios: gain (relative), difference, or its spread between customers."""
    gaps = better - base
    if measure == "difference_sd":
        return (math.nan, *spread(gaps))
    if measure == "difference":
        return exact - exact_base, gaps.mean(), gaps.std() / math.sqrt(gaps.size)
    ratio = better.mean() / base.mean()  # with its linearised error (Cochran 1977, 6.11)
    return exact / exact_base - 1, ratio - 1, (better - ratio * base).std() / math.sqrt(base.size) / base.mean()


def binomial(share: float) -> float:
    """Return the standard error of a share of N customers."""
    return math.sqrt(share * (1 - share) / N)


def cash(exact: Any, result: sim.Result, key: str) -> tuple[float, float, float]:
    """Discounted cash of a tenure, before acquisition."""
    row = result.cash[result.cash["by"] == "all"].iloc[int(key)]
    due = sum(exact.cash[column][int(key)] for column in ("purchase", "service", "transition"))
    return due, row["net"] - row["acquisition"], row["net_se"]


def calendar(exact: Any, result: sim.Result, key: str) -> tuple[float, float, float]:
    """Retention over all cohorts in a calendar period; exactly, from the firm's arrivals and what is left of each."""
    frame = result.calendar_retention[result.calendar_retention["by"] == "all"]
    row, y = frame.iloc[int(key)], int(key)
    before, after = (sum(frame["new"].iloc[a] * exact.active[y - a + late] for a in range(y + 1)) for late in (0, 1))
    return after / before, row["retention"], row["se"]


def left(exact: Any, result: sim.Result, key: str) -> tuple[float, float, float]:
    """Share of customers who are lost from a stage."""
    share = result.flows.query(f"by == 'all' and stage == '{key}' and target == 'lost'")["per_customer"].sum()
    return exact.flows[f"{key}.lost"].sum(), share, binomial(share)


def pattern(exact: Any, result: sim.Result, key: str) -> tuple[float, float, float]:
    """Share of customers with a life pattern."""
    row = result.patterns.query(f"by == 'all' and pattern == '{key}'").iloc[0]
    return exact.patterns[key], row["share"], row["share_se"]


OTHERS: dict[str, Callable[[Any, sim.Result, str], tuple[float, float, float]]] = {
    "cash": cash,
    "calendar": calendar,
    "left": left,
    "pattern": pattern,
}


def printed(entry: dict[str, Any]) -> list[str]:
    """Return the published numbers of an entry with their marks."""
    table, _, column = str(entry["published"]).partition("/")
    if not column:
        return table.split()
    numbers = pd.read_csv(HERE / table, comment="#", dtype=str)[column]
    return [number + "*" * (place in entry.get("starred", [])) for place, number in enumerate(numbers)]


def figures(case: dict[str, Any]) -> Iterator[Figure]:
    """Yield the figures of a case, in the order they are listed."""
    for entry in case["figures"]:
        numbers = printed(entry)
        # without `each`, every number is one of the same quantity, such as printed and with more digits
        each = entry.get("each", [None] * len(numbers))
        for item, number in zip(each, numbers, strict=True):
            values = item if isinstance(item, list) else [] if item is None else [item]
            one = {"next": item + 1} if isinstance(item, int) else {}
            horizon = entry.get("horizon", case.get("horizon"))
            settings = [text.format(*values, **one) if values else text for text in entry.get("set", [])]
            settings += [f"horizon={horizon}"] if horizon else []
            measure, _, key = entry["measure"].format(*values, **one).partition(" ")
            endless = entry.get("endless", case.get("endless", False))
            found = measured(measure, key, case["scenario"], tuple(settings), endless)
            bare = number.rstrip("°*")
            digits = len(bare.partition(".")[2])
            marks = "°" in number, "*" in number
            ours = (float(value) * entry.get("scale", 1) for value in found)
            yield Figure(entry["quantity"].format(*values, **one), float(bare), digits, *marks, *ours)


def section(case: dict[str, Any], found: list[Figure]) -> str:
    """Write a case as a section of the page."""
    head = ["| | published | exact | simulated | z |", "|---|--:|--:|--:|--:|"]
    table = "\n".join([*head, *(figure.row() for figure in found)])
    said = f"{case['note']}\n\n" if "note" in case else ""
    source = case["source"][0].upper() + case["source"][1:]
    return f"## {case['title']}\n\n{source}. Scenario `{case['scenario']}`.\n\n{said}{table}\n"


HEAD = """# Validation

What others published, beside the exact and the simulated values of clvsim. This page is written by `python experiments/validation.py`;
the published numbers are in `experiments/published.yaml`. Every simulation is of {N:,} customers with seed 1, so that the page comes
out the same on any machine.

- **published**: as printed in the source. ° marks what the source does not print but what follows from its printed inputs by its own
  formula; \\* marks what is printed otherwise than the source's inputs give, and the text above the table says how.
- **exact**: from `sim.exact`, by theory, without simulation. Where the source's horizon is endless, so is this one.
- **simulated**: mean of the simulated customers ± its standard error.
- **z**: distance of the simulated from the exact value (the published one where there is none) in standard errors; – where luck has no
  part.

Of {all} published numbers {derived} are derived (°) and {misprints} misprinted (\\*). The exact values agree with all others to the last
printed digit. {compared} have a z, of which {beyond} are beyond 2 in size, the largest {largest}; were they independent, luck alone would
put {luck:.0f} there. They are not: numbers of one run share its customers, so that neighbours in a table err together.

## What cannot be reached

- The publisher's gain of 25 %: no reading of "2 % a year" gives it.
- The publisher's profits of years 6 and 7, the present value of year 10, and two pooled rates of retention: see their sections.

Not compared, because the engine has no such customer: BG/NBD, whose customers drop out right after an order; switching between brands
(Rust, Lemon and Zeithaml 2004); hidden Markov models whose transitions depend on contacts (Netzer, Lattin and Srinivasan 2008).

Not compared, because no printed results were at hand: Berger and Nasr's cases 2 to 5, Dwyer's tables of retention and migration.
"""


def head(found: list[Figure]) -> str:
    """Write the top of the page."""
    z = [abs(figure.z) for figure in found if not math.isnan(figure.z)]
    derived, misprints = sum(figure.derived for figure in found), sum(figure.misprint for figure in found)
    counts = {"all": len(found), "derived": derived, "misprints": misprints, "compared": len(z)}
    return HEAD.format(N=N, **counts, beyond=sum(value > 2 for value in z), largest=f"{max(z):.2f}", luck=0.0455 * len(z))


def page() -> str:
    """Write the whole page."""
    found = [list(figures(case)) for case in CASES]
    sections = [section(case, part) for case, part in zip(CASES, found, strict=True)]
    return "\n".join([head([figure for part in found for figure in part]), *sections])


if __name__ == "__main__":
    (HERE.parent / "docs" / "validation.md").write_text(page(), encoding="utf-8")
