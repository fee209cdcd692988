"""How broad should a firm be? Scale against breadth: python experiments/scale_breadth.py [key=value ...].

A network costs the same for one customer as for a million, so that cost per customer falls with their number: serve more kinds of needs,
and there are more customers. But every further kind makes processes more complex and each customer dearer to serve. With n customers of
each of k kinds, fixed cost F, cost to serve c and breadth b, one costs F / (k n) + c (1 + b (k - 1)), least at k = (F / (n c b)) ** (1/2):
where kinds are large a firm does best with few of them, where they are small it must be broad to carry its fixed cost.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

FIXED, SERVE, BREADTH = 40_000, 2.0, 0.25  # USD a month, of the firm and of a customer; what a further kind adds
KINDS = (1, 2, 3, 4, 5, 6, 8)
SIZES = (2_000, 10_000, 50_000)  # customers of each kind


def measured(kinds: int, size: int, *settings: str) -> tuple[float, float]:
    """Return what an active customer costs in the first month, and customer equity per customer, thousand USD a thousand."""
    segments = ",".join(f"k{k}: {{share: {1 / kinds!r}}}" for k in range(kinds))
    more = (f"segments={{{segments}}}", f"firm={{customers: {kinds * size}, fixed_cost: {FIXED}}}", f"service.breadth={BREADTH}")
    start = ("subscriber", "run.customers=2e4", "horizon=12", f"stages.customer.cost_to_serve={SERVE}", "acquisition.cost=0")
    result = sim.simulate(sim.load(*start, *settings, *more, configs=Path(__file__).parent))
    return result.unit_cost["unit_cost"].iloc[0], result.equity["equity"].iloc[0] / (kinds * size)


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    found = {(kinds, size): measured(kinds, size, *settings) for size in SIZES for kinds in KINDS}
    frame = pd.DataFrame(found, index=["cost", "equity"]).T.rename_axis(["kinds of needs", "size"])
    cost, equity = (frame.pivot_table(name, "kinds of needs", "size").rename(columns="{:,}".format) for name in frame)
    show({"Cost of a customer a month, USD": cost.round(2), "Equity per customer of a year, USD": equity.round(1)})
    best = {f"{size:,}": (FIXED / (size * SERVE * BREADTH)) ** 0.5 for size in SIZES}
    told = (f"{size} customers each: {k}, in theory {best[str(size)]:.1f}" for size, k in cost.idxmin().items())
    say("\nCheapest number of kinds, " + "; ".join(told))

    axes = cost.plot(style=["o-", "s--", "^:"], logy=True, title="Scale against breadth")
    axes.set(ylabel="Cost of a customer a month, USD")
    axes.legend(title="customers of a kind")
    save(axes.figure, cost, "scale_breadth")


if __name__ == "__main__":
    run(main)
