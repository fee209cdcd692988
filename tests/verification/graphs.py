"""Random scenarios: stage graphs of any shape that the gate lets through, with every kind of rate, purchase and difference."""

from typing import Any

from hypothesis import strategies as st

Draw = st.DrawFn

SHARES = st.sampled_from((0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 0.9))
MONEY = st.sampled_from((0.5, 1.0, 2.0, 7.5, 40.0))


@st.composite
def scenarios(draw: Draw, positive: bool = False) -> dict[str, Any]:
    """Return a raw scenario of 2 to 6 stages in quarters; positive: without costs, so that all cash is at or above 0."""
    count, horizon = draw(st.integers(2, 6)), draw(st.integers(1, 12))
    ids = [f"s{i}" for i in range(count)]
    first = draw(st.sampled_from(("active", "active", "prospect")))
    kinds = [first, *draw(st.lists(st.sampled_from(("active", "active", "lost", "prospect")), min_size=count - 1, max_size=count - 1))]
    if "active" not in kinds:
        kinds[-1] = "active"
    stages = {key: draw(_stage(kind, ids, horizon, positive)) for key, kind in zip(ids, kinds, strict=True)}
    raw: dict[str, Any] = {"period": "quarter", "horizon": horizon, "start": "s0", "stages": stages}
    raw["discount_rate_annual"] = draw(st.sampled_from((0.0, 0.1, 0.5)))
    raw["exposure"] = draw(st.sampled_from(("whole", "until_exit")))
    raw["timing"] = {column: draw(st.sampled_from(("start", "mid", "end"))) for column in ("purchase", "service")}
    if not positive:
        raw["acquisition"] = {"cost": draw(st.sampled_from((0.0, 25.0))), "due": draw(st.sampled_from(("arrival", "conversion")))}
    raw["purchases"] = draw(_purchases())
    raw["patterns"] = {"long_lasting": draw(st.integers(1, 4))}
    raw |= draw(_differences(stages))
    return raw


