"""Decisions when parameters are not known: what is uncertain, which policy is best, and what it is worth to know more.

A draw i of the parameters is simulated with R replicates, each with every one of A policies (arms) on the same luck. A mean over the
replicates is ``m_i = theta_i + e_i``: what the arms bring with these parameters, and inner noise. ``max(m_i)`` and counts of which arm is
largest are biased by that noise. Three things are done about it.

**Its size.** The covariance of m_i due to noise comes from the residuals of a two-way layout (draw, replicate), over R. It is unbiased
whether replicate r has luck of its own in each draw or the same in all: what all draws share moves them alike, adds nothing to the
differences between them, and so must not be taken off those (Searle, Casella and McCulloch 1992, Variance components, chapter 4).

**Its removal.** With S the covariance of m between draws, N that of the noise and T = S - N without what is negative, draws are pulled
towards their mean by the map P with P S P' = T that is diagonal where S and T both are: each of its directions by the root of its
reliability. That gives draws the first two moments of theta (Louis 1984, Journal of the American Statistical Association 79, 393-398),
and its law where theta and noise are normal. Means of normal posteriors would vary too little, and draws from posteriors keep l**3 of
a third cumulant, l being the reliability; the map keeps l**1.5.

**Its order.** The same from two halves of the replicates, h each, tells the bias in 1 / R that is left where theta is not normal;
extrapolation takes it off: ``(R f(R) - h f(h)) / (R - h)`` (Richardson; Gordy and Juneja 2010, Management Science 56(10)).

What is left: where theta is not normal a bias of order 1 / R**2, small while noise is small against theta; once N is about T, more
replicates are needed. The largest mean of few draws is too high where arms are alike, and values of information then too low, by order
draws**-0.5. Standard errors resample draws (Efron 1979), and add the error of all draws at once that luck shared between them makes,
which R replicates tell with R - 1 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Function = Callable[[Floats, Floats], Floats]

LEAST = 30  # draws that a variance between draws needs
RESAMPLES = 50  # of draws for a standard error, which then has itself an error of 10%
FOLDS = 10  # parts of the draws, each of which is decided by what the others tell
TRIALS = 5000  # at least, to regress on
KNOTS = (0.025, 0.1833, 0.3417, 0.5, 0.6583, 0.8167, 0.975)  # quantiles (Harrell 2015, Regression modeling strategies, table 2.3)
PENALTIES = 10.0 ** np.arange(-7.0, 3.5, 0.5)  # to choose from, in units of the variance of a linear term
CAUTION = 1.4  # factor of the degrees of freedom in cross-validation, against too rough a fit (Kim and Gu 2004)
ROUNDING = 1e-9  # share of the largest difference up to which arms are alike


class Split(NamedTuple):
    """Variance of the firm's outcome by its source, in currency squared; raw: as estimated, before what is below 0 is told as 0."""

    parameter: float
    market: float
    luck: float
    raw_parameter: float
    raw_market: float


class Best(NamedTuple):
    """Probability that each arm is best ``(A,)``, its standard error, and the share of draws in which its inner mean is largest."""

    probability: Floats
    se: Floats
    naive: Floats


class Evpi(NamedTuple):
    """Value of perfect information, in currency: naive (of inner means), corrected, its se, and removed: the bias, naive - corrected."""

    naive: float
    corrected: float
    se: float
    removed: float


class _Nested(NamedTuple):
    """means: those of all replicates and of two halves of them ``(draws, A)``, less the mean over arms; sizes: replicates of each.

    noise: covariance of an inner mean over all ``(draws, A, A)``, unbiased on average over draws; shared: root of the covariance of the
    mean over all draws that luck shared between them makes ``(A, A)``.
    """

    means: tuple[Floats, ...]
    sizes: tuple[int, ...]
    noise: Floats
    shared: Floats


