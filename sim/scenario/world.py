"""Time, calendar, firm and run: everything that is not about one customer."""

from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.base import MOST_FACTOR, Count, Model, NonNegative, Positive

When = Literal["start", "mid", "end"]

OFFSET: dict[str, float] = {"start": 0.0, "mid": 0.5, "end": 1.0}


class Timing(Model):
    """When in its period a ledger column's cash falls. Acquisition always falls at the start, transition at the end.

    streams: word of mouth, information, knowledge, transactions and sales cost.
    """

    purchase: When = "start"
    service: When = "start"
    streams: When = "start"


class Season(Model):
    """A factor by calendar period: a list that repeats through the year, times ``(1 + growth_annual) ** (y / periods a year)``."""

    multiplier: tuple[Annotated[Positive, Field(le=MOST_FACTOR)], ...] | None = Field(default=None, strict=False)
    growth_annual: float = Field(default=0.0, gt=-1, le=100)


class HazardSeason(Season):
    """A season of the hazards of the named edges (``stage.edge``; default: all into lost)."""

    edges: tuple[str, ...] | None = Field(default=None, strict=False)


class Calendar(Model):
    """What depends on the calendar: hazards, the chance or rate of ordering, and the unit margin."""

    hazards: HazardSeason = HazardSeason()
    orders: Season = Season()
    margin: Season = Season()


class Firm(Model):
    """The firm: its customers (when no cohorts are listed), and costs that are nobody's own (they enter equity, never a CLV)."""

    customers: Annotated[Count, Field(ge=1, le=10**12)] | None = None
    setup_cost: NonNegative = 0.0  # at calendar 0
    fixed_cost: NonNegative = 0.0  # a calendar period, at its start


TWO_SIDED_95 = 1.959963984540054
"""Standard errors on either side of a 95 % interval."""


class Run(Model):
    """How to simulate; ``threads``, ``driver``, ``executor`` and what belongs to it change no result.

    customers: how many are simulated (default: the firm's own); seed: 0 to 2**63 - 1; threads: 1 to 256 (default: all cores);
    precision: stop as soon as the 95 % interval of mean CLV before acquisition is no wider than this share of the mean on either side,
    precision_money: than this much currency; ``customers`` is then the most that are simulated (``sim.scenario.sample.looks``);
    replicates: independent repetitions; keep_customers: keep one row a customer (memory grows with them; quantiles are then exact);
    driver: ``group`` runs each group of customers through life, ``period`` steps the whole population (same result);
    control: where there is no exact answer, estimate mean CLV with the nearest solvable case as control variate too, in a second run.
    executor: ``threads`` of this process, or ``dask``, a cluster: ``local`` processes, the address of a scheduler, or ``slurm``;
    workers: of a local cluster (default: threads), or jobs of SLURM; slurm: what dask-jobqueue's SLURMCluster takes (queue, walltime …).
    panel: customers of the run who are followed period by period, for classes, profit curves and scorecard; 0: none.
    """

    customers: Annotated[Count, Field(ge=1, le=10**12)] | None = None
    precision: float | None = Field(default=None, gt=0, lt=1)
    precision_money: Positive | None = None
    seed: Annotated[Count, Field(ge=0, le=2**63 - 1)] = 1
    threads: Annotated[Count, Field(ge=1, le=256)] | None = None
    replicates: Annotated[Count, Field(ge=1, le=65_536)] = 1
    keep_customers: bool = False
    driver: Literal["group", "period"] = "group"
    executor: Literal["threads", "dask"] = "threads"
    cluster: str = "local"
    workers: Annotated[Count, Field(ge=1, le=100_000)] | None = None
    slurm: dict[str, str | int | float] = {}
    control: bool = False
    panel: Annotated[Count, Field(ge=0, le=10**6)] = 0
