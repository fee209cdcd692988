"""The Result: a scenario, what was counted in its run, and every measure of it as a tidy frame, made when first asked for."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from sim.kernels.types import AFTER, BEFORE, PATTERNS, UNIT, Tables
from sim.scenario.model import Scenario
from sim.scenario.sample import arrived, cells, existing_customers

if TYPE_CHECKING:  # pandas takes longer to import than many a run takes: the modules that need it are imported on use
    import pandas as pd

    from sim.engine import Outcome
    from sim.exact import Exact
    from sim.measures.followed import Followed
    from sim.measures.sample import Sample
    from sim.report.style import Drawn
    from sim.studies.control import Controlled
    from sim.studies.functions import Score, Trigger

FRAMES = (
    "clv",
    "ledger",
    "cash",
    "retention",
    "calendar_retention",
    "occupancy",
    "flows",
    "leaving",
    "causes",
    "sojourns",
    "patterns",
    "equity",
    "replicates",
    "concentration",
)
"""Frames of every Result. Others join them: ``feelings`` where satisfaction, level or a delivered value is on, ``equity_risk``
where customers share luck, ``arrivals`` where those depend on customers, ``referral`` where customers bring others, ``activity`` where they
get in touch or add products, ``offers`` where it is said what they would pay, ``unit_cost`` where the firm has fixed costs, ``customers``
where they were kept, PANEL_FRAMES where customers are followed (``run.panel``)."""

PANEL_FRAMES = ("classes", "migration", "scorecard", "profit_curves", "resemblance", "forecast", "arpu_tenure")
"""Frames that join where ``run.panel`` is set: of single customers over time."""


class _Frame:
    """A frame of a Result, made when first asked for by the function of the same name in ``sim.measures``, whose docstring it shows.

    source: what the function reads, an attribute of the Result.
    """

    def __init__(self, module: str, source: str = "sample") -> None:
        self.module, self.source = module, source

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def function(self) -> "Callable[[Any], pd.DataFrame]":
        made: Callable[[Any], pd.DataFrame] = getattr(importlib.import_module(f"sim.measures.{self.module}"), self.name)
        return made

    @overload
    def __get__(self, result: None, owner: type) -> Self: ...
    @overload
    def __get__(self, result: "Result", owner: type) -> "pd.DataFrame": ...
    def __get__(self, result: "Result | None", owner: type) -> "Self | pd.DataFrame":
        if result is None:
            return self
        frame = result.__dict__[self.name] = self.function(getattr(result, self.source))
        return frame

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return inspect.getdoc(self.function) or ""


class Plots:
    """The figures of a Result by name: ``result.plot.clv()`` returns one, which a notebook shows.

    A figure has ``figure`` (matplotlib's), ``frame`` (the numbers it draws), ``caption``, ``svg()`` and ``png()``.
    """

    def __init__(self, result: "Result") -> None:
        self._result = result

    def __getattr__(self, name: str) -> "Callable[[], Drawn]":
        from sim.report.figures import FIGURES

        if name not in FIGURES:
            raise AttributeError(f"no figure {name!r}; there are: {', '.join(FIGURES)}")

        def drawn() -> "Drawn":
            return FIGURES[name](self._result)

        drawn.__name__, drawn.__qualname__, drawn.__doc__ = name, f"Plots.{name}", FIGURES[name].__doc__
        return drawn

    def __dir__(self) -> list[str]:
        from sim.report.figures import FIGURES

        return list(FIGURES)

    def __repr__(self) -> str:
        return f"<figures: {', '.join(f'{name}()' for name in dir(self))}>"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a run found. Made by ``sim.simulate``.

    scenario: what was simulated; outcome: the counts, and how long they took; tables_read: what the kernels read; functions: the user's
    own, by name.
    Every name in ``FRAMES`` is a tidy pandas frame; ``help(sim.Result.clv)`` lists its columns. ``plot`` draws figures. Money is in the
    scenario's currency, discounted to the customer's arrival (equity: to calendar 0); NaN is what is not defined.
    """

    scenario: Scenario
    outcome: "Outcome"
    tables_read: Tables
    functions: "Mapping[str, Trigger | Score]" = field(default_factory=dict)

    @cached_property
    def sample(self) -> "Sample":
        """The counts cell by cell, from which every frame is made."""
        from sim.measures.sample import Sample

        variant = self.tables_read.variant[0, self.tables_read.segment]
        shifts = np.asarray(self.tables_read.square_shift)[variant].astype(np.int64)
        came = self.outcome.arrivals
        if came is not None:
            return Sample(self.scenario, arrived(cells(self.scenario), came.customers[0]), self.outcome.tally, shifts, None, came)
        new = sum(self.outcome.sampled) - existing_customers(self.scenario)
        return Sample(self.scenario, cells(self.scenario, new), self.outcome.tally, shifts, self.outcome.kept)

    clv = _Frame("clv")
    ledger = _Frame("clv")
    cash = _Frame("clv")
    retention = _Frame("retention")
    calendar_retention = _Frame("retention")
    occupancy = _Frame("retention")
    flows = _Frame("retention")
    leaving = _Frame("leaving")
    causes = _Frame("leaving")
    sojourns = _Frame("retention")
    patterns = _Frame("retention")
    equity = _Frame("equity")
    replicates = _Frame("equity")
    concentration = _Frame("concentration")
    feelings = _Frame("feelings")
    equity_risk = _Frame("equity")
    referral = _Frame("referral")
    arrivals = _Frame("referral")
    activity = _Frame("activity")
    offers = _Frame("offer")
    unit_cost = _Frame("offer")
    classes = _Frame("classes", "followed")
    migration = _Frame("classes", "followed")
    scorecard = _Frame("scorecard")
    profit_curves = _Frame("curves", "followed")
    resemblance = _Frame("resemblance", "followed")
    forecast = _Frame("resemblance", "followed")
    arpu_tenure = _Frame("arpu", "followed")

    @cached_property
    def followed(self) -> "Followed":
        """The panel: the first ``run.panel`` customers of the run, followed period by period, in the first replicate."""
        from sim.engine import follow
        from sim.measures.followed import Followed, counts, stood

        if not self.scenario.run.panel:
            raise AttributeError("customers were not followed: simulate with run.panel=10000, or as many as you like")
        each, sampled = counts(self.scenario, self.sample.cells), self.sample.cells
        seen = self.outcome.panels
        panel = seen[0] if seen else follow(self.tables_read, each, self.sample.horizon, stood(self.scenario, sampled, each))
        return Followed(self.sample, panel, self.tables_read)

    @cached_property
    def customers(self) -> "pd.DataFrame":
        """One row a simulated customer, where ``run.keep_customers`` was set.

        Columns: replicate, cohort, segment, serial (in its cell), clv, clv_before_acquisition, pattern, lost_at (period at whose end first
        lost after having been active; missing for never), orders. Where orders are random last_order follows (when the last one was placed,
        in periods since acquisition, to fractions of them; missing where there was none). Where there is a base, row and tenure follow (in
        its table, from 1, and since acquisition; missing for new customers); of a base with past orders some are lost by calendar 0, at
        the end of period -1. Cohort, segment and pattern are categories.
        """
        import pandas as pd

        from sim.measures import buying

        kept, sample = self.outcome.kept, self.sample
        if kept is None:
            raise AttributeError("customers were not kept: simulate with run.keep_customers=true")
        sampled, cell = [c.sampled for c in sample.cells], sample.cell_of_row
        replicates = sample.tally.replicates.shape[0]
        segments = list(dict.fromkeys(c.segment for c in sample.cells))
        serial = np.tile(np.concatenate([np.arange(n) for n in sampled]), replicates)
        lost = pd.Series(np.where(kept.lost_at[0] < 0, -3 - kept.lost_at[0], kept.lost_at[0]), dtype="Int32")  # -2 never, -1 before
        columns = {
            "replicate": np.repeat(np.arange(replicates), sum(sampled)),
            "cohort": _labels(np.array([c.cohort for c in sample.cells])[cell], sample.cohort_ids),
            "segment": _labels(np.array([segments.index(c.segment) for c in sample.cells])[cell], segments),
            "serial": serial,
            "clv": kept.clv[0, :, AFTER] / UNIT,
            "clv_before_acquisition": kept.clv[0, :, BEFORE] / UNIT,
            "pattern": _labels(kept.pattern[0], PATTERNS),
            "lost_at": lost.mask(lost < -1),
            "orders": kept.orders[0],
        }
        if kept.last_order.size > 0:
            columns["last_order"] = buying.last_order(sample)
        existing = self.scenario.existing
        if existing is not None:
            base = np.array([c.base for c in sample.cells])[cell]
            for name, values in (("row", existing.row + 1), ("tenure", existing.tenure)):
                held = np.zeros(base.size, np.int64)
                held[base] = np.tile(values, replicates)
                columns[name] = pd.Series(held, dtype="Int64").mask(~base)
        return pd.DataFrame(columns)

    def rfm(self, period: str | None = None) -> "pd.DataFrame":
        """Return the log of orders, a row a customer, as Pareto/NBD, BG/NBD and their kin are fitted to it.

        period: of the times ("day", "week", "month", "quarter" or "year"; default: the scenario's). Columns: replicate, cohort, segment,
        serial, frequency (orders), recency (time of the last one since arrival, 0 where there is none), T (time observed: the horizon).
        Existing customers with past orders (columns x, t_x and T of the base) go on with theirs; others are left out.
        A customer arrives with its first purchase, which is not among the orders: all of them are repeat orders, as these models
        count. Names are those of the package lifetimes. Source: Fader, Hardie and Lee (2005), RFM and CLV, Journal of Marketing Research
        42(4).
        Raises AttributeError where customers were not kept, ScenarioError where orders are not random.
        """
        from sim.measures import buying

        return buying.rfm(self.sample, self.customers, period)

    @cached_property
    def exact(self) -> "Exact":
        """The exact answers of the same scenario; see ``sim.exact``."""
        from sim.exact import exact

        return exact(self.scenario)

    @cached_property
    def controlled(self) -> "Controlled":
        """Mean CLV with the nearest solvable case as control variate, which is simulated for it; see ``sim.studies.control``."""
        from sim.studies.control import controlled

        return controlled(self)

    @cached_property
    def residual(self) -> dict[str, Any]:
        """Value per customer beyond the horizon; see ``sim.measures.summary.residual``."""
        from sim.measures import summary

        return summary.residual(self)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the scenario, of its precision, and of the value beyond its horizon."""
        from sim.measures import paths, precision, summary
        from sim.scenario.checks import warnings

        said = [*paths.conditional(self.sample), *precision.not_reached(self.sample), *summary.uneven(self.sample)]
        said += summary.beyond_horizon(self)
        return [*warnings(self.scenario), *said]

    @property
    def precise(self) -> bool:
        """Whether ``run.precision`` was asked for and reached."""
        if self.scenario.run.precision is None and self.scenario.run.precision_money is None:
            return False
        from sim.measures.precision import precision

        found = precision(self.sample)
        return found is not None and found["reached"]

    @property
    def plot(self) -> Plots:
        """Figures: ``result.plot.clv()`` and others, see ``Plots``."""
        return Plots(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the frames: ``FRAMES``, and those that join them."""
        from sim.measures.activity import done
        from sim.measures.feelings import felt
        from sim.measures.offer import priced, scaled

        joining = {
            "feelings": bool(felt(self.sample)),
            "equity_risk": not self.sample.independent,
            "arrivals": self.scenario.coupled,
            "referral": self.scenario.recruiting,
            "activity": bool(done(self.sample)),
            "offers": priced(self.sample),
            "unit_cost": scaled(self.sample),
            "customers": self.outcome.kept is not None,
        }
        joined = [name for name, there in joining.items() if there]
        return (*FRAMES, *joined, *(PANEL_FRAMES if self.scenario.run.panel else ()))

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        return {name: getattr(self, name) for name in self.names}

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds: plain values, None for what is not defined; see ``sim.measures.summary``."""
        from sim.measures import summary

        return summary.summary(self)

    @property
    def timing(self) -> dict[str, Any]:
        """Threads used and seconds taken: all that differs between runs of the same scenario."""
        return {f.name: getattr(self.outcome, f.name) for f in fields(self.outcome) if f.name in ("threads", "seconds")}

    def __repr__(self) -> str:
        row = self.clv.iloc[0]
        known = np.isfinite(row["se"])
        money = f"{row['mean']:,.2f} {'± ' + format(row['se'], ',.2f') if known else ''} {self.scenario.currency}"
        said = f"{' '.join(money.split())} ({'standard error' if known else 'standard error not known'})"
        periods = f"{self.sample.horizon} {self.scenario.period}s"
        return f"<Result of {self.scenario.name}: {row['customers']:,} customers over {periods}, CLV {said}>"

    def _repr_html_(self) -> str:
        from sim.report.page import cards
        from sim.scenario.shown import table

        rows = [
            (card.label, f"{card.value} {card.unit.strip()}".strip(), card.half and f"± {card.half}", card.note) for card in cards(self)
        ]
        where = (
            f"Frames: {', '.join(self.names)}. Figures: {', '.join(f'plot.{name}()' for name in dir(self.plot))}. Also summary(), exact."
        )
        return table(repr(self)[1:-1], ("", "mean", "95 % interval", ""), rows, where)


def _labels(codes: NDArray[Any], names: Sequence[str]) -> "pd.Categorical[str]":
    """Return names by their places; as categories, for text takes longer to make than its customers to simulate."""
    import pandas as pd

    return pd.Categorical.from_codes(codes, categories=pd.Index(names))
