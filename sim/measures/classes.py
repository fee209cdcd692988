"""Classes of customers, judged at the end of each year on what a firm can see, and how customers migrate between them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import UNIT, Array
from sim.measures.credit import credit
from sim.measures.followed import Followed
from sim.measures.outlook import outlook
from sim.measures.sample import LOST, Group
from sim.measures.sums import Floats, divide, share_of, wilson
from sim.scenario.classes import GONE, UNRATED, Classification, Cut


class Ratings:
    """What is known of each customer at the end of each year, measure by measure ``(years + 1, n)``; year 0 is the arrival.

    rated: who is in an active stage and was active a year before already, so that the last year can be judged; lost: who is in a lost
    stage; measures: see ``sim.scenario.classes.MEASURES``; NaN where not known.
    """

    def __init__(self, followed: Followed) -> None:
        self.followed, year = followed, followed.year
        self.ends = np.arange(followed.years + 1) * year
        once = np.logical_or.accumulate(followed.active, axis=0)
        self.rated = followed.active[self.ends] & np.concatenate([np.zeros_like(once[:1]), once[self.ends[:-1]]])
        self.lost = followed.kind[self.ends] == LOST
        self.outlook = outlook(followed)
        self.measures = {name: np.where(self.rated, values, np.nan) for name, values in self._measures().items()}

    def over_year(self, values: Floats) -> Floats:
        """Return sums over the year before each end of values by period ``(T, n)``; NaN at arrival."""
        so_far = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])[self.ends]
        return np.concatenate([np.full_like(so_far[:1], np.nan), np.diff(so_far, axis=0)])

    def _measures(self) -> dict[str, Floats]:
        followed = self.followed
        current, cost = self.over_year(followed.cash), self.over_year(followed.served[:-1])
        before = np.concatenate([np.full_like(current[:1], np.nan), current[:-1]])
        level = followed.level[self.ends]
        growth = followed.full[self.ends] * (1.0 - level) * self.outlook.remaining
        segments, felt = followed.sample.scenario.segments, followed.panel.mind
        match = [entry.match.total if (entry := segments.get(cell.segment)) and entry.match else np.nan for cell in followed.sample.cells]
        minds = {name: np.concatenate([values[:1] * np.nan, values])[self.ends] for name, values in felt.items()}
        return {
            "current": current,
            "cost": cost,
            "burden": self._burden(current, cost),
            "growth": growth,
            "future": self.outlook.future,
            "worth": current + self.outlook.future,
            "remaining": self.outlook.remaining / followed.year,
            "match": np.broadcast_to(np.array(match)[followed.panel.cell], current.shape),
            "credit": np.broadcast_to(credit(followed), current.shape),
            "orders": self.over_year(np.diff(followed.panel.orders, axis=0).astype(np.float64)),
            "idle": self._idle(),
            "trend": np.where(before > 0, current / np.where(before > 0, before, 1.0) - 1.0, np.nan),
            **{name: minds.get(name, np.full_like(current, np.nan)) for name in ("satisfaction", "trust", "level")},
        }

    def _burden(self, current: Floats, cost: Floats) -> Floats:
        """Return each customer's share of the year's cost over its share of the year's value; infinite of those who bring nothing."""
        weight = np.where(self.rated, self.followed.weight, 0.0)
        value_all, cost_all = (added(np.nan_to_num(values) * weight)[:, None] for values in (current, cost))
        share = divide(cost, np.broadcast_to(cost_all, cost.shape), 0.0)
        return np.where(current > 0, divide(share * value_all, current, 0.0), np.where(cost > 0, np.inf, 0.0))

    def _idle(self) -> Floats:
        """Return years since the last purchase; who pays by subscription buys in every period in an active stage."""
        followed = self.followed
        bought = np.where(followed.subscribed, followed.active[:-1], np.diff(followed.panel.orders, axis=0) > 0)
        periods = np.arange(1, bought.shape[0] + 1)[:, None]
        last = np.maximum.accumulate(np.concatenate([np.zeros_like(bought[:1], dtype=np.int64), np.where(bought, periods, 0)]), axis=0)
        return (self.ends[:, None] - last[self.ends]) / followed.year

    def score(self, weights: dict[str, float], moving: bool) -> Floats:
        """Return the weighted sum of z-scores; what does not differ, or is not known, adds nothing."""
        found = np.where(self.rated, 0.0, np.nan)
        for name, weight in weights.items():
            values = self.measures[name]
            for years in self.pooled(moving):
                found[years] += weight * _standardised(values[years], self._weight(values[years]))
        return found

    def pooled(self, moving: bool) -> list[slice]:
        """Return the years that a cut is taken over: each by itself, or all together."""
        return [slice(k, k + 1) for k in range(len(self.ends))] if moving else [slice(None)]

    def _weight(self, values: Floats) -> Floats:
        return np.where(np.isnan(values), 0.0, self.followed.weight)

    def reached(self, values: Floats, cut: Cut) -> Array:
        """Return how many places of a cut each customer lies above ``(years + 1, n)``."""
        found = np.zeros(values.shape, np.int64)
        for years in self.pooled(cut.moving):
            mine = values[years]
            for place in cut.places:
                at = quantile(mine, self._weight(mine), place) if cut.quantile is not None else place
                found[years] += mine > at
        return found


