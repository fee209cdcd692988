"""A run in one page of plain values: what ``summary.json`` holds. Its schema is ``summary.schema.json`` beside this file."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.measures.activity import response_rate
from sim.measures.clv import payback, residual_carried_on
from sim.measures.concentration import gini
from sim.measures.equity import RISK_LEVELS
from sim.measures.precision import precision
from sim.measures.sums import QUANTILE_NAMES, QUANTILES

if TYPE_CHECKING:
    import pandas as pd

    from sim.measures.sample import Sample
    from sim.studies.result import Result

SCHEMA_VERSION = 4
"""Changes whenever a key of the summary does."""

RESIDUAL_WARNING = 0.05
"""Share of a customer's value beyond the horizon above which the summary warns."""


def summary(result: "Result") -> dict[str, Any]:
    """Return the summary of a run. Everything but ``timing`` is the same on any machine and number of threads.

    customers: simulated, in each of ``replicates``; precision: asked for and found (``sim.measures.precision``), or None;
    periods: simulated (= horizon); cash_timing: when in its period each ledger
    column falls; clv_per_acquired: of those ever active; survival, retention: by tenure; payback.period: tenure at whose end mean
    cumulative discounted cash has reached 0, once somebody was acquired;
    concentration: share of all value that the most valuable fifth of the customers brings, and Gini; market: how customer equity differs
    between paths of the market or of arrivals, None where customers are independent (on one path standard errors are None: all is
    conditional on it); referral: recruits a customer wins, as found and exact, None where customers bring nobody;
    response_rate: contacts that customers start per active customer and period, None where they start none;
    exact: after acquisition, z = (mean - exact mean) / se, with ``exact_reason`` where null; controlled: mean CLV after acquisition by
    control variate where ``run.control`` asks for it (``sim.studies.control``), with ``controlled_reason`` where there is none.
    """
    scenario, sample = result.scenario, result.sample
    tenure = result.retention[result.retention["by"] == "all"]
    equity = result.equity.iloc[0]
    exact, reason = _exact(result)
    found = {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario.name,
        "customers": sample.simulated,
        "replicates": scenario.run.replicates,
        "precision": precision(sample),
        "seed": scenario.run.seed,
        "periods": sample.horizon,
        "horizon": sample.horizon,
        "period": scenario.period,
        "currency": scenario.currency,
        "discount_rate_annual": scenario.discount_rate_annual,
        "cash_timing": scenario.timing.model_dump() | {"transition": "end", "acquisition": "start"},
        "clv": _clv(result.clv, "clv"),
        "clv_before_acquisition": _clv(result.clv, "clv_before_acquisition"),
        "clv_per_acquired": _acquired(result.clv),
        "survival": tenure["survival"].tolist(),
        "retention": tenure["retention"].tolist()[:-1],
        "customer_equity": {"mean": equity["equity"], "se": equity["se"]},
        "concentration": {"top_fifth": _top_fifth(result), "gini": gini(sample)},
        "market": None if sample.independent else _market(result),
        "referral": _referral(result) if scenario.recruiting else None,
        "response_rate": response_rate(sample),
        "payback": payback(result.sample, result.cash),
        "residual": result.residual,
        "exact": exact,
        "exact_reason": reason,
        **_controlled(result),
        "warnings": result.warnings,
        "timing": result.timing,
    }
    plain = _plain(found)
    assert isinstance(plain, dict)
    return plain


def _clv(frame: "pd.DataFrame", measure: str) -> dict[str, Any]:
    row = frame[(frame["by"] == "all") & (frame["measure"] == measure)].iloc[0]
    quantiles = {str(level): row[name] for level, name in zip(QUANTILES, QUANTILE_NAMES, strict=True)}
    return {"mean": row["mean"], "se": row["se"], "sd": row["sd"], "quantiles": quantiles, "share_negative": row["share_negative"]}


def _top_fifth(result: "Result") -> float:
    curve = result.concentration
    return float(curve.loc[curve["customers"] == 0.2, "value"].iloc[0])


def _market(result: "Result") -> dict[str, Any]:
    row = result.equity_risk.iloc[0]
    quantiles = {str(level): row[name] for name, level in RISK_LEVELS.items()}
    return {"paths": int(row["replicates"]), "equity_sd": row["sd"], "equity": quantiles, "share_negative": row["share_negative"]}