def split(values: ArrayLike, within: ArrayLike, firm_luck: ArrayLike, market: bool = True) -> Split:
    """Return how much of the variance of the firm's outcome is due to parameters, to the market and to its customers' luck.

    values: (draws, R), the firm's outcome in each replicate, in currency: the mean over simulated customers, scaled up to the firm. within:
    (draws, R), variance of each due to which customers were simulated, its squared standard error. firm_luck: (draws, R) or a number, the
    variance that the finite number of the firm's own customers makes. market: whether replicates are market paths. If not, its part is 0
    and R may be 1, whose noise is then what ``within`` says; luck shared between draws would make that too much to take off.

    The estimators are those of a random-effects layout (Searle, Casella and McCulloch 1992, chapter 3), unbiased before what is below 0
    is told as 0: the variance of inner means between draws less that of their noise; the variance within draws less that of simulation, in
    which what the market does with some parameters only is counted; the mean of ``firm_luck``.

    Raises ValueError where shapes differ, a number is not finite, draws are fewer than LEAST, or R is 1 with a market.
    """
    paths, noise, luck = _numbers("values", values, 2), _numbers("within", within, 2), np.asarray(firm_luck, float)
    if noise.shape != paths.shape or luck.shape not in ((), paths.shape):
        raise ValueError(f"values are {paths.shape}, within {noise.shape}, firm_luck {luck.shape}: they must be of one shape")
    if not (noise.min() >= 0.0 and luck.min() >= 0.0 and np.isfinite(luck).all()):
        raise ValueError("within and firm_luck are variances: finite numbers of 0 or more")
    replicates = paths.shape[1]
    if market and replicates == 1:
        raise ValueError("one replicate a draw does not tell market from parameters: 2 or more are needed")
    known = noise.mean() if replicates == 1 else _residual(paths[:, :, None]).mean()
    parameter = float(paths.mean(axis=1).var(ddof=1) - known)
    path = float(paths.var(axis=1, ddof=1).mean() - noise.mean()) if market else 0.0
    return Split(max(parameter, 0.0), max(path, 0.0), float(luck.mean()), parameter, path)


def best(net: ArrayLike, seed: int = 0) -> Best:
    """Return the probability that each arm has the largest net benefit, over the draws of the parameters; sum 1, those alike share.

    net: (draws, R, A), in currency, R of 2 or more. seed: of the resamples of the standard error.

    The share of draws in which an inner mean is largest is too near 1 / A; here noise is removed and the rest extrapolated, as at the
    top. Bias left: where theta and noise are normal only that of estimating covariances, of order 1 / draws; else of order 1 / R**2,
    towards what a normal law of the same mean and covariance gives. Where no difference between draws is left after noise, the arm
    with the largest mean has it all.

    Raises ValueError where a number is not finite, or there are fewer than LEAST draws, 2 replicates or 2 arms.
    """
    nested = _nested(net)
    found, se = _with_error(lambda weights, shift: _extrapolated(nested, _shares, weights, shift), nested, seed)
    inside = np.clip(found, 0.0, 1.0)
    return Best(inside / inside.sum(), se, _shares(nested.means[0], np.ones(len(nested.noise))))


def acceptability(gross: ArrayLike, cost: ArrayLike, willingness: Sequence[float], seed: int = 0) -> pd.DataFrame:
    """Return cost-effectiveness acceptability curves and their frontier (Fenwick, Claxton and Sculpher 2001, Health Economics 10(8)).

    gross: (draws, R, A), expected gross customer equity in currency, or another effect, as customers kept. cost: (draws, R, A), in
    currency. willingness: what the firm gives today for a unit of ``gross``, w: the net benefit is ``w gross - cost``.

    Columns: willingness, arm (its place), net (mean, in currency), best (probability, see ``best``), se (of that), frontier (whether the
    arm has the largest mean net, the first of those alike; its ``best`` need not be the largest).

    Raises ValueError as ``best``, and where shapes differ or a willingness is not finite.
    """
    import pandas as pd

    effect, spent = _numbers("gross", gross, 3), _numbers("cost", cost, 3)
    if effect.shape != spent.shape:
        raise ValueError(f"gross is {effect.shape} and cost {spent.shape}: they must be of one shape")
    frames, arms = [], np.arange(effect.shape[2])
    for worth in _numbers("willingness", willingness, 1, least=1).tolist():
        net = worth * effect - spent
        mean, found = net.mean(axis=(0, 1)), best(net, seed)
        row = {"willingness": worth, "arm": arms, "net": mean, "best": found.probability, "se": found.se}
        frames.append(pd.DataFrame(row | {"frontier": arms == mean.argmax()}))
    return pd.concat(frames, ignore_index=True)


