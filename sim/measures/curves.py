"""Typical profit curves of life patterns."""

from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import PATTERNS, UNIT
from sim.measures.followed import Followed
from sim.measures.sample import Group
from sim.scenario.world import TWO_SIDED_95


def profit_curves(followed: Followed) -> pd.DataFrame:
    """Return the typical profit curve of each life pattern: mean discounted cash by tenure of those who turned out to be of it.

    Columns: by (all, segment, cohort, base), id, pattern, t, customers (of the panel), share (of all), net (acquisition cost included:
    over patterns, weighted by share, it adds up to the net of the frame ``cash``), net_se, earned (before acquisition cost), earned_se,
    low, high (ends of the 95 % interval of earned). Patterns without customers are left out.
    """
    member = followed.panel.pattern == np.arange(len(PATTERNS))[:, None]  # (pattern, n)
    shares = followed.sums(member.astype(np.float64), np.ones(member.shape[1], dtype=bool))
    parts = {}
    for name, values in (("net", followed.net / UNIT), ("earned", followed.earned)):
        each = [followed.sums(values, those) for those in member]
        parts[name] = tuple(np.stack([sums[k] for sums in each], axis=1) for k in range(3))  # (G, pattern, t)
    frames = [_curves(followed, group, shares, parts) for group in followed.sample.groups]
    return pd.concat(frames, ignore_index=True)


def _curves(followed: Followed, group: Group, shares: Any, parts: dict[str, Any]) -> pd.DataFrame:
    horizon, n = followed.sample.horizon, len(PATTERNS)
    columns: dict[str, Any] = {"by": group.by, "id": group.id, "pattern": np.repeat(PATTERNS, horizon), "t": np.tile(np.arange(horizon), n)}
    columns["customers"] = shares[0][group.cells].sum(axis=0).astype(np.int64).repeat(horizon)
    columns["share"] = followed.mean(shares, group)[0].repeat(horizon)
    for name, sums in parts.items():
        mean, se, _ = followed.mean(sums, group)
        columns |= {name: mean.ravel(), f"{name}_se": se.ravel()}
    half = TWO_SIDED_95 * columns["earned_se"]
    frame = pd.DataFrame(columns | {"low": columns["earned"] - half, "high": columns["earned"] + half})
    return frame[frame["customers"] > 0]
