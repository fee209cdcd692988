"""Picking the best of a few arms with least work: KN, which guarantees its pick, and OCBA, a heuristic of where to look next.

An arm is whatever can be simulated: a policy, a value of a sweep. An observation is a mean of a batch of customers, paired across arms:
observation j of all arms is made of the same customers on the same luck, so that differences have little variance.

**KN** (Kim and Nelson 2001, ACM Transactions on Modeling and Computer Simulation 11(3), procedure KN with c = 1). With k arms, first
stage n0, confidence 1 - alpha and indifference zone delta,

    eta = ((2 alpha / (k - 1)) ** (-2 / (n0 - 1)) - 1) / 2,    h2 = 2 eta (n0 - 1)
    S2_il = sample variance of X_ij - X_lj over j = 1 … n0

and after r observations of every arm still in, arm i goes if for another arm l still in

    mean_i(r) < mean_l(r) - W_il(r),    W_il(r) = max(0, delta / (2 r) (h2 S2_il / delta**2 - r)),

until one is left. With normal observations independent over j, the best arm is picked with probability 1 - alpha or more wherever it is
better than every other by delta or more. Dependence between arms does no harm, and common luck makes S2_il small. Batches make
observations nearly normal.

**OCBA** (Chen, Lin, Yücesan and Chick 2000, Discrete Event Dynamic Systems 10(3), theorem 1): as the total grows, an approximate
probability of picking the best b is largest where, with delta_i = mean_b - mean_i,

    N_i / N_j = (sd_i / delta_i)**2 / (sd_j / delta_j)**2 for i, j other than b,    N_b = sd_b sqrt(sum over i of (N_i / sd_i)**2).

It takes arms for independent and estimates for the truth, and guarantees nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.scenario.errors import Fault, ScenarioError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Sampler(Protocol):
    """What makes observations: each call goes on where the last one ended, and rows are independent of each other."""

    def __call__(self, arms: Sequence[int], count: int) -> Floats:
        """Return ``count`` further observations of these arms, (count, len(arms)), paired by row."""


@dataclass(frozen=True)
class Picked:
    """The arm picked by ``pick``, the largest mean being the best.

    winner: its place; sure: whether the guarantee holds, False where ``most`` ended the search;
    observations: (k,) of each arm; eliminated: (k,) observations of every arm still in when it went, 0 for those never eliminated;
    means: (k,) of each arm's own observations; alpha, delta, first: as asked for.
    """

    winner: int
    sure: bool
    observations: Counts
    eliminated: Counts
    means: Floats
    alpha: float
    delta: float
    first: int

    @property
    def total(self) -> int:
        """Observations in all."""
        return int(self.observations.sum())


def pick(sample: Sampler, arms: int, delta: float, alpha: float = 0.05, first: int = 20, step: int = 1, most: int | None = None) -> Picked:
    """Pick the arm with the largest mean by KN, one observation of every arm still in after the other.

    Parameters
    ----------
    sample
        Makes paired observations, see ``Sampler``.
    arms
        How many there are, k.
    delta
        Indifference zone: the smallest difference worth telling apart, in the unit of the observations, above 0.
    alpha
        1 less the confidence, above 0 and below 1 - 1 / k.
    first
        Observations of every arm before any may go, n0: 2 or more; 10 to 20 are usual.
    step
        Observations between two looks. A process that is looked at less often crosses its bounds less often, so the guarantee stays.
    most
        Observations of an arm after which to stop with the largest mean, without the guarantee (``sure`` is False). At least ``first``.

    Returns
    -------
    Picked
        See there. Where the best is better than the next by less than delta, an arm within delta of it is picked as surely (Kim and
        Nelson 2001 guarantee the former; the latter holds in practice and is not proven for KN).

    Raises
    ------
    ScenarioError
        Where an argument is out of its range.
    ValueError
        Where the sampler returns another shape, or what is not finite.
    """
    faults = list(_faults(arms, delta, alpha, first, step, most))
    if faults:
        raise ScenarioError(faults)
    state = _State(sample, arms)
    if arms > 1:
        state.observe(first)
        h2 = 2.0 * eta(arms, first, alpha) * (first - 1)
        bound = h2 * paired_variances(state.seen) / delta
        end = int(np.floor(bound.max() / delta)) + 1  # by then all widths are 0
        while state.inside.sum() > 1:
            state.screen(bound, delta)
            if state.inside.sum() == 1 or state.count >= end or (most is not None and state.count >= most):
                break
            state.observe(min(step, end - state.count, *([most - state.count] if most is not None else [])))
    sure = bool(arms == 1 or state.inside.sum() == 1 or state.count >= end)
    means = state.sums / np.maximum(state.counts, 1)
    winner = int(np.argmax(np.where(state.inside, means, -np.inf)))
    return Picked(winner, sure, state.counts, state.eliminated, means, alpha, delta, first)


def _faults(arms: int, delta: float, alpha: float, first: int, step: int, most: int | None) -> Iterator[Fault]:
    if arms < 1:
        yield Fault("arms", str(arms), "1 or more")
    if not 0.0 < delta < math.inf:
        yield Fault("delta", f"{delta:g}", "above 0", "the smallest difference that matters")
    if arms > 1 and not 0.0 < alpha < 1.0 - 1.0 / arms:
        yield Fault("alpha", f"{alpha:g}", f"above 0 and below {1.0 - 1.0 / arms:g}, which guessing among {arms} arms has")
    if first < 2:
        yield Fault("first", str(first), "2 or more", "variances are estimated from them")
    if step < 1:
        yield Fault("step", str(step), "1 or more")
    if most is not None and most < first:
        yield Fault("most", str(most), f"{first} or more, as first says")


def eta(arms: int, first: int, alpha: float) -> float:
    """Return KN's constant for k arms and n0 first observations: ``P(error of a pair) = alpha / (k - 1)`` (Kim and Nelson 2001, c = 1)."""
    return 0.5 * float((2.0 * alpha / (arms - 1)) ** (-2.0 / (first - 1)) - 1.0)