def added(values: Floats) -> Floats:
    """Return sums over the last axis, one after the other."""
    return np.asarray(np.cumsum(values, axis=-1)[..., -1]) if values.shape[-1] else np.zeros(values.shape[:-1])


def quantile(values: Floats, weight: Floats, share: float) -> float:
    """Return the least value that customers of this share of the weight do not exceed; NaN of nobody. Those of weight 0 do not count."""
    counted = weight > 0
    order = np.argsort(values[counted], kind="stable")
    ordered, running = values[counted][order], np.cumsum(weight[counted][order])
    # the margin keeps a share that is reached exactly from being missed by rounding
    return float(ordered[np.searchsorted(running, share * running[-1] * (1.0 - 1e-12))]) if order.size else float("nan")


def _standardised(values: Floats, weight: Floats) -> Floats:
    known = np.where(np.isfinite(values), values, 0.0)
    weight = np.where(np.isfinite(values), weight, 0.0)
    whole = float(added(weight.ravel()))
    mean = float(added((weight * known).ravel())) / whole if whole > 0 else 0.0
    spread = (float(added((weight * (known - mean) ** 2).ravel())) / whole) ** 0.5 if whole > 0 else 0.0
    return np.where(np.isfinite(values), (known - mean) / spread, 0.0) if spread > 0 else np.zeros_like(values)


def classed(ratings: Ratings, how: Classification) -> Array:
    """Return each customer's place in ``states(how)`` at the end of each year ``(years + 1, n)``.

    It is that of the first rule that holds, else the rest.
    """
    moving = "score" in how.cuts and how.cuts["score"].moving
    measures = ratings.measures | ({"score": ratings.score(how.score, moving)} if how.score else {})
    reached = {name: ratings.reached(measures[name], cut) for name, cut in how.cuts.items()}
    found = np.full(ratings.rated.shape, len(how.names))  # the rest
    for place in reversed(range(len(how.rules))):
        rule = how.rules[how.names[place]]
        holds = np.logical_and.reduce([reached[name] >= least for name, least in rule.items()])
        found[holds] = 1 + place
    return np.where(ratings.lost, 1 + len(how.names), np.where(ratings.rated, found, 0))


def states(how: Classification) -> tuple[str, ...]:
    """Return where a customer can be: not yet rated, in one of the classes, or lost."""
    return (UNRATED, *how.names, GONE)


def by_classification(followed: Followed, rows: Callable[[Ratings, Classification, Array], pd.DataFrame]) -> pd.DataFrame:
    """Return a frame of the rows made for each classification, behind its id."""
    ratings = Ratings(followed)
    frames = []
    for key, how in followed.sample.scenario.classifications.items():
        frame = rows(ratings, how, classed(ratings, how))
        frame.insert(2, "classification", key)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def classes(followed: Followed) -> pd.DataFrame:
    """Return the classes of customers at the end of each year.

    Columns: by (all, segment, cohort, base), id, classification, year (0: on arrival), class (first ``unrated``: not yet rated, in the
    first year; last ``lost``), customers (of the panel), share (of all), share_se, low, high (ends of its 95 % interval), firm (customers
    of the firm); means over those in the class, with _se: current (cash of the last year), growth (growth potential), future (value
    expected to come), later (that which came, within the horizon), clv (of the whole life, after acquisition); equity (of the
    firm: firm x later). Of a year its cash and what comes are discounted to its end; NaN where nobody is in the class.
    """
    return by_classification(followed, partial(_classes, followed))