@st.composite
def _stage(draw: Draw, kind: str, ids: list[str], horizon: int, positive: bool) -> dict[str, Any]:
    def by_age(values: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
        return st.one_of(values, st.lists(values, min_size=1, max_size=min(3, horizon)))

    stage: dict[str, Any] = {"kind": kind}
    if kind == "active":
        stage["rank"] = draw(st.sampled_from((None, 1, 2, 3)))
        stage["price"] = draw(by_age(MONEY))
        stage["margin"] = draw(by_age(st.sampled_from((0.3, 0.5, 1.0) if positive else (-0.1, 0.3, 1.0))))
        stage["orders"] = draw(by_age(st.sampled_from((0.0, 0.5, 1.0))))
    if not positive:
        stage["cost_to_serve"] = draw(by_age(st.sampled_from((0.0, 0.5, 3.0))))
    targets = draw(st.lists(st.sampled_from(ids), max_size=3 if kind != "lost" else 1))
    if targets:
        stage |= draw(_edges(targets, min(3, horizon), positive))
    return stage


@st.composite
def _edges(draw: Draw, targets: list[str], ages: int, positive: bool) -> dict[str, Any]:
    """Return the edges of a stage, parallel ones and renewals among them."""
    mode = draw(st.sampled_from(("probability", "share", "mixed")))
    edges: dict[str, dict[str, Any]] = {f"e{j}": {"target": target} for j, target in enumerate(targets)}
    for edge in edges.values():
        edge["cash"] = draw(st.sampled_from((0.0, 5.0) if positive else (0.0, 5.0, -3.0)))
    if mode == "share":
        for edge, share in zip(edges.values(), _divided(draw, 1.0, len(edges)), strict=True):
            edge["share"] = share
        return {"mean_duration": draw(st.sampled_from((1.0, 1.5, 4.0, 20.0))), "to": edges}
    by_chance = {key: mode == "probability" or draw(st.booleans()) for key in edges}
    chances, others = ([edge for key, edge in edges.items() if by_chance[key] is kind] for kind in (True, False))
    if chances:
        leaving = SHARES if others else st.one_of(SHARES, st.just(1.0))
        rows = [_divided(draw, draw(leaving), len(chances)) for _ in range(draw(st.integers(1, ages)))]
        for edge, chance in zip(chances, zip(*rows, strict=True), strict=True):
            edge["probability"] = list(chance)
    for edge in others:
        edge |= draw(_rate(ages))
    return {"to": edges}


def _divided(draw: Draw, whole: float, parts: int) -> list[float]:
    weights = draw(st.lists(st.integers(1, 5), min_size=parts, max_size=parts))
    return [whole * weight / sum(weights) for weight in weights]


@st.composite
def _rate(draw: Draw, ages: int) -> dict[str, Any]:
    name = draw(st.sampled_from(("hazard", "hazards", "mean_duration", "weibull", "beta")))
    if name == "hazards":
        return {"hazard": draw(st.lists(st.sampled_from((0.0, 0.05, 0.3, 1.5)), min_size=1, max_size=ages))}
    if name == "weibull":
        return {"weibull": {"shape": draw(st.sampled_from((0.6, 1.0, 2.5))), "scale": draw(st.sampled_from((2.0, 8.0)))}}
    if name == "beta":
        return {"beta": {"a": draw(st.sampled_from((0.5, 1.0, 3.0))), "b": draw(st.sampled_from((1.0, 4.0)))}}
    quoted = draw(st.sampled_from(("month", "quarter", "year")))
    return {"rate_period": quoted, name: draw(st.sampled_from((0.02, 0.3) if name == "hazard" else (1.5, 6.0)))}


@st.composite
def _trait(draw: Draw, mean: float) -> dict[str, Any]:
    return {
        "mean": mean,
        "cv": draw(st.sampled_from((0.0, 0.4, 1.0))),
        "distribution": draw(st.sampled_from(("gamma", "lognormal"))),
    }


@st.composite
def _purchases(draw: Draw) -> dict[str, Any]:
    kind = draw(st.sampled_from(("subscription", "bernoulli", "poisson")))
    if kind == "subscription":
        return {"kind": kind, "wallet": draw(_trait(3.0))}
    noise = draw(st.sampled_from(("fixed", "gamma", "lognormal")))
    how: dict[str, Any] = {"kind": kind, "amount": {"distribution": noise, "cv": 0.0 if noise == "fixed" else 0.7}}
    if kind == "poisson":
        return how | {"rate": draw(_trait(draw(st.sampled_from((0.3, 2.0))))), "order_value": draw(_trait(3.0))}
    chance: Any = draw(st.sampled_from((0.2, 0.8, {"a": 6.0, "b": 2.0}, {"a": 0.7, "b": 1.5})))
    spends = "order_value" if isinstance(chance, dict) and chance["a"] < 1 else draw(st.sampled_from(("order_value", "wallet")))
    return how | {"probability": chance, spends: draw(_trait(3.0))}


@st.composite
def _differences(draw: Draw, stages: dict[str, Any]) -> dict[str, Any]:
    """Return frailty, seasons, segments and cohorts; at most one trait moves hazards, for exact answers with two take their time."""
    edges = {f"{key}.{name}": edge for key, stage in stages.items() for name, edge in stage.get("to", {}).items()}
    drawn = [edge for edge in edges.values() if "beta" in edge]
    for edge in drawn[1:]:
        del edge["beta"]
        edge["hazard"] = 0.2
    found: dict[str, Any] = {}
    eligible = [name for name, edge in edges.items() if "beta" not in edge]
    if eligible and not drawn and draw(st.booleans()):
        named = draw(st.lists(st.sampled_from(eligible), min_size=1, unique=True))
        found["frailty"] = {"variance": draw(st.sampled_from((0.3, 2.0))), "edges": named}
    if draw(st.booleans()):
        season = draw(st.permutations((1.0, 0.5, 0.8, 1.0)))
        growth = draw(st.sampled_from((0.0, -0.1)))
        found["calendar"] = {part: {"multiplier": season, "growth_annual": growth} for part in ("orders", "margin")}
        if edges:
            hazards = draw(st.lists(st.sampled_from(sorted(edges)), min_size=1, unique=True))
            found["calendar"]["hazards"] = {"multiplier": [1.0, 3.0, 0.2, 1.0], "edges": hazards}
    if draw(st.booleans()):
        changed = {key: {"price": 3.0} for key, stage in stages.items() if stage["kind"] == "active"}
        found["segments"] = {"many": {"share": 0.8}, "few": {"share": 0.2, "stages": changed}}
    if draw(st.booleans()):
        found["cohorts"] = {"early": {"customers": [300, 500], "periods": 2}, "late": {"first_period": 3, "customers": 200}}
    return found
