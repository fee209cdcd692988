"""Simulated against exact, number by number, with room from the exact answer's own spread wherever it has one.

Room is so many standard errors (z). Shares have a binomial error, which is the largest that customers of several segments can have
together, and a little more for the skewness of rare events, by Bernstein's inequality. The net cash of a period has the sample's own
error, as long as 1,000 customers are left to estimate it from; sums of what has known errors have at most the sum of these.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.exact import Exact, Moments, exact
from sim.kernels.types import FEELINGS, FELT, UNIT
from sim.measures.sample import LOST, Group
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli, Poisson, Subscription
from sim.scenario.streams import Knowledge
from sim.scenario.world import OFFSET
from sim.studies.result import Result

Floats = NDArray[np.float64]

ROUNDED = 2e-6
"""Room for counting money in units of 2**-20: half of one for each ledger column of a period."""

ENOUGH = 1000
"""Customers from whom a standard error can be estimated."""

OTHERS = ("service", "transition", "acquisition", "word_of_mouth", "information", "knowledge", "transaction", "sales")
"""Ledger columns beside purchases."""

KINDS = {"clv": "clv", "clv_before_acquisition": "clv_before"}
"""Measures of the frame ``clv``, as they begin in ``Exact``."""


def room(variance: Floats, largest: float, n: Floats | float, z: float) -> Floats:
    """Return how far a mean of n amounts, none above ``largest``, may be from what is expected (Bernstein)."""
    return np.where(variance > 0, z * np.sqrt(np.maximum(variance, 0.0) / n) + largest * z * z / (3.0 * n), 0.0)


def share_room(p: Floats, n: Floats | float, z: float) -> Floats:
    """Return how far a share of n customers may be from p; what is certain, up to rounding, leaves no room."""
    variance = p * (1.0 - p)
    return room(np.where(variance < 1e-12, 0.0, variance), 1.0, n, z) + 1e-9


def sd_error(values: Floats) -> float:
    """Return the standard error of a standard deviation, ``sd sqrt((kurtosis - 1) / n) / 2`` (delta method)."""
    gaps = (values - values.mean()) ** 2
    variance = float(gaps.mean())
    return float(np.sqrt((np.mean(gaps**2) / variance**2 - 1.0) / values.size * variance) / 2.0) if variance > 0 else 0.0


@dataclass
class Comparison:
    """A run beside its exact answer, and what in it is too far off."""

    result: Result
    misses: list[str] = field(default_factory=list)
    compared: int = 0
    _exact: dict[tuple[str, str], Exact] = field(default_factory=dict)

    @property
    def scenario(self) -> Scenario:
        return self.result.scenario

    @cached_property
    def cells(self) -> list[Moments]:
        """Exact moments of each cell."""
        by_segment = {key: exact(one).by_cohort for key, one in self.scenario.by_segment.items()}
        return [by_segment[cell.segment][cell.cohort] for cell in self.result.sample.cells]

    def exact_of(self, group: Group) -> Exact:
        """Return the exact answer of one of the result's groups."""
        key = (group.by, group.id)
        if key not in self._exact:
            self._exact[key] = exact(self._alone(group))
        return self._exact[key]

    def _alone(self, group: Group) -> Scenario:
        """Return a group as a scenario of its own."""
        if group.by == "segment":
            return self.scenario.by_segment[group.id]
        if group.by == "cohort":
            arrival = self.result.sample.cells[int(group.cells[0])].arrival
            whole = self.scenario.model_dump(exclude_unset=True)
            return Scenario.model_validate({**whole, "cohorts": {"one": {"first_period": arrival, "customers": 1}}})
        return self.scenario

    def _rows(self, name: str, group: Group) -> Any:
        frame = getattr(self.result, name)
        return frame[(frame["by"] == group.by) & (frame["id"] == group.id)]

    def check(self, what: str, found: Any, expected: Any, space: Any) -> None:
        """Note every number that is further off than its room. What is not defined must be so on both sides."""
        left, right, space = np.broadcast_arrays(np.asarray(found, float), np.asarray(expected, float), np.asarray(space, float))
        self.compared += left.size
        near = (np.abs(left - right) <= space) | (np.isnan(left) & np.isnan(right))
        self.misses += [
            f"{what} {tuple(map(int, at))}: {left[tuple(at)]:.9g} for {right[tuple(at)]:.9g}, room {space[tuple(at)]:.3g}"
            for at in np.argwhere(~near)
        ]

    def finish(self, at_least: int) -> None:
        """Fail with everything that was missed; at_least: numbers that must have been compared, so that none goes unseen."""
        assert self.misses == [], f"{len(self.misses)} of {self.compared} differ"
        assert self.compared >= at_least

    def _error(self, group: Group, kind: str, weight: Floats) -> float:
        """Return the exact standard error of a sum over cells of weight times mean."""
        spread = np.array([getattr(cell, f"{kind}_sd") for cell in self.cells]) / np.sqrt(self.result.sample.customers)
        return float(np.sqrt(np.sum((weight * spread)[group.cells] ** 2)))

    def values(self, z: float) -> None:
        """Compare mean CLV and the customers' value to the firm, by group."""
        sample = self.result.sample
        rounding = ROUNDED * sample.horizon
        worth = sample.firm * self.scenario.discount_factor**sample.arrival
        for group in sample.groups:
            share = sample.firm / sample.firm[group.cells].sum()
            for name, kind in KINDS.items():
                row = self._rows("clv", group).set_index("measure").loc[name]
                space = z * self._error(group, kind, share) + rounding
                self.check(f"{name} of {group.id}", row["mean"], getattr(self.exact_of(group), f"{kind}_mean"), space)
            value = sum(worth[g] * self.cells[g].clv_mean for g in group.cells)
            space = z * self._error(group, "clv", worth) + rounding * float(worth.sum())
            self.check(f"equity of {group.id}", self._rows("equity", group)["value"], value, space)

    def spreads(self, z: float) -> None:
        """Compare standard deviations by group, with the sample's own kurtosis; customers must have been kept."""
        sample = self.result.sample
        assert sample.kept is not None
        for group in sample.groups:
            chosen = np.isin(sample.cell_of_row, group.cells)
            for k, name in enumerate(("clv_before_acquisition", "clv")):
                row = self._rows("clv", group).set_index("measure").loc[name]
                space = z * sd_error(sample.kept.clv[0, chosen, k] / UNIT) + ROUNDED * sample.horizon
                self.check(f"sd of {name} of {group.id}", row["sd"], getattr(self.exact_of(group), f"{KINDS[name]}_sd"), space)

    def shares(self, z: float, z_survival: float) -> None:
        """Compare whatever counts customers, by group and tenure."""
        sample = self.result.sample
        for group in sample.groups:
            found, tenure = self.exact_of(group), self._rows("retention", group)
            n = float(sample.customers[group.cells].sum())
            once, active = (part[group.cells].sum(axis=0).astype(float) for part in (sample.once_active, sample.active))
            lost = sample.in_kind(LOST)[group.cells].sum(axis=0).astype(float)
            for name, base, width in (
                ("survival", once, z_survival),
                ("active", np.full(once.size, n), z),
                ("retention", active[:-1], z),
                ("reactivation", lost[:-1], z),
            ):
                some = base > 0  # where there were a few to be and none came, it is the base that is compared
                expected = getattr(found, name)[some]
                self.check(
                    f"{name} of {group.id}", tenure[name].to_numpy()[: some.size][some], expected, share_room(expected, base[some], width)
                )
            self._stages(group, found, n, z)
            expected = np.array(list(found.patterns.values()))
            shares = self._rows("patterns", group).set_index("pattern")["share"]
            self.check(f"patterns of {group.id}", shares[list(found.patterns)], expected, share_room(expected, n, z))

    def _stages(self, group: Group, found: Exact, n: float, z: float) -> None:
        """Compare occupancy and flows, and what they add up to: periods and visits."""
        held, moves, stays = (self._rows(name, group) for name in ("occupancy", "flows", "sojourns"))
        held, stays = held[held["clock"] == "tenure"], stays.set_index("stage")
        spaces = {key: share_room(expected, n, z) for key, expected in found.flows.items()}
        for key, expected in found.flows.items():
            stage, edge = key.split(".")
            share = moves[(moves["stage"] == stage) & (moves["edge"] == edge)]["per_customer"]
            self.check(f"flow {key} of {group.id}", share, expected, spaces[key])
        for stage, expected in found.occupancy.items():
            space = share_room(expected, n, z)
            self.check(f"occupancy of {stage} of {group.id}", held[held["stage"] == stage]["share"], expected, space)
            self.check(f"periods in {stage} of {group.id}", stays["periods"][stage], found.periods_per_stage[stage], space[:-1].sum())
            into = [spaces[key].sum() for key in spaces if self.scenario.target(*key.split(".")) == stage]
            self.check(f"visits to {stage} of {group.id}", stays["visits"][stage], found.visits_per_stage[stage], sum(into, start=1e-9))

    def money(self, z: float) -> None:
        """Compare cash by period, net and by ledger column, and its sums; columns of each segment where there are several."""
        sample = self.result.sample
        for group in sample.groups:
            found, frame = self.exact_of(group), self._rows("cash", group)
            n = float(sample.customers[group.cells].sum())
            some = n * found.active[:-1] >= ENOUGH
            net = np.sum(list(found.cash.values()), axis=0)
            space = {"net": z * frame["net_se"].to_numpy() + 4 * ROUNDED}
            self.check(f"net cash of {group.id}", frame["net"].to_numpy()[some], net[some], space["net"][some])
            if self.scenario.segments and group.by != "segment":
                continue
            space |= self._ledger_room(self._alone(group), found, n, z)
            rest = np.sum([space[column] for column in OTHERS], axis=0)
            self.check(
                f"purchases of {group.id}", frame["purchase"].to_numpy()[some], found.cash["purchase"][some], (space["net"] + rest)[some]
            )
            ledger = self._rows("ledger", group).set_index("column")["mean"]
            for column in OTHERS:
                if column not in frame:
                    self.check(f"{column} of {group.id}, which is off", 0.0, found.cash[column], 0.0)
                    continue
                self.check(f"{column} of {group.id}", frame[column], found.cash[column], space[column])
                self.check(f"all {column} of {group.id}", ledger[column], found.cash[column].sum(), space[column].sum())
            whole = z * self._error(group, "clv", sample.firm / sample.firm[group.cells].sum()) + rest.sum()
            self.check(f"all purchases of {group.id}", ledger["purchase"], found.cash["purchase"].sum(), whole)

    def _ledger_room(self, scenario: Scenario, found: Exact, n: float, z: float) -> dict[str, Floats]:
        """Return the room of columns whose amounts are known: a cost held or not, cash on an edge taken or not."""
        t = np.arange(self.result.sample.horizon)
        factor = scenario.discount_factor
        costs = [cost for stage in scenario.stages.values() for cost in stage.cost_to_serve]
        assert min(costs) >= 0
        cost = max(costs) * factor ** (t + OFFSET[scenario.timing.service])
        service, acquisition = found.cash["service"], found.cash["acquisition"]
        spaces = {"service": room(cost * -service - service**2, max(costs), n, z)}
        won = scenario.acquisition.cost
        at = t + 1 if scenario.stages[scenario.start].kind == "prospect" and scenario.acquisition.due == "conversion" else t
        spread = won * factor**at * -acquisition - acquisition**2
        spaces["acquisition"] = room(np.where(spread > 1e-9, spread, 0.0), won, n, z)
        moved = {f"{s}.{e}": edge.cash for s, stage in scenario.stages.items() for e, edge in stage.to.items()}
        square = np.sum([flow * moved[key] ** 2 for key, flow in found.flows.items()], axis=0) * factor ** (2 * (t + 1))
        spaces["transition"] = room(square, max(map(abs, moved.values())), n, z)
        spaces |= self._stream_room(scenario, found, n, z)
        return {name: space + ROUNDED for name, space in spaces.items()}

    def _stream_room(self, scenario: Scenario, found: Exact, n: float, z: float) -> dict[str, Floats]:
        """Return the room of streams: at most their largest worth, of one sign, times what the customer has to tell."""
        factor = scenario.discount_factor ** (np.arange(self.result.sample.horizon) + OFFSET[scenario.timing.streams])
        known, spaces = scenario.knowledge or Knowledge(), {}
        for column, name in (("information", "information"), ("knowledge", "knowledge"), ("transaction", "fees"), ("sales", "sales_cost")):
            worths = [worth for stage in scenario.stages.values() for worth in getattr(stage, name)]
            assert min(worths) >= 0
            mean, spread = np.abs(found.cash[column]), 1.0 + known.cv**2 if column == "knowledge" else 1.0
            spaces[column] = room(max(worths) * factor * mean * spread - mean**2, 10.0 * spread * max(worths), n, z)
        return {"word_of_mouth": np.zeros(factor.size), **spaces}

    def levels(self, z: float) -> None:
        """Compare the mean level by tenure, with the sample's own error, as long as customers are left to estimate it from."""
        sample = self.result.sample
        if self.scenario.level is None:
            return
        share = (sample.firm / sample.firm.sum() / sample.customers)[:, None]
        some = sample.active[:, :-1].sum(axis=0) >= ENOUGH
        active = sample.active[:, :-1][:, some]
        felt = sample.tally.feelings[0, :, some, FEELINGS.index("level")].astype(float).swapaxes(0, 1)
        mean = (felt[..., 0] / FELT * share).sum(axis=0) / (active * share).sum(axis=0)
        spread = np.sqrt(np.maximum(felt[..., 1].sum(axis=0) / FELT**2 / active.sum(axis=0) - mean**2, 0.0) / active.sum(axis=0))
        self.check("level", mean, self.result.exact.level[some], z * spread + 0.5 / FELT)

    def orders(self, z: float) -> None:
        """Compare orders by period; room from the largest variance they can have while rates and lives are independent."""
        sample = self.result.sample
        share = sample.firm / sample.firm.sum() / sample.customers
        found = np.sum(sample.tally.orders[0] * share[:, None], axis=0)
        expected = self.result.exact.orders
        if expected is None:
            self.check("orders of subscribers", sample.tally.orders[0], 0.0, 0.0)
            return
        (how,) = {view.purchases for view in self.scenario.by_segment.values() if not isinstance(view.purchases, Subscription)}
        factor = max(value for stage in self.scenario.stages.values() for value in stage.order_factors)
        if isinstance(how, Bernoulli):
            variance, largest = expected * (1.0 - expected), 1.0
        else:
            assert isinstance(how, Poisson)
            assert how.rate_period is None
            season = self.scenario.calendar.orders
            assert season.multiplier is None
            years = (np.arange(sample.horizon) + sample.arrival.max()) / self.scenario.periods_per_year
            rate = how.rate.mean_value * factor * (1.0 + season.growth_annual) ** years
            second = rate**2 * (1.0 + how.rate.cv_value**2) * self.result.exact.active[:-1]
            variance, largest = expected + second - expected**2, 10.0 * float(rate.max())
        self.check("orders", found, expected, room(variance, largest, float(sample.customers.sum()), z) + 1e-9)
