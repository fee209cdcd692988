"""What a comparison of policies found, as frames and plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.measures.equity import firm_cost
from sim.measures.paired import Estimate, Paired, confidence
from sim.measures.paths import path_error
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.studies.arms import Arm
from sim.studies.functions import Score, Trigger
from sim.studies.referee import Referee, referee
from sim.studies.result import Result

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What a comparison found. Made by ``sim.compare``.

    scenario: without the arms' policies; arms: ``none`` first; results: one Result an arm, on the same customers with the same luck;
    paired: their differences, customer by customer; comparator: place of the arm that the others are held against; functions: the user's
    own, by name.
    Money is in the scenario's currency, discounted to calendar 0 where it is the firm's, to arrival where it is a customer's.
    """

    scenario: Scenario
    arms: tuple[Arm, ...]
    results: tuple[Result, ...]
    paired: Paired
    comparator: int
    functions: Mapping[str, Trigger | Score] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Ids of the arms."""
        return [arm.id for arm in self.arms]

    @property
    def labels(self) -> dict[str, str]:
        """What arms are called, by id, which is added where two are called alike."""
        several = [arm.label for arm in self.arms]
        return {arm.id: arm.label if several.count(arm.label) == 1 else f"{arm.label} ({arm.id})" for arm in self.arms}

    @cached_property
    def differences(self) -> "pd.DataFrame":
        """How each arm differs from the comparator, by group and measure; see ``sim.measures.paired.differences``."""
        from sim.measures.paired import differences

        return differences(self.paired, self.ids, self.comparator)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row an arm.

        Columns: arm, label, policies; clv, clv_se (a customer); equity, equity_se (the firm's); kept, kept_se (chance of not being lost in
        the first year); cost, gross, gain, gain_se, gain_low, gain_high (against the comparator, the firm's: cost of policies, customer
        equity before it and after it, with a 95 % interval); difference, difference_se, difference_low, difference_high, sd, sd_unpaired
        (of CLV a customer: paired, and were the arms' luck apart); saved (share of the variance that pairing saves); roi, roi_low, roi_high
        (gain over cost); payback (periods until the spending has come back, missing for never); shortfall (mean CLV of the worst
        5 %); dominates (first or second order stochastic dominance over the comparator, else empty); parted, parted_at (share of customers
        whose path ever parts from that under the comparator, and the median tenure at which it first does); perfect, perfect_se (the
        firm's, what treating exactly those who gain would add to the better of the arm and the comparator); qini (coefficient of treating
        by segment and cohort, a head); efficient (on the frontier of cost and gross gain).
        """
        import pandas as pd

        return pd.DataFrame(self._rows()).astype({"payback": "Int64"})

    def _rows(self) -> list[dict[str, Any]]:
        from sim.measures import arms as measures
        from sim.measures.gains import parted, perfect
        from sim.measures.targeting import qini

        rows, theirs = [], self.results[self.comparator]
        for k, (arm, result) in enumerate(zip(self.arms, self.results, strict=True)):
            own, other = result.clv.iloc[0], theirs.clv.iloc[0]
            one = self.one(arm.id, "clv")
            back = measures.returns(self.paired, k, self.comparator)
            half, apart = self.paired.width * back["gain_se"], math.hypot(own["sd"], other["sd"])
            apart_se = math.hypot(own["se"], other["se"])
            equity = result.equity.iloc[0]
            kept = self._kept(k)
            row: dict[str, Any] = {"arm": arm.id, "label": self.labels[arm.id], "policies": "+".join(arm.policies)}
            row |= {"clv": own["mean"], "clv_se": own["se"], "equity": equity["equity"], "equity_se": equity["se"]}
            row |= {"kept": kept[0], "kept_se": kept[1], "cost": back["cost"], "gross": back["gross"], "gain": back["gain"]}
            row |= {"gain_se": back["gain_se"], "gain_low": back["gain"] - half, "gain_high": back["gain"] + half}
            row |= {"difference": one["difference"], "difference_se": one["se"], "difference_low": one["low"]}
            row |= {"difference_high": one["high"], "sd": one["sd"], "sd_unpaired": apart}
            row |= {"saved": 1.0 - (one["se"] / apart_se) ** 2 if k != self.comparator and apart_se > 0 else math.nan}
            wide = self.paired.width * back["roi_se"]
            row |= {"roi": back["roi"], "roi_low": back["roi"] - wide, "roi_high": back["roi"] + wide}
            row |= {"payback": measures.payback(measures.course(result.sample, theirs.sample))}
            row |= {"shortfall": measures.shortfall(result.sample), "dominates": measures.dominance(result.sample, theirs.sample)}
            row |= dict(zip(("parted", "parted_at"), parted(self.paired, k), strict=True))
            row |= dict(zip(("perfect", "perfect_se"), perfect(self.paired, k), strict=True))
            row |= {"qini": qini(self.targeting[self.targeting["arm"] == arm.id])}
            rows.append(row)
        frontier = measures.efficient(self.paired, [row["cost"] for row in rows], [row["gross"] for row in rows])
        return [{**row, "efficient": on} for row, on in zip(rows, frontier, strict=True)]

    def one(self, arm: str, measure: str) -> "pd.Series[Any]":
        """Return the row of ``differences`` of an arm's customers all together."""
        frame = self.differences
        return frame[(frame["arm"] == arm) & (frame["by"] == "all") & (frame["measure"] == measure)].iloc[0]

    def _kept(self, k: int) -> tuple[float, float]:
        """Return the chance of not being lost within the first year, and its standard error."""
        result = self.results[k]
        if not result.sample.keeps:
            return math.nan, math.nan
        year = min(self.scenario.periods_per_year, result.sample.horizon)
        row = result.retention[result.retention["by"] == "all"].iloc[year]
        se = float(row["survival_se"]) if result.sample.independent else path_error(self.paired.path_mean(k, "kept"))
        return float(row["survival"]), se

    @cached_property
    def treatments(self) -> "pd.DataFrame":
        """What was done in each arm; see ``sim.measures.arms.treatments``."""
        from sim.measures.arms import treatments

        return treatments({arm.id: result.sample for arm, result in zip(self.arms, self.results, strict=True)})

    @cached_property
    def who_gains(self) -> "pd.DataFrame":
        """Differences by what happened to the customer under the comparator; see ``sim.measures.gains.who_gains``."""
        from sim.measures.gains import who_gains

        return who_gains(self.paired, self.ids)

    @property
    def classed(self) -> bool:
        """Whether it is known which class a customer was in: where customers are followed, for a year, and another arm is there."""
        whole = self.results[0].sample.horizon >= self.scenario.periods_per_year
        return bool(self.scenario.run.panel and len(self.arms) > 1 and whole)

    @cached_property
    def class_gains(self) -> "pd.DataFrame":
        """Differences by class under the comparator, of those followed (``run.panel``); see ``sim.measures.gains.class_gains``."""
        from sim.measures.gains import class_gains

        if not self.classed:
            raise AttributeError("customers were not followed for a year: compare with run.panel=10000, or as many as you like")
        followed = [result.followed for result in self.results]
        return class_gains(followed, self.ids, self.comparator, self.paired.width)

    @cached_property
    def parting(self) -> "pd.DataFrame":
        """Where paths first part from those under the comparator; see ``sim.measures.gains.parting``."""
        from sim.measures.gains import parting

        return parting(self.paired, self.ids)

    @cached_property
    def targeting(self) -> "pd.DataFrame":
        """The Qini curve of each arm by segment and cohort; see ``sim.measures.targeting.targeting``."""
        from sim.measures.targeting import targeting

        return targeting(self.paired, self.ids)

    def by_score(self, arm: str, score: "Sequence[float] | np.ndarray[Any, Any]") -> "pd.DataFrame":
        """Return an arm's Qini curve by a score of each customer kept; see ``sim.measures.targeting.by_score``."""
        from sim.measures.targeting import by_score

        return by_score(self.paired, self.ids.index(arm), np.asarray(score))

    @cached_property
    def paths(self) -> "pd.DataFrame":
        """How arms fare from market path to market path (``run.replicates``); see ``sim.measures.arms.paths``."""
        return self.aspiring()

    def aspiring(self, level: float | None = None) -> "pd.DataFrame":
        """Return the frame ``paths`` with another level of aspiration, in customer equity, than the comparator's mean."""
        from sim.measures.arms import paths

        return paths(self.paired, self.ids, self.comparator, level)

    @cached_property
    def best(self) -> int:
        """Place of the arm with the highest customer equity; of equals the first."""
        return int(np.argmax(self.table["equity"].to_numpy()))

    def ahead(self, k: int, other: int) -> Estimate:
        """Return how far arm k's customer equity is ahead of another's, the firm's own costs of policies included."""
        found = self.paired.at_firm(k, other, "clv")
        own = firm_cost(self.paired.samples[k]) - firm_cost(self.paired.samples[other])
        return found._replace(mean=found.mean - own)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the comparison, and of the value beyond its horizon."""
        from sim.measures.paths import conditional
        from sim.measures.summary import beyond_horizon, uneven
        from sim.scenario.checks import warnings

        said = [text for arm in self.arms for text in warnings(arm.scenario)]
        theirs = self.results[self.comparator]
        said += [*conditional(theirs.sample), *beyond_horizon(theirs)]
        said += [text for one in self.results for text in uneven(one.sample)]
        return list(dict.fromkeys(said))

    @property
    def same_customers(self) -> bool:
        """Whether the firm has as many customers in all arms: none wins some, or all the same."""
        return len({tuple(result.sample.firm.tolist()) for result in self.results}) == 1

    @cached_property
    def alike(self) -> tuple[str, ...]:
        """Arms that come to the same as the best, customer by customer."""
        apart = {arm.id: self.ahead(self.best, k) for k, arm in enumerate(self.arms) if k != self.best}
        return tuple(key for key, one in apart.items() if one.mean == 0.0 and one.se == 0.0)

    @cached_property
    def confidence(self) -> float:
        """Lower bound of the chance that it is the best; see ``sim.measures.paired.confidence``."""
        return confidence(self.paired, self.best)

    @cached_property
    def referee(self) -> Referee:
        """What the best rule of whom to treat would bring, where theory knows; of policies varied between arms each way they are."""
        own, found = self.scenario.policies, dict[str, Policy]()
        for arm in self.arms:
            for key, policy in arm.scenario.policies.items():
                if key not in own and policy.acquire is None and policy not in found.values():
                    found[key if key not in found else f"{arm.id}.{key}"] = policy
        known = referee(self.scenario, found)
        alone = all(len(arm.policies) <= 1 and self.same_customers for arm in self.arms)
        return replace(known, bound=known.bound and alone)

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        found = {"arms": self.table, "differences": self.differences, "who_gains": self.who_gains, "treatments": self.treatments}
        if self.classed:
            found["class_gains"] = self.class_gains
        found |= {"parting": self.parting, "targeting": self.targeting}
        return found if self.results[0].sample.independent else found | {"paths": self.paths}

    def summary(self) -> dict[str, Any]:
        """Return what ``comparison.json`` holds: plain values, None for what is not defined."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.scenario.name,
            "currency": self.scenario.currency,
            "customers": self.results[0].sample.simulated,
            "replicates": self.results[0].sample.replicates,
            "comparator": self.arms[self.comparator].id,
            "arms": {row["arm"]: self._summary(row) for row in self.table.to_dict("records")},
            "best": self.arms[self.best].id,
            "confidence": plain(self.confidence),
            "best_rule": {
                "value": plain(self.referee.value),
                "nothing": plain(self.referee.nothing),
                "bound": self.referee.bound,
                "reason": self.referee.reason,
            },
        }

    @staticmethod
    def _summary(row: Mapping[Any, Any]) -> dict[str, Any]:
        interval = [plain(row["gain_low"]), plain(row["gain_high"])]
        return {
            "label": row["label"],
            "policies": row["policies"].split("+") if row["policies"] else [],
            "clv": {"mean": plain(row["clv"]), "se": plain(row["clv_se"])},
            "equity": {"mean": plain(row["equity"]), "se": plain(row["equity_se"])},
            "cost": plain(row["cost"]),
            "retention": {"mean": plain(row["kept"]), "se": plain(row["kept_se"])},
            "gain": {"mean": plain(row["gain"]), "se": plain(row["gain_se"]), "interval": interval},
            "difference": {
                "mean": plain(row["difference"]),
                "se": plain(row["difference_se"]),
                "sd": plain(row["sd"]),
                "sd_unpaired": plain(row["sd_unpaired"]),
                "interval": [plain(row["difference_low"]), plain(row["difference_high"])],
            },
            "roi": plain(row["roi"]),
            "payback": plain(row["payback"]),
            "parted": {"share": plain(row["parted"]), "tenure": plain(row["parted_at"])},
            "perfect": {"mean": plain(row["perfect"]), "se": plain(row["perfect_se"])},
            "qini": plain(row["qini"]),
        }

    def __repr__(self) -> str:
        row = self.table.iloc[self.best]
        error = f"± {row['gain_high'] - row['gain']:,.0f} " if math.isfinite(row["gain_se"]) else ""
        told = f"best {row['label']}, {row['gain']:,.0f} {error}{self.scenario.currency} against {self.ids[self.comparator]}"
        end = " (95 %)" if error else ", on this market path"
        return f"<Comparison of {len(self.arms)} arms on {self.scenario.name}: {' '.join(told.split())}{end}>"


def plain(value: Any) -> float | int | None:
    """Return a number as JSON has it, None for what is not defined."""
    import pandas as pd

    if value is None or value is pd.NA or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)
