"""What a lifetime is worth in a textbook's examples: python experiments/lifetime_examples.py [key=value ...].

Ten years at 100 less 80 make 920 only while money has no price: at 10 % a year they are worth 596, or 534 where each year pays at its end.
Ten years on average are worth the same 920, but with a standard deviation of 949 between customers, and less once discounted. What brands
say a loyal customer spends in 30 or 50 years is so much a year, and a fraction of it today.
"""

import sim
from showing import listed, run, say, show

GEOMETRIC = "horizon=200 stages.customer.to.gone.probability=0.1"  # lives of mean 10; what is cut off is worth below 1e-6
BRAND = "acquisition.cost=0 stages.customer.to.gone.probability=0"  # nobody leaves before the horizon
YEARS = {  # what is set over the scenario fixed_life, and what the chapter on customer lifetime value of a textbook prints
    "Ten years at 100, less 80": ("", 920),
    **{f"at {rate} % a year": (f"discount_rate_annual={rate / 100}", None) for rate in (5, 10, 15)},
    **{f"at {rate} %, paid at the year's end": (f"discount_rate_annual={rate / 100} timing.purchase=end", None) for rate in (5, 10, 15)},
    "a mean of ten years": (GEOMETRIC, None),
    **{f"a mean of ten, at {rate} % a year": (f"discount_rate_annual={rate / 100} {GEOMETRIC}", None) for rate in (10, 15)},
}
BRANDS = {
    "Coca-Cola, 50 years at 220": (f"{BRAND} horizon=50 stages.customer.price=220", 11_000),
    "Marlboro, 30 years at 833.33": (f"{BRAND} horizon=30 stages.customer.price=833.3333333333", 25_000),
    "AT&T, 30 years at 2,400": (f"{BRAND} horizon=30 stages.customer.price=2400", 72_000),
    "Coca-Cola, at 10 % a year": (f"{BRAND} horizon=50 stages.customer.price=220 discount_rate_annual=0.1", None),
}


def main(*settings: str) -> None:
    """Simulate and print; settings: as for ``clvsim simulate``."""
    for title, examples, digits in (("A customer's value", YEARS, 2), ("What brands count on, USD", BRANDS, 0)):
        rows = []
        for example, (question, printed) in examples.items():
            result = sim.simulate(sim.load("fixed_life", "run.customers=1e6", *settings, *question.split()))
            rows.append((example, printed, result.exact.clv_mean, *result.clv.loc[0, ["mean", "se"]]))
            if result.exact.clv_sd:
                rows.append(("… its SD", None, result.exact.clv_sd, result.clv.loc[0, "sd"], None))
        show({title: listed(rows, digits=(0, digits))})
    say("\nSE: standard error; SD: standard deviation between customers, 0 where every life is as long")


if __name__ == "__main__":
    run(main)
