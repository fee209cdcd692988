"""Who gains by an arm, and where paths part: differences from the comparator by what happened to each customer, and when.

A customer's life under the comparator is what the firm would have seen without the arm. The stage where two paths part is the last one
that both have held: up to there the customer's course is the same in both.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sim.kernels.types import PATTERNS, UNIT, Array
from sim.measures.classes import Ratings, by_classification, states
from sim.measures.clv import estimate
from sim.measures.followed import Followed
from sim.measures.paired import Paired, firm_scale
from sim.measures.paths import path_error, path_means
from sim.measures.sums import Floats, money, per_sampled, quotient, squares
from sim.scenario.classes import Classification

NEVER = "never"
"""Stands for a stage where paths never part."""

COLUMNS = ("arm", "by", "id", "share", "difference", "se", "low", "high", "part", "part_se", "gain", "lose")


class Sums(NamedTuple):
    """A case's differences of CLV from the reference's, exact, ``(g, …)``: Python integers in units.

    counts: customers, who gain, who lose ``(g, …, 3)``; total, square: of the differences; gained, gained_square: of those above 0.
    """

    counts: Array
    total: Array
    square: Array
    gained: Array
    gained_square: Array


def sums(paired: Paired, k: int, axes: tuple[int, ...] = (1, 2)) -> Sums:
    """Return sums of case k against the reference, added up over axes of (cell, pattern, stage)."""
    found = paired.tally.against[k].sum(axis=axes)
    return Sums(found[..., :3], money(found[..., 3:5]), squares(found[..., 5:7]), money(found[..., 7:9]), squares(found[..., 9:11]))


def who_gains(paired: Paired, names: Sequence[str]) -> pd.DataFrame:
    """Return how CLV differs from the comparator by what happened to the customer.

    Columns: arm, by (pattern: of its life under the comparator; stage: the last one before its path parts from that under the comparator),
    id (``never`` where the paths never part), share (of the firm's customers), difference (mean of them, in currency), se, low, high
    (95 %), part (share x difference: of each ``by`` these add up to the arm's difference), part_se, gain, lose (shares of the firm's
    customers who are in the group and whose own value rises, falls). The comparator has no rows, nor has a group without customers.
    """
    return pd.DataFrame(_rows(paired, names), columns=list(COLUMNS))


def _rows(paired: Paired, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    stages = [*paired.samples[0].stages, NEVER]
    for k, arm in enumerate(names):
        if k == paired.reference:
            continue
        yield from _groups(paired, k, {"arm": arm, "by": "pattern"}, PATTERNS, sums(paired, k, (2,)), 0)
        yield from _groups(paired, k, {"arm": arm, "by": "stage"}, stages, sums(paired, k, (1,)), len(PATTERNS))


def _groups(paired: Paired, k: int, head: dict[str, Any], ids: Sequence[str], found: Sums, first: int) -> Iterator[dict[str, Any]]:
    """Yield a row a group; first: its place in ``Tally.gains``."""
    sample = paired.samples[k]
    weight = np.where(sample.customers > 0, paired.weights, 0.0)
    mean, se, _ = estimate(found.total, found.square, found.counts[..., 0], sample.customers, weight)
    everybody = np.broadcast_to(sample.customers[:, None], found.total.shape)
    part_se = estimate(found.total, found.square, everybody, sample.customers, weight)[1]
    if not sample.independent:
        se, part_se = _path_errors(paired, k, mean, paired.tally.gains[:, k, :, first : first + len(ids)])
    shares = mean_counts(paired, found.counts)
    for place, name in enumerate(ids):
        if found.counts[:, place, 0].any():
            share, gain, lose = shares[place].tolist()
            half, difference = paired.width * float(se[place]), float(mean[place])
            row = {**head, "id": name, "share": share, "difference": difference, "se": float(se[place])}
            row |= {"low": difference - half, "high": difference + half, "part": share * difference, "part_se": float(part_se[place])}
            yield {**row, "gain": gain, "lose": lose}


def _path_errors(paired: Paired, k: int, mean: Floats, gains: Array) -> tuple[Floats, Floats]:
    """Return the standard errors ``(group,)`` of mean differences, and of what groups add to that of all, over paths that customers share.

    A mean is the ratio of what groups gain to their customers, both of which differ from path to path. mean: ``(group,)``; gains:
    ``(replicate, g, group, 3)``, of groups that hold all customers together.
    """
    rate = per_sampled(paired.samples[k].customers, paired.weights)[:, None]
    customers = (gains[..., 0] * rate).sum(axis=1)
    gained = (money(gains[..., 1:]).astype(np.float64) / UNIT * rate).sum(axis=1)
    apart = (gained - mean * customers) / np.maximum(customers.mean(axis=0), 1e-300)
    added = gained / customers.sum(axis=1, keepdims=True)
    return np.array([path_error(one) for one in apart.T]), np.array([path_error(one) for one in added.T])


def mean_counts(paired: Paired, counts: Array) -> Floats:
    """Return counts ``(g, …)`` as shares of the firm's customers, those whom all cases have ``(…)``."""
    customers = paired.samples[0].customers
    rates, total = per_sampled(customers, paired.weights), np.zeros(counts.shape[1:])
    for g, rate in enumerate(rates.tolist()):
        total += counts[g].astype(np.float64) * rate
    return total / float((rates * customers).sum())


def class_gains(followed: Sequence[Followed], names: Sequence[str], reference: int, width: float) -> pd.DataFrame:
    """Return how CLV differs from the comparator by the class that the customer is in, under the comparator, at the end of each year.

    followed: one a case, of the same customers; reference: the comparator's place; width: standard errors on either side of the interval.
    Columns: arm, year, classification, class (``unrated`` and ``lost`` beside those of the classification), share (of the firm's
    customers), difference (mean CLV of these less that under the comparator, in currency), se, low, high (95 %), part (share x difference:
    of a year and classification they add up to the arm's difference among those followed), part_se, gain, lose (shares of the firm's
    customers who are in the class and whose own value rises, falls). Classes without customers are left out.
    """
    theirs = followed[reference]

    def rows(_: Ratings, how: Classification, found: Array) -> pd.DataFrame:
        held = found[:, None] == np.arange(len(states(how)))[:, None]  # (year, class, n)
        every = [
            _in_classes(theirs, mine, held).assign(**{"arm": name, "class": list(states(how)) * len(found)})
            for name, mine in zip(names, followed, strict=True)
            if mine is not theirs
        ]
        return pd.concat(every, ignore_index=True)

    frame = by_classification(theirs, rows)
    half = width * frame["se"]
    frame = frame.assign(low=frame["difference"] - half, high=frame["difference"] + half, part=frame["share"] * frame["difference"])
    columns = ["arm", "year", "classification", "class", "share", "difference", "se", "low", "high", "part", "part_se", "gain", "lose"]
    return frame.loc[frame["share"] > 0, columns].reset_index(drop=True)


def _in_classes(theirs: Followed, mine: Followed, held: Array) -> pd.DataFrame:
    """Return the differences of those who hold each class ``(year, class, n)``, row by row."""
    everybody, everyone = theirs.sample.whole, np.ones(held.shape[-1], dtype=bool)
    gap = (mine.panel.clv[-1] - theirs.panel.clv[-1]) / UNIT
    found, se, _ = theirs.mean(theirs.sums(np.broadcast_to(gap, held.shape), held), everybody)
    columns: dict[str, Any] = {"year": np.repeat(np.arange(held.shape[0]), held.shape[1]), "difference": found.ravel(), "se": se.ravel()}
    columns["part_se"] = theirs.mean(theirs.sums(held * gap, everyone), everybody)[1].ravel()
    for name, those in (("share", held), ("gain", held & (gap > 0)), ("lose", held & (gap < 0))):
        columns[name] = theirs.mean(theirs.sums(those.astype(np.float64), everyone), everybody)[0].ravel()
    return pd.DataFrame(columns)


def parting(paired: Paired, names: Sequence[str]) -> pd.DataFrame:
    """Return where paths first part from those under the comparator.

    Columns: arm, tenure (periods lived by then), stage (which both have held last), share (of the firm's customers whose path parts
    then and there), so_far (of those whose path has parted by then). Rows with customers only; the comparator has none.
    """
    rows = []
    for k, arm in enumerate(names):
        if k == paired.reference:
            continue
        shares = mean_counts(paired, paired.tally.parted[k])
        so_far = np.cumsum(shares.sum(axis=0))
        for t, s in np.argwhere(shares.T > 0).tolist():
            row = {"arm": arm, "tenure": t + 1, "stage": paired.samples[k].stages[s], "share": float(shares[s, t])}
            rows.append(row | {"so_far": float(so_far[t])})
    return pd.DataFrame(rows, columns=["arm", "tenure", "stage", "share", "so_far"])


def parted(paired: Paired, k: int) -> tuple[float, float]:
    """Return the share of customers whose path ever parts from that under the comparator, and the median tenure at which it first does.

    The tenure is NaN where no path parts.
    """
    so_far = np.cumsum(mean_counts(paired, paired.tally.parted[k]).sum(axis=0))
    share = float(so_far[-1])
    return share, float(np.argmax(so_far >= share / 2.0) + 1) if share > 0 else math.nan


def perfect(paired: Paired, k: int) -> tuple[float, float]:
    """Return the value of perfect targeting and its standard error, the firm's, discounted to calendar 0, its own costs aside.

    What it would add to treat exactly those who gain, customer by customer: the sum of the gains, less the better of the arm for all
    and the comparator for all; E max(d, 0) - max(E d, 0) of the paired difference d. It takes the arm as it is, all of it or nothing for
    each customer: a rule of when to treat may bring more. NaN where an arm is rationed, as one customer's treatment is then another's loss.
    """
    if paired.rationed:
        return math.nan, math.nan
    if k == paired.reference:
        return 0.0, 0.0
    sample, found = paired.samples[k], sums(paired, k)
    scale = firm_scale(sample)
    better = float((quotient(found.total, sample.customers) * scale).sum()) > 0  # then what is added is the losses spared, else the gains
    total = found.gained - found.total if better else found.gained
    square = found.square - found.gained_square if better else found.gained_square
    mean, variance = 0.0, 0.0
    for g in np.flatnonzero(scale > 0):
        one = slice(g, g + 1)
        value, se, _ = estimate(total[one], square[one], sample.customers[one], sample.customers[one], sample.firm[one])
        mean += float(value) * float(scale[g])
        variance += (float(se) * float(scale[g])) ** 2
    return mean, math.sqrt(variance) if sample.independent else path_error(_spared(paired, k, better))


def _spared(paired: Paired, k: int, better: bool) -> Floats:
    """Return by replicate what perfect targeting adds ``(replicate,)``."""
    gained = paired.path_cells(k, "gained")
    if better:
        gained = gained - (paired.path_cells(k, "clv") - paired.path_cells(paired.reference, "clv"))
    return path_means(gained, firm_scale(paired.samples[k]))