def paired_variances(seen: Floats) -> Floats:
    """Return the sample variance of the difference of each two arms, (k, k), from paired observations, (n, k)."""
    centred = seen - seen.mean(axis=0)
    gaps = centred[:, :, None] - centred[:, None, :]
    return np.asarray((gaps**2).sum(axis=0) / (len(seen) - 1), float)


class _State:
    """Who is still in, and what has been seen of each. seen: (n, k), the last call's observations while all arms are in."""

    def __init__(self, sample: Sampler, arms: int) -> None:
        self.sample, self.count = sample, 0
        self.inside: Flags = np.ones(arms, bool)
        self.sums, self.counts, self.eliminated = np.zeros(arms), np.zeros(arms, np.int64), np.zeros(arms, np.int64)
        self.seen: Floats = np.zeros((0, arms))

    def observe(self, count: int) -> None:
        """Take further observations of the arms still in."""
        arms = np.flatnonzero(self.inside)
        self.seen = np.asarray(self.sample(arms.tolist(), count), float)
        if self.seen.shape != (count, len(arms)) or not np.isfinite(self.seen).all():
            raise ValueError(f"the sampler returned shape {self.seen.shape}; finite numbers of shape {(count, len(arms))} were asked for")
        self.sums[arms] += self.seen.sum(axis=0)
        self.counts[arms] += count
        self.count += count

    def screen(self, bound: Floats, delta: float) -> None:
        """Let go of arms that another one still in beats by the width. bound: (k, k) ``h2 S2_il / delta``."""
        mean = self.sums / self.count
        width = np.maximum(0.0, (bound - self.count * delta) / (2.0 * self.count))
        beaten = (mean[:, None] < mean[None, :] - width) & self.inside
        gone = self.inside & beaten.any(axis=1)
        self.eliminated[gone] = self.count
        self.inside &= ~gone


def ocba_shares(means: ArrayLike, sds: ArrayLike, least: float = 0.0) -> Floats:
    """Return the share of all observations that each arm should have, by OCBA: a heuristic, which guarantees nothing.

    Parameters
    ----------
    means, sds
        Estimates so far of each arm's mean and of the standard deviation of one of its observations, (k,), k of 1 or more.
    least
        Differences from the best below this count as this; an arm whose difference then is 0 needs all there is, and shares it with the
        best and with others like it.

    Returns
    -------
    ndarray
        (k,), sum 1. Without any noise every arm has the same share.

    Raises
    ------
    ScenarioError
        Where shapes differ, a number is not finite, or a standard deviation or ``least`` is below 0.
    """
    mean, sd = np.asarray(means, float), np.asarray(sds, float)
    if mean.ndim != 1 or mean.shape != sd.shape or not len(mean):
        raise ScenarioError([Fault("sds", str(sd.shape), f"a list of 1 or more, as long as that of means, {mean.shape}")])
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and (sd >= 0).all() and least >= 0.0):
        raise ScenarioError([Fault("means", "", "finite means, standard deviations of 0 or more and least of 0 or more")])
    best = int(mean.argmax())
    gap, others = np.maximum(mean[best] - mean, least), np.arange(len(mean)) != best
    tied = others & (gap == 0.0) & (sd > 0.0)
    found = np.zeros(len(mean))
    if tied.any():
        found[tied] = sd[tied] ** 2
        found[best] = sd[best] * math.sqrt((sd[tied] ** 2).sum())
    else:
        use = others & (sd > 0.0) & (gap > 0.0)
        ratio = np.divide(gap[use].min(initial=math.inf), gap, out=np.zeros(len(mean)), where=use)
        found[use] = (sd[use] * ratio[use]) ** 2
        found[best] = sd[best] * math.sqrt((sd[use] ** 2 * ratio[use] ** 4).sum())
    if not found.sum() > 0.0:
        found[:] = 1.0
    return np.asarray(found / found.sum(), float)


def ocba_next(means: ArrayLike, sds: ArrayLike, spent: ArrayLike, more: int, least: float = 0.0) -> Counts:
    """Return how many further observations each arm should have, so that all come as near to ``ocba_shares`` as they still can.

    Parameters
    ----------
    means, sds, least
        As in ``ocba_shares``.
    spent
        Observations of each arm so far, (k,).
    more
        Observations to hand out, 0 or more.

    Returns
    -------
    ndarray
        (k,) whole numbers of 0 or more, sum ``more``, by largest remainders.

    Raises
    ------
    ScenarioError
        As ``ocba_shares``, and where ``spent`` has another shape or ``more`` is below 0.
    """
    share, had = ocba_shares(means, sds, least), np.asarray(spent, float)
    if had.shape != share.shape or not (had >= 0).all() or more < 0:
        raise ScenarioError([Fault("spent", "", f"{len(share)} numbers of 0 or more, and more of 0 or more")])
    open_ = np.ones(len(share), bool)
    while True:  # an arm that has more than its share gets none, and the others share what is then left
        whole = had[open_].sum() + more
        wanted = np.where(open_, share / share[open_].sum() * whole - had, 0.0) if share[open_].sum() > 0 else open_ * (more / open_.sum())
        if (wanted >= 0.0).all():
            break
        open_ &= wanted > 0.0
    found = np.floor(wanted).astype(np.int64)
    rest = np.argsort(-(wanted - found), kind="stable")[: more - int(found.sum())]
    found[rest] += 1
    return found