def evpi(net: ArrayLike, seed: int = 0) -> Evpi:
    """Return the expected value of perfect information about the parameters: ``E max - max E`` of the arms' net benefit.

    net, seed: as in ``best``, and the same errors. naive is that of inner means, too high by their noise. corrected has noise removed and
    the rest extrapolated, as at the top, and is 0 where that falls below. Extrapolation alone leaves much where noise is as large as what
    parameters do, removal alone a bias in 1 / R where theta is not normal.
    """
    nested = _nested(net)
    found, se = _with_error(lambda weights, shift: _extrapolated(nested, _perfect, weights, shift), nested, seed)
    naive, corrected = float(_perfect(nested.means[0], np.ones(len(nested.noise)))), max(float(found), 0.0)
    return Evpi(naive, corrected, float(se), naive - corrected)


def evppi(net: ArrayLike, parameters: ArrayLike, groups: Sequence[Sequence[int]], names: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Return the expected value of knowing each group of parameters: ``E max E(net | group) - max E net``.

    net: (draws, R, A), in currency; R may be 1, then share is NaN. parameters: (draws, k), as drawn. groups, names: columns of
    ``parameters`` of each group, and what it is called. seed: of folds.

    Columns: group, value (in currency, 0 where estimated below), se, share (of ``evpi``; errors may carry it above 1).
    ``E(net | group)`` is a regression over draws, which averages inner noise out (Strong, Oakley and Brennan 2014, Medical Decision
    Making 34(3)), on ``_basis``. Each of FOLDS parts of the draws is decided by a fit to the others and valued at its own net. That is
    what a rule is worth that could be used, and cannot overfit, so it is somewhat too low. ``E max`` of the fit itself is too high by
    its variance and too low by what its penalty shrinks, which was more when tried; a rule depends on the sign only. se is that of
    the mean of what draws gain by the rule, and of luck that they share.

    Raises ValueError as ``best`` but for R, and where shapes, groups and names do not agree.
    """
    import pandas as pd

    nested, known = _nested(net, least=1), _numbers("parameters", parameters, 2)
    if len(known) != len(nested.noise) or len(groups) != len(names):
        raise ValueError(f"{len(nested.noise)} draws of net, {len(known)} of parameters; {len(groups)} groups, {len(names)} names: unequal")
    if not all(len(group) > 0 and set(group) <= set(range(known.shape[1])) for group in groups):
        raise ValueError(f"a group holds one or more of the places 0 to {known.shape[1] - 1} of parameters")
    whole = evpi(net, seed).corrected if nested.sizes[0] > 1 else np.nan
    folds = np.array_split(np.random.default_rng(seed).permutation(len(known)), FOLDS)
    means, rows = nested.means[0], []
    first = int(means.mean(axis=0).argmax())
    for name, group in zip(names, groups, strict=True):
        taken = _fitted(means, _basis(known[:, sorted(set(group))]), np.ones(len(known)), folds).argmax(axis=1)
        gain, moved = means[np.arange(len(means)), taken] - means[:, first], np.bincount(taken, minlength=means.shape[1]) / len(means)
        moved[first] -= 1.0
        value, se = max(float(gain.mean()), 0.0), np.hypot(gain.std(ddof=1) / len(gain) ** 0.5, np.linalg.norm(moved @ nested.shared))
        rows.append({"group": name, "value": value, "se": float(se), "share": value / whole if whole else np.nan})
    return pd.DataFrame(rows, columns=["group", "value", "se", "share"])


def evsi(net: ArrayLike, sd: ArrayLike, customers: Sequence[float], firm: float, price: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Return the expected value of trials in which n customers are put into each arm, and which number is best.

    net: (draws, R, A), of the whole firm, in currency, R of 2 or more. sd: (draws, A) or (A,), standard deviation between customers of a
    customer's value in each arm, in currency. customers: in each arm of each trial, 0 or more. firm: customers that ``net`` is of, so that
    a trial tells an arm's net with sd ``firm sd / n**0.5``. price: of a customer in a trial, in currency. seed: of trials and resamples.

    Columns: customers (in each arm), value, se, cost (of all arms), net (value - cost), best (the largest net, if above 0). A trial sees
    differences between arms, over the whole of the customers' value. Draws, without noise and extrapolated as at the top, are regressed on
    trials (Strong, Oakley, Brennan and Breeze 2015, Medical Decision Making 35(5)) on ``_basis``, and the value is ``E max`` of the fit
    less ``max E``. There are TRIALS or more, several of a draw if need be, so that the fit overfits little; trials of all sizes share
    their luck. As n grows the value becomes ``evpi``.

    Raises ValueError as ``best``, and where ``sd`` has another shape or a number is out of its range.
    """
    import pandas as pd

    nested, sizes, spread = _nested(net), _numbers("customers", customers, 1, least=1), np.asarray(sd, float)
    draws, arms = nested.means[0].shape
    if spread.shape not in ((arms,), (draws, arms)):
        raise ValueError(f"sd is {spread.shape}: {(arms,)} or {(draws, arms)} is needed")
    if not (0.0 <= spread.min() <= spread.max() < np.inf and sizes.min() >= 0.0 <= price < np.inf and 0.0 < firm < np.inf):
        raise ValueError("sd, customers and price must be 0 or more, firm above 0, all of them finite")
    each = -(-TRIALS // draws)
    spread = firm * np.repeat(np.broadcast_to(spread, (draws, arms)), each, axis=0)
    luck = spread * np.random.default_rng([seed, 1]).standard_normal(spread.shape)

    def trial(theta: Floats, weights: Floats, n: float) -> float:
        seen = theta + luck / np.sqrt(n)
        fitted = _fitted(theta, _basis(seen[:, 1:] - seen[:, :1]), weights)
        return float((weights @ fitted.max(axis=1) - (weights @ fitted).max()) / weights.sum())

    def worth(theta: Floats, weights: Floats) -> Floats:
        rows, heavy = np.repeat(theta, each, axis=0), np.repeat(weights, each)
        return np.array([trial(rows, heavy, n) if n else 0.0 for n in sizes])

    found, se = _with_error(lambda weights, shift: _extrapolated(nested, worth, weights, shift), nested, seed)
    value, cost = np.maximum(found, 0.0), sizes * arms * price
    frame = pd.DataFrame({"customers": sizes, "value": value, "se": se, "cost": cost, "net": value - cost})
    return frame.assign(best=(np.arange(len(sizes)) == np.argmax(value - cost)) & (value > cost))


def _numbers(name: str, given: ArrayLike, dimensions: int, least: int = LEAST) -> Floats:
    """Return what is given as finite numbers of so many dimensions, none of them empty, the first of ``least`` or more; or ValueError."""
    found = np.asarray(given, float)
    if found.ndim != dimensions or not found.size:
        raise ValueError(f"{name} is of shape {found.shape}: {dimensions} dimensions are needed, none of them empty")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds what is not a finite number")
    if len(found) < least:
        raise ValueError(f"{name} has {len(found)} draws: {least} or more are needed")
    return found


def _residual(paths: Floats) -> Floats:
    """Return the covariance of each draw's inner mean due to noise ``(draws, A, A)``, from ``(draws, R, A)``; unbiased on average."""
    draws, replicates, _ = paths.shape
    rest = paths - paths.mean(axis=1, keepdims=True) - paths.mean(axis=0) + paths.mean(axis=(0, 1))
    freedom = (1.0 - 1.0 / draws) * (replicates - 1) * replicates
    return np.asarray(np.matmul(rest.transpose(0, 2, 1), rest) / freedom)


def _nested(net: ArrayLike, least: int = 2) -> _Nested:
    """Return what inner means and their noise are, from ``(draws, R, A)``; ValueError where it will not do."""
    paths = _numbers("net", net, 3)
    draws, replicates, arms = paths.shape
    if arms < 2:
        raise ValueError("net is of one arm: there is nothing to decide")
    if replicates < least:
        raise ValueError(f"net has {replicates} replicate a draw: {least} or more are needed to tell inner noise")
    paths = paths - paths.mean(axis=2, keepdims=True)
    if replicates == 1:
        return _Nested((paths[:, 0],), (1,), np.zeros((draws, arms, arms)), np.zeros((arms, arms)))
    half = replicates // 2
    means = (paths.mean(axis=1), paths[:, :half].mean(axis=1), paths[:, -half:].mean(axis=1))
    noise, columns = _residual(paths), paths.mean(axis=0)
    value, vector = np.linalg.eigh(np.cov(columns.T) / replicates - noise.mean(axis=0) / draws)
    return _Nested(means, (replicates, half, half), noise, vector * np.sqrt(np.maximum(value, 0.0)))


def _freed(means: Floats, noise: Floats, weights: Floats) -> Floats:
    """Return draws ``(n, A)`` with the covariance that they would have without their noise, of covariance ``(A, A)``; see at the top."""
    total = weights.sum()
    centre = weights @ means / total
    apart = means - centre
    value, vector = np.linalg.eigh((apart * weights[:, None]).T @ apart / (total - 1.0))
    use = value > 1e-12 * max(value[-1], 0.0)
    root = np.sqrt(value[use])
    whiten, colour = vector[:, use] / root, vector[:, use] * root
    reliable, turn = np.linalg.eigh(np.eye(len(root)) - whiten.T @ noise @ whiten)
    pull = (turn * np.sqrt(np.clip(reliable, 0.0, 1.0))) @ turn.T
    return np.asarray(centre + apart @ (whiten @ pull @ colour.T))


def _extrapolated(nested: _Nested, statistic: Function, weights: Floats, shift: Floats) -> Floats:
    """Return a statistic, of draws ``(n, A)`` and weights ``(n,)``, of draws without noise, its bias in 1 / R extrapolated from halves."""
    noise, (whole, half, _) = np.tensordot(weights, nested.noise, 1) / weights.sum(), nested.sizes
    pairs = zip(nested.means, nested.sizes, strict=True)
    each = [statistic(_freed(means, noise * (whole / size), weights) + shift, weights) for means, size in pairs]
    return np.asarray((whole * each[0] - half * (each[1] + each[2]) / 2.0) / (whole - half))


def _with_error(estimate: Function, nested: _Nested, seed: int) -> tuple[Floats, Floats]:
    """Return an estimate, of weights ``(n,)`` and a shift of all draws ``(A,)``, and its standard error, over resamples and shared luck."""
    rng, (draws, arms) = np.random.default_rng([seed, 2]), nested.means[0].shape
    weights = rng.multinomial(draws, np.full(draws, 1.0 / draws), RESAMPLES).astype(float)
    again = [estimate(one, nested.shared @ rng.standard_normal(arms)) for one in weights]
    return estimate(np.ones(draws), np.zeros(arms)), np.asarray(np.std(again, axis=0, ddof=1))


def _perfect(draws: Floats, weights: Floats) -> Floats:
    """Return ``E max - max E`` over draws ``(n, A)``."""
    return np.asarray((weights @ draws.max(axis=1) - (weights @ draws).max()) / weights.sum())


def _shares(draws: Floats, weights: Floats) -> Floats:
    """Return the share of draws ``(n, A)`` in which each arm is largest ``(A,)``; those alike share."""
    top = draws >= draws.max(axis=1, keepdims=True) - ROUNDING * np.ptp(draws)
    return np.asarray(weights @ (top / top.sum(axis=1, keepdims=True)) / weights.sum())


def _basis(known: Floats) -> Floats:
    """Return the columns on which net is regressed ``(draws, p)``, the first of them 1, from those of a group ``(draws, q)``.

    Natural cubic splines of each parameter (Harrell 2015, 2.4.5), made orthonormal from the linear term on, and products of two
    parameters' terms of degrees that sum to 4 or less; to 2 where q is above 3. A column of degree j is divided by j**2, so that one
    penalty bears harder on rough terms. Parameters that do not vary have no column.
    """
    draws, columns, splines = len(known), [np.ones(len(known))], list[list[Floats]]()
    for x in known.T:
        if np.ptp(x) <= 1e-12 * np.abs(x).max():
            continue
        z = (x - x.mean()) / x.std()
        knots = np.unique(np.quantile(z, KNOTS))
        cubes = np.maximum(z[:, None] - knots, 0.0) ** 3
        terms = [np.ones(draws), z]
        for j in range(len(knots) - 2):
            far, near = knots[-1] - knots[j], knots[-2] - knots[j]
            terms.append(cubes[:, j] - (cubes[:, -2] * far - cubes[:, -1] * near) / (knots[-1] - knots[-2]))
        span = list[Floats]()
        for term in terms:
            rest = term
            for _ in range(2):  # once more for rounding
                rest = rest - sum((one * (one @ rest) for one in span), np.zeros(draws)) / draws
            size = np.linalg.norm(rest)
            if size > 1e-6 * np.linalg.norm(term):
                span.append(rest * (draws**0.5 / size))
        splines.append(span[1:])
        columns += [term / (j + 1) ** 2 for j, term in enumerate(splines[-1])]
    most = 4 if len(splines) <= 3 else 2
    for one, two in combinations(splines, 2):
        pairs = [(i, j) for i in range(len(one)) for j in range(len(two)) if i + j + 2 <= most]
        columns += [one[i] * two[j] / (i + j + 2) ** 2 for i, j in pairs]
    return np.stack(columns, axis=1)


def _fitted(net: Floats, basis: Floats, weights: Floats, folds: Sequence[NDArray[np.intp]] = ()) -> Floats:
    """Return a ridge regression of net ``(n, A)`` on a basis ``(n, p)``, less that of one arm: each fold by the others, or all by all.

    Each arm has a penalty of its own, on its difference from the arm with the largest mean.
    """
    gain = net - net[:, [int((weights @ net).argmax())]]
    weighted, parts = basis * weights[:, None], folds or [np.arange(len(net))]
    gram = np.stack([weighted[part].T @ basis[part] for part in parts])
    cross = np.stack([weighted[part].T @ gain[part] for part in parts])
    penalty = _penalties(gram.sum(axis=0), cross.sum(axis=0), weights @ gain**2)
    if folds:
        gram, cross = gram.sum(axis=0) - gram, cross.sum(axis=0) - cross
    fitted, ridge = np.zeros(net.shape), gram[:, :1, :1] * np.diag(np.append(0.0, np.ones(basis.shape[1] - 1)))
    for arm, size in enumerate(penalty):
        beta = np.linalg.solve(gram + size * ridge, cross[:, :, [arm]])[:, :, 0]
        for part, one in zip(parts, beta, strict=True):
            fitted[part, arm] = basis[part] @ one
    return fitted


def _penalties(gram: Floats, cross: Floats, square: Floats) -> Floats:
    """Return the ridge penalty of each target by generalised cross-validation (Golub, Heath and Wahba 1979), from sums of products."""
    total, centre, mean = gram[0, 0], gram[0, 1:] / gram[0, 0], cross[0] / gram[0, 0]
    value, vector = np.linalg.eigh(gram[1:, 1:] / total - np.outer(centre, centre))
    value = np.maximum(value, 0.0)
    along = (vector.T @ (cross[1:] / total - np.outer(centre, mean))) ** 2  # (p, targets)
    shrunk = value + PENALTIES[:, None]
    rest = square / total - mean**2 - ((value + 2.0 * PENALTIES[:, None]) / shrunk**2) @ along
    freedom = 1.0 - CAUTION * (1.0 + (value / shrunk).sum(axis=1)) / total
    score = np.where(freedom[:, None] > 0.0, rest / np.maximum(freedom, 1e-9)[:, None] ** 2, np.inf)
    return np.asarray(PENALTIES[score.argmin(axis=0)])
