"""What others do: the benchmark's chain in Mesa and in Starsim, and customers of Pareto/NBD and BG/BB from lifetimes.

The chain's functions return each customer's CLV (customers,) and count the customers of each stage by month, no more. Mesa has two: one
written as the examples that it ships are, and one that steps only the living and leaves out whatever takes time. Starsim's is
written as its own library of diseases is; stepping the living alone makes no difference to it.
"""

from bisect import bisect
from collections.abc import Callable
from typing import Any

import mesa
import numpy as np
import starsim as ss
from lifetimes import generate_data

from chain import ACQUISITION, BELOW, FACTOR, HORIZON, LOST, PROFIT, STAGES, Array

THRESHOLDS, PROFITS = BELOW.tolist(), PROFIT.tolist()  # agents read plain numbers faster than arrays


class Customer(mesa.Agent):
    """One customer who is stepped every month, lost or not."""

    def __init__(self, model: mesa.Model) -> None:
        super().__init__(model)
        self.stage, self.clv = 0, -ACQUISITION

    def step(self) -> None:
        """Earn, then move."""
        self.clv += PROFITS[self.stage] * self.model.factor
        self.stage = bisect(THRESHOLDS[self.stage], self.random.random())


class Firm(mesa.Model):
    """Customers activated in random order and counted by a data collector, as in Mesa's example of a virus on a network."""

    def __init__(self, customers: int, seed: int) -> None:
        super().__init__(seed=seed)
        self.factor = 1.0
        Customer.create_agents(self, customers)
        self.datacollector = mesa.DataCollector({stage: self._counter(i) for i, stage in enumerate(STAGES)})
        self.datacollector.collect(self)

    @staticmethod
    def _counter(stage: int) -> Callable[[mesa.Model], int]:
        return lambda model: sum(1 for customer in model.agents if customer.stage == stage)

    def step(self) -> None:
        """Step everybody, then count."""
        self.agents.shuffle_do("step")
        self.datacollector.collect(self)
        self.factor *= FACTOR


class LeanCustomer(Customer):
    """One customer who leaves the model when lost."""

    def step(self) -> None:
        """Earn, move, be counted, and leave when lost."""
        super().step()
        self.model.counts[self.model.steps][self.stage] += 1
        if self.stage == LOST:
            self.model.gone.append(self.clv)
            self.remove()


class LeanFirm(mesa.Model):
    """Only the living are activated, in the order in which they came, and count themselves."""

    def __init__(self, customers: int, seed: int) -> None:
        super().__init__(seed=seed)
        self.factor, self.gone = 1.0, list[float]()
        self.counts = [[0] * len(STAGES) for _ in range(HORIZON + 1)]
        LeanCustomer.create_agents(self, customers)

    def step(self) -> None:
        """Step the living."""
        self.agents.do("step")
        self.factor *= FACTOR


def mesa_as_shipped(customers: int, seed: int) -> Array:
    """Run the chain as Mesa's own examples are written."""
    firm = Firm(customers, seed)
    for _ in range(HORIZON):
        firm.step()
    return np.array(firm.agents.get("clv"))


def mesa_leanest(customers: int, seed: int) -> Array:
    """Run the chain with as little of Mesa as there can be."""
    firm = LeanFirm(customers, seed)
    for _ in range(HORIZON):
        firm.step()
    return np.array([*firm.gone, *firm.agents.get("clv")])


class Stages(ss.Module):
    """A yes-or-no state for each stage, which Starsim counts, and a distribution for the moves from each, as in its library of diseases."""

    def __init__(self) -> None:
        super().__init__()
        self.define_pars(**{f"from_{stage}": ss.random() for stage in STAGES[:LOST]})
        self.define_states(*(ss.BoolState(stage, default=stage == STAGES[0]) for stage in STAGES), ss.FloatArr("clv", default=-ACQUISITION))

    def step(self) -> None:
        """Let all earn and move, stage by stage."""
        held = [getattr(self, stage) for stage in STAGES]
        here = [state.uids for state in held[:LOST]]
        for stage, customers in enumerate(here):
            self.clv[customers] += PROFITS[stage] * FACTOR**self.ti
            target = np.searchsorted(BELOW[stage], self.pars[f"from_{STAGES[stage]}"].rvs(customers), side="right")
            held[stage][customers] = False
            for to in range(len(STAGES)):
                held[to][customers[target == to]] = True


def starsim(customers: int, seed: int) -> Array:
    """Run the chain in Starsim, with its common random numbers."""
    world = ss.Sim(n_agents=customers, modules=Stages(), dur=ss.months(HORIZON - 1), dt=ss.month, rand_seed=seed, verbose=0)
    world.run()
    return np.asarray(world.get_module(Stages).clv.values, float)


CHAIN = {"Mesa, as its examples": mesa_as_shipped, "Mesa, the living only": mesa_leanest, "Starsim": starsim}


def lifetimes_pareto_nbd(customers: int, seed: int) -> Any:
    """Return customers of the scenario pareto_nbd over 39 weeks: a frame with frequency and alive.

    Time is told in hours, for lifetimes counts orders of one unit of time as one.
    """
    np.random.seed(seed)  # noqa: NPY002 - lifetimes draws from the global generator
    hours = 7 * 24
    return generate_data.pareto_nbd_model(39.0 * hours, 0.553, 10.578 * hours, 0.606, 11.669 * hours, size=customers)


def lifetimes_bgbb(customers: int, seed: int) -> Any:
    """Return customers of the scenario bgbb with 11 opportunities to order: a frame with frequency and alive."""
    np.random.seed(seed)  # noqa: NPY002 - as above
    return generate_data.beta_geometric_beta_binom_model(11, 1.20352236, 0.74971639, 0.65671811, 2.78344174, size=customers)


LIFETIMES = {"pareto_nbd": lifetimes_pareto_nbd, "bgbb": lifetimes_bgbb}