def _classes(followed: Followed, ratings: Ratings, how: Classification, found: Array) -> pd.DataFrame:
    names, clv = states(how), followed.panel.clv / UNIT
    known = {name: np.nan_to_num(ratings.measures[name]) for name in ("current", "growth", "future")}
    ends = np.append(followed.factors, followed.sample.scenario.discount_factor**followed.sample.horizon)[ratings.ends]
    earned = (followed.panel.clv - followed.panel.acquisition) / UNIT
    known |= {"later": (earned[-1] - earned[ratings.ends]) / ends[:, None], "clv": np.broadcast_to(clv[-1], found.shape)}
    member = found[:, None] == np.arange(len(names))[:, None]  # (year, class, n)
    sums = {name: followed.sums(values[:, None], member) for name, values in known.items()}
    sums["share"] = followed.sums(member.astype(np.float64), np.ones(found.shape[-1], dtype=bool))
    frames = [_in_classes(followed, group, names, sums) for group in followed.sample.groups]
    return pd.concat(frames, ignore_index=True)


def _in_classes(followed: Followed, group: Group, names: tuple[str, ...], sums: dict[str, Any]) -> pd.DataFrame:
    share, se, everybody = followed.mean(sums["share"], group)
    low, high = wilson(share, se, everybody)
    years = len(share)
    columns: dict[str, Any] = {
        "by": group.by, "id": group.id, "year": np.repeat(np.arange(years), len(names)), "class": list(names) * years,
        "customers": sums["clv"][1][group.cells].sum(axis=0).astype(np.int64).ravel(),
        "share": share.ravel(), "share_se": se.ravel(), "low": low.ravel(), "high": high.ravel(),
        "firm": (share * float(added(followed.sample.firm[group.cells]))).ravel(),
    }  # fmt: skip
    for name in ("current", "growth", "future", "later", "clv"):
        mean, error, _ = followed.mean(sums[name], group)
        told = np.isin(np.arange(len(names)), [0, len(names) - 1]) & (name not in ("later", "clv"))  # of those without a class
        columns[name], columns[f"{name}_se"] = (np.where(told, np.nan, values).ravel() for values in (mean, error))
    return pd.DataFrame(columns | {"equity": columns["firm"] * columns["later"]})


def migration(followed: Followed) -> pd.DataFrame:
    """Return how customers migrate between classes from the end of one year to the end of the next.

    Columns: by (all, segment, cohort, base), id, classification, year (whose end is left; -1: all years together), source, target,
    customers (of the panel, who were in source), moved (of them, those in target), share, share_se, low, high (ends of the 95 % interval).
    Shares of a source add up to 1 in each year; rows are left out where nobody was in the source. In all years together each
    customer-year counts alike; its errors take a customer's years for independent.
    """
    return by_classification(followed, partial(_migration, followed))


def _migration(followed: Followed, ratings: Ratings, how: Classification, found: Array) -> pd.DataFrame:
    names = states(how)
    n = len(names)
    counts = np.zeros((len(followed.counts), followed.years + 1, n, n), np.int64)
    for year in range(followed.years):
        flat = (followed.panel.cell * n + found[year]) * n + found[year + 1]
        counts[:, year] = np.bincount(flat, minlength=len(followed.counts) * n * n).reshape(-1, n, n)
    counts[:, -1] = counts[:, :-1].sum(axis=1)
    years = np.append(np.arange(followed.years), -1)
    frames = [_moves(followed, group, counts[group.cells], years, names) for group in followed.sample.groups]
    return pd.concat(frames, ignore_index=True)


def _moves(followed: Followed, group: Group, counts: Array, years: Array, names: tuple[str, ...]) -> pd.DataFrame:
    base = np.broadcast_to(counts.sum(axis=3, keepdims=True), counts.shape)
    customers = followed.counts[group.cells]
    share, se = share_of(counts, base, customers, followed.sample.firm[group.cells])
    pooled = share_of(counts[:, -1], base[:, -1], customers * max(followed.years, 1), followed.sample.firm[group.cells])[1]
    se[-1] = pooled
    se = followed.sample.errors(se)
    low, high = wilson(share, se, base.sum(axis=0))
    n = len(names)
    frame = pd.DataFrame({
        "by": group.by, "id": group.id, "year": np.repeat(years, n * n), "source": np.tile(np.repeat(names, n), len(years)),
        "target": list(names) * (n * len(years)), "customers": base.sum(axis=0).ravel(), "moved": counts.sum(axis=0).ravel(),
        "share": share.ravel(), "share_se": se.ravel(), "low": low.ravel(), "high": high.ravel(),
    })  # fmt: skip
    return frame[frame["customers"] > 0]
