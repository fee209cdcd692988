"""What a customer is worth beside purchases: word of mouth, information, knowledge, transactions."""

from sim.scenario.arrivals import Recruits
from sim.scenario.base import Cost, Factor, Model, NonNegative, Probability
from sim.scenario.purchases import ONE, AnyTrait


class WordOfMouth(Model):
    """Talk of customers in active stages: worth ``influence * reach * value * f(s)`` a period, or bringing ``recruits``; never both.

    f = (s - 3) / 2 above 3 and -negativity * (3 - s) / 2 below: the dissatisfied tell more people. influence: of a customer, mean 1 unless
    given; reach: people reached a period; value: currency a person who is won over is worth.
    """

    influence: AnyTrait = ONE
    reach: Factor
    value: Cost | None = None
    recruits: Recruits | None = None
    negativity: Factor = 2.0


class Knowledge(Model):
    """The share of customers who have knowledge to give; what it is worth a period (``stages.<id>.knowledge``) is lognormal over them."""

    share: Probability = 1.0
    cv: NonNegative = 0.0


class Transaction(Model):
    """Fees for access to customers (``stages.<id>.fees``): earned only in periods in which trust is above ``trust_above``."""

    trust_above: Probability | None = None