def _referral(result: "Result") -> dict[str, Any]:
    from sim.exact.referral import referral

    row = result.referral.iloc[0]
    found = {name: row[name] for name in ("recruits", "kappa", "kappa_0", "value")}
    answer = None if result.scenario.segments else referral(result.scenario)
    known = answer and {"kappa": _digits(answer.kappa), "kappa_0": _digits(answer.kappa_0), "tree": _digits(answer.tree)}
    return found | {"exact": known}


def _acquired(frame: "pd.DataFrame") -> dict[str, Any]:
    row = frame[(frame["by"] == "acquired") & (frame["measure"] == "clv")].iloc[0]
    return {"mean": row["mean"], "se": row["se"], "sd": row["sd"], "share": row["share"]}


def _exact(result: "Result") -> tuple[dict[str, Any] | None, str | None]:
    """Return exact mean and standard deviation after acquisition and how far the mean is from them; and why one of them is None."""
    answer, row = result.exact, result.clv.iloc[0]
    if answer.clv_mean is None or not math.isfinite(answer.clv_mean):
        return None, answer.reason or "clv_mean: is infinite"
    mean = _digits(answer.clv_mean)
    z = (row["mean"] - mean) / row["se"] if row["se"] > 0 else None
    return {"clv_mean": mean, "clv_sd": answer.clv_sd and _digits(answer.clv_sd), "z": z}, answer.sd_reason


def _controlled(result: "Result") -> dict[str, Any]:
    """Return the mean by control variate, the variance it saves, and the exact mean of the case without what ``without`` lists."""
    if not result.scenario.run.control:
        return {"controlled": None, "controlled_reason": None}
    found = result.controlled
    if found.clv is None:
        return {"controlled": None, "controlled_reason": found.reason}
    mean, se, saved, _, exact = (_digits(value) for value in found.clv)
    told = {"mean": mean, "se": se, "variance_saved": saved, "exact": exact, "without": list(found.without)}
    return {"controlled": told, "controlled_reason": None}


def residual(result: "Result") -> dict[str, Any]:
    """Return the discounted value per customer beyond the horizon.

    value: before acquisition cost, exact (infinite horizon less finite one) where ``sim.exact`` can give both, else the last year's
    cash and retention carried on, which ``method`` tells; share: of the value over an infinite life before acquisition cost.
    """
    beyond, method = _exact_residual(result), "exact"
    if beyond is None:
        beyond, method = residual_carried_on(result.sample, result.cash), "last year carried on"
    before = float(result.clv["mean"].iloc[1])
    whole = before + beyond
    return {"value": beyond, "share": beyond / whole if whole > 0 else math.nan, "method": method}


def _exact_residual(result: "Result") -> float | None:
    from sim.exact import exact

    finite = result.exact.clv_before_mean
    if finite is None:
        return None
    infinite = exact(result.scenario.model_copy(update={"horizon": "inf"})).clv_before_mean
    return _digits(infinite) - _digits(finite) if infinite is not None and math.isfinite(infinite) else None


def _digits(value: float) -> float:
    """Round to 12 digits: later ones depend on the machine's linear algebra."""
    return float(f"{value:.12g}")


def uneven(sample: "Sample") -> list[str]:
    """Return what is to be said of quantiles where simulated customers stand for different numbers of the firm's, nothing elsewhere."""
    drawn = sample.customers > 0
    weight = sample.firm[drawn] / sample.customers[drawn] * sample.scenario.run.replicates
    grown = any(policy.acquire is not None for policy in sample.scenario.policies.values())
    if not (sample.scenario.base or grown) or weight.max() < (1.02 if grown else 1.5) * weight.min():
        return []
    each = "an existing one stands for itself, a new one" if sample.scenario.base else f"one stands for {weight.min():,.4g}, another"
    told = f"quantiles, densities and concentration are of the customers simulated: {each} for {weight.max():,.4g}"
    return [f"{told}; means and equity are the firm's"]


def beyond_horizon(result: "Result") -> list[str]:
    """Return what is to be said of the value beyond the horizon, nothing where it is small."""
    share = result.residual["share"]
    if math.isnan(result.residual["value"]):
        return ["the value beyond the horizon does not converge: cash and retention of the last year do not shrink"]
    if share > RESIDUAL_WARNING:
        return [f"{100 * share:.1f} % of a customer's value lies beyond the horizon: a longer one would count it"]
    return []


def _plain(value: Any) -> Any:
    """Return plain Python values, None for NaN and infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
