"""Which parameters move the outcome: Sobol indices, Morris screening and tornado, as points of the unit cube and what their runs say.

The caller turns points (rows) into parameters and runs each on the same R replicates, that is on the same luck: ``values``, (rows, R), hold
the mean of each replicate of each row. Luck shared by all rows of a replicate cancels in differences D_r between two rows; what luck these
still have shows in their variance over replicates, s2. As E[mean(D)**2] = d**2 + var(D) / R, estimates are built of mean(D)**2 - s2 / R,
right on average for any R of 2 or more and any dependence between rows. With R = 1 luck counts as an effect of every parameter.

**Sobol** (Saltelli et al. 2010, Computer Physics Communications 181(2), table 2, designs A, B and AB_i, that is A with the columns of group
i from B; Jansen 1999, Computer Physics Communications 117(1-2)). With f the expected outcome and V its variance over the cube,

    total_i = mean over j of (f(A)_j - f(AB_i)_j)**2 / (2 V),    first_i = 1 - mean over j of (f(B)_j - f(AB_i)_j)**2 / (2 V).

**Intervals** allow for the design (which points) and for luck (which replicates), two crossed samples. To draw rows alone anew misses luck
that moves many rows alike; replicates alone miss the design; both at once count luck of single rows up to three times in a mean, more in
squares, which no such bootstrap avoids (Owen 2007, Annals of Applied Statistics 1(2)). So variances are added by inclusion and exclusion,

    rows + replicates - cells    (Cameron, Gelbach and Miller 2011, Journal of Business & Economic Statistics 29(2), section 2),

each from influences, derivatives of an index by the weight of a row, a replicate or a cell (infinitesimal jackknife; Efron 1982, The
jackknife, the bootstrap and other resampling plans, chapter 6). They hold at once: half widths are t quantiles at the common error at which
the largest |t| of normal draws with the indices' correlation stays inside, the multiplier bootstrap of Chernozhukov, Chetverikov and Kato
(2013, Annals of Statistics 41(6)). Rows count as independent; those of a scrambled Sobol sequence are more even, so that intervals tend to
be too wide for smooth outcomes. They are too narrow below some 256 rows of A, and where few replicates have much luck in common.
"""

import importlib
import math
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.scenario.errors import Fault, ScenarioError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Groups = tuple[tuple[int, ...], ...]

LEAST = 8  # rows of A: with fewer, nothing can be said of how sure an index is
DRAWS = 50_000  # behind the quantile of the largest |t|
ROUNDING = 1e-12  # what is no more than this, as a share of the largest outcome or of variance, is none
STILL = "the outcome does not vary"
UNSURE = "cannot be told from zero"


def alone(k: int) -> Groups:
    """Return the groups of k columns each of which moves by itself."""
    return tuple((column,) for column in range(k))


def _columns(groups: Groups) -> int:
    """Return how many columns groups hold; raise ScenarioError unless each of 0 … k - 1 is in one of them."""
    columns = sorted(column for group in groups for column in group)
    if not all(groups) or not columns or columns != list(range(len(columns))):
        raise ScenarioError([Fault("groups", str(groups), "every column from 0 on in one group, and no group empty")])
    return len(columns)


def _checked(values: ArrayLike, rows: int, names: Sequence[str], level: float = 0.95) -> Floats:
    """Return values as floats; raise ScenarioError unless they are finite, (rows, 1 or more), names differ and level is within (0, 1)."""
    found = np.asarray(values, float)
    faults = [] if 0.0 < level < 1.0 else [Fault("level", f"{level:g}", "above 0 and below 1")]
    if not names or len(set(names)) != len(names):
        faults.append(Fault("names", ", ".join(names), "one or more, all different"))
    if found.ndim != 2 or len(found) != rows or not found.shape[1]:
        faults.append(Fault("values", str(found.shape), f"{rows} rows by 1 or more replicates"))
    if not np.isfinite(found).all():
        faults.append(Fault("values", "", "finite numbers"))
    if faults:
        raise ScenarioError(faults)
    return found


def saltelli(n: int, groups: Groups, seed: int) -> Floats:
    """Return the points at which to run for Sobol indices, from one scrambled Sobol sequence of 2 k dimensions.

    Parameters
    ----------
    n
        Rows of A, a power of two of 8 or more.
    groups
        Columns that move together, such as correlated parameters, G groups of the k columns; ``alone(k)`` where each moves by itself.
    seed
        Of the scrambling. With the same seed, A, B and each AB_i of n are the first rows of those of 2 n.

    Returns
    -------
    ndarray
        ((G + 2) n, k), in [0, 1): the rows of A, of B, then of AB_1 … AB_G. Raises ScenarioError where an argument is not as said.
    """
    from scipy.stats import qmc

    k = _columns(groups)
    if n < LEAST or n & (n - 1):
        raise ScenarioError([Fault("n", str(n), f"a power of two, {LEAST} or more")])
    drawn = qmc.Sobol(2 * k, scramble=True, rng=seed).random_base2(n.bit_length() - 1)
    a, b = drawn[:, :k], drawn[:, k:]
    mixed = np.repeat(a[None], len(groups), axis=0)
    for g, group in enumerate(groups):
        mixed[g][:, list(group)] = b[:, list(group)]
    return np.concatenate([a, b, mixed.reshape(-1, k)])


class Part(NamedTuple):
    """An estimate that is a mean over rows, and what moves it. rows: (…, n), their mean is the estimate; cells: (…, n, R) influences."""

    rows: Floats
    cells: Floats


class Spread(NamedTuple):
    """How much the outcome varies over the cube, in its unit squared.

    variance: that of the expected outcome, luck taken out, below 0 only by chance; noise: what luck adds to the variance between means of
    rows; share: noise as a share of that variance. With one replicate nothing is taken out, and noise and share are NaN.
    """

    variance: float
    noise: float
    share: float


def _noise(cells: Floats) -> Floats:
    """Return the variance of the mean over replicates, (…), from centred values (…, R); 0 for one replicate."""
    count = cells.shape[-1]
    return np.asarray(np.einsum("...r,...r->...", cells, cells) / max(count * (count - 1), 1), float)


def _squares(gaps: Floats) -> Part:
    """Return half the mean square of expected differences from the differences found, (…, n, R)."""
    mean = gaps.mean(axis=-1)
    cells = gaps - mean[..., None]
    return Part((mean**2 - _noise(cells)) / 2.0, mean[..., None] * cells)


def _variance(ab: Floats) -> tuple[Part, float]:
    """Return the variance of the expected outcome between rows of A and B, and what luck adds, from (2, n, R)."""
    count = ab.shape[0] * ab.shape[1]
    gaps = ab - ab.mean(axis=(0, 1))  # by replicate: comes to the same as half the mean square over pairs of rows, each less its noise
    mean = gaps.mean(axis=2)
    cells = gaps - mean[:, :, None]
    noise, bessel = _noise(cells), count / (count - 1)
    found = Part(bessel * (mean**2 - noise).mean(axis=0), 2.0 * bessel * (mean[:, :, None] * cells).mean(axis=0))
    return found, bessel * float(noise.mean())


def _parts(values: ArrayLike, n: int, names: Sequence[str], level: float = 0.95) -> Floats:
    """Return values as (G + 2, n, R)."""
    if n < LEAST:
        raise ScenarioError([Fault("n", str(n), f"{LEAST} or more")])
    return _checked(values, (len(names) + 2) * n, names, level).reshape(len(names) + 2, n, -1)


def spread(values: ArrayLike, n: int, names: Sequence[str]) -> Spread:
    """Return how much the outcome varies over the cube and how much of what is seen is luck; arguments and errors as in ``sobol``."""
    parts = _parts(values, n, names)
    part, noise = _variance(parts[:2])
    variance = float(part.rows.mean())
    if parts.shape[2] == 1:
        return Spread(variance, math.nan, math.nan)
    return Spread(variance, noise, min(noise / (variance + noise), 1.0) if variance + noise > 0.0 else 0.0)


def sobol(values: ArrayLike, n: int, names: Sequence[str], seed: int, level: float = 0.95) -> "pd.DataFrame":
    """Return first-order and total Sobol indices of each group, with simultaneous intervals; the estimators are in the module's text.

    Parameters
    ----------
    values, n
        Outcomes at the points of ``saltelli``, in their order, ((G + 2) n, R), a column a replicate; rows of A, 8 or more.
    names, seed
        Of the groups, G; of the draws behind the intervals' common quantile.
    level
        Chance that all that is told here holds at once: all intervals, and of those that matter how they do.

    Returns
    -------
    DataFrame
        A row a group: factor, first, first_low, first_high, total, total_low, total_high, told. Shares of the variance of the expected
        outcome; neither they nor the intervals are cut to [0, 1]. A group that matters does so mostly by itself where first is above half
        of total, mostly together with others where it is below, and just matters where that cannot be told. All NaN where that variance
        is not above 0: all rows are alike but for rounding, or the variance is within its own luck (at this level, its replicates taken
        for many). Raises ScenarioError where values have another shape or are not finite, names repeat, or n or level are out of range.
    """
    import pandas as pd

    parts = _parts(values, n, names, level)
    whole, count = _variance(parts[:2])[0], len(names)
    still = _still(parts, whole, level)
    found, half = np.full((2, 3 * count), math.nan) if still else _indices(parts, whole, level, seed)
    low, high = found - half, found + half
    single = "; luck is not taken out (one replicate)" if parts.shape[2] == 1 else ""
    told = [still or _told(low[i::count], high[i::count]) + single for i in range(count)]
    shown = {"": found, "_low": low, "_high": high}
    columns = {key + end: one[i * count :][:count] for i, key in enumerate(("first", "total")) for end, one in shown.items()}
    return pd.DataFrame({"factor": list(names), **columns, "told": told})


def _still(parts: Floats, whole: Part, level: float) -> str:
    """Return how the outcome fails to vary, "" where its variance is above rounding and above its luck, the design being given."""
    from scipy import special

    if np.ptp(parts.mean(axis=2)) <= ROUNDING * np.abs(parts).max():
        return STILL
    luck = math.sqrt(float(_noise(whole.cells.mean(axis=0))))
    varies = float(whole.rows.mean()) > special.ndtri((1.0 + level) / 2.0) * luck
    return "" if varies else f"{STILL}, as far as can be told from luck"


def _indices(parts: Floats, whole: Part, level: float, seed: int) -> tuple[Floats, Floats]:
    """Return first, total and first - total / 2 of each group, (3 G,), and half widths of their simultaneous intervals, (3 G,)."""
    a, b, mixed = parts[0], parts[1], parts[2:]
    count, variance = len(mixed), float(whole.rows.mean())
    both = [_squares(one - mixed) for one in (b, a)]
    ratio = np.concatenate([one.rows.mean(axis=1) for one in both]) / variance
    rows = np.concatenate([one.rows for one in both]) - ratio[:, None] * whole.rows
    cells = np.concatenate([one.cells for one in both]) - ratio[:, None, None] * whole.cells
    turn = np.kron(np.array([[-1.0, 0.0], [0.0, 1.0], [-1.0, -0.5]]), np.eye(count))
    found = turn @ ratio + np.repeat([1.0, 0.0, 1.0], count)  # first is 1 less its ratio
    return found, _half_widths(turn, Part(rows / variance, cells / variance), level, seed)


def _half_widths(turn: Floats, part: Part, level: float, seed: int) -> Floats:
    """Return half widths of simultaneous intervals of turn @ estimates, (m,), from the estimates' influences.

    Luck adds what replicates have beyond their cells, so only what rows share, and nothing where that is below 0. Degrees of freedom are
    Satterthwaite's (1946, Biometrics Bulletin 2(6)).
    """
    from scipy import special

    n, replicates = part.cells.shape[1:]
    pairs = max(replicates * (replicates - 1), 1)
    flat, mean = part.cells.reshape(len(part.cells), -1), part.cells.mean(axis=1)
    by_row = turn @ (part.rows @ part.rows.T) @ turn.T / (n * (n - 1))
    by_replicate = turn @ (mean @ mean.T) @ turn.T / pairs
    by_cell = turn @ (flat @ flat.T) @ turn.T / (n**2 * pairs)
    rows, luck = np.diag(by_row), np.maximum(np.diag(by_replicate - by_cell), 0.0)
    variance, use = rows + luck, rows + luck > 0.0
    both = (by_row + by_replicate)[np.ix_(use, use)]
    size, axes = np.linalg.eigh(both / np.sqrt(np.outer(np.diag(both), np.diag(both))))
    root = axes * np.sqrt(size * (size > ROUNDING)) @ axes.T  # the symmetric root, which rounding does not turn
    drawn = np.random.default_rng(seed).standard_normal((DRAWS, len(size))) @ root
    most = float(np.quantile(np.abs(drawn).max(axis=1, initial=0.0), level))
    free = variance[use] ** 2 / (rows[use] ** 2 / (n - 1) + luck[use] ** 2 / max(replicates - 1, 1))
    half = np.zeros(len(variance))
    half[use] = -special.stdtrit(free, special.ndtr(-most)) * np.sqrt(variance[use])
    return half


def _told(low: Floats, high: Floats) -> str:
    """Return what the intervals of first, total and first - total / 2 say, (3,)."""
    if low[1] <= ROUNDING:
        return UNSURE
    return "matters, mostly by itself" if low[2] > 0.0 else "matters, mostly together with others" if high[2] < 0.0 else "matters"


def _salib(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"SALib.{name}")
    except ModuleNotFoundError:
        raise ScenarioError([Fault("method", "morris", "needs SALib", "pip install 'clvsim[studies]'")]) from None


def _problem(groups: Groups) -> dict[str, object]:
    """Return groups as SALib wants them, each named by its place."""
    k = _columns(groups)
    place = {column: str(g) for g, group in enumerate(groups) for column in group}
    return {"num_vars": k, "names": [f"x{j}" for j in range(k)], "bounds": [[0.0, 1.0]] * k, "groups": [place[j] for j in range(k)]}


def morris_points(trajectories: int, groups: Groups, seed: int, levels: int = 4) -> Floats:
    """Return the points at which to run for Morris screening, by SALib (Morris 1991, Technometrics 33(2), section 3).

    Parameters
    ----------
    trajectories, groups, seed
        T, 2 or more, 10 to 50 are usual; G groups of the k columns, as in ``saltelli``; of the trajectories.
    levels
        Values of a column, even, 2 or more, from 0 to 1; a step is levels / (2 (levels - 1)) of the range.

    Returns
    -------
    ndarray
        (T (G + 1), k), in [0, 1]: one trajectory after the other, in each of which every group moves once. Raises ScenarioError where
        an argument is out of range or SALib is missing.
    """
    faults = [Fault("trajectories", str(trajectories), "2 or more")] if trajectories < 2 else []
    if levels < 2 or levels % 2:
        faults.append(Fault("levels", str(levels), "an even number, 2 or more"))
    if faults:
        raise ScenarioError(faults)
    return np.asarray(_salib("sample.morris").sample(_problem(groups), trajectories, num_levels=levels, seed=seed), float)


def _steps(points: Floats, groups: Groups) -> Floats:
    """Return the steps of each trajectory, (T, G, k); raise ScenarioError unless every group moves once in each."""
    if points.shape[1] == _columns(groups) and len(points) % (len(groups) + 1) == 0:
        steps = np.diff(points.reshape(-1, len(groups) + 1, points.shape[1]), axis=1)
        if all(((steps[:, :, column] != 0.0).sum(axis=1) == 1).all() for column in range(points.shape[1])):
            return steps
    raise ScenarioError([Fault("points", str(points.shape), f"those of morris_points for {len(groups)} groups")])


def morris(
    points: Floats, values: ArrayLike, names: Sequence[str], groups: Groups | None = None, seed: int = 0, level: float = 0.95
) -> "pd.DataFrame":
    """Return Morris's measures of each group, by SALib from the means over replicates (Campolongo et al. 2007 for mu_star and groups).

    Parameters
    ----------
    points, values
        Points of ``morris_points`` and outcomes there, (T (G + 1), R).
    names, groups
        Of the groups, G; as given to ``morris_points``, by default each column alone.
    seed, level
        Of the bootstrap over trajectories; chance that all intervals hold at once (by Bonferroni).

    Returns
    -------
    DataFrame
        A row a group: factor, mu (mean change of the outcome by the whole range of a factor; that of a group has little meaning), mu_star,
        mu_star_low, mu_star_high (mean absolute change), sigma (standard deviation of changes, NaN for a group of several), told. Luck
        makes mu_star larger: a group whose interval reaches down to what luck alone may give is not told from zero; with one replicate
        that counts as 0. Raises ScenarioError where shapes do not fit each other, a value is not finite, or SALib is missing.
    """
    import pandas as pd
    from scipy import special

    groups = alone(points.shape[1]) if groups is None else groups
    problem, found, steps = _problem(groups), _checked(values, len(points), names, level), _steps(points, groups)
    if len(names) != len(groups):
        raise ScenarioError([Fault("names", str(len(names)), f"as many as groups, {len(groups)}")])
    delta, error = float(np.abs(steps).max()), (1.0 - level) / len(names)
    given = {"conf_level": 1.0 - error, "num_levels": round(2.0 * delta / (2.0 * delta - 1.0)), "num_resamples": 1000, "seed": seed}
    said = _salib("analyze.morris").analyze(problem, points, found.mean(axis=1), **given)
    order = [list(said["names"]).index(str(g)) for g in range(len(groups))]
    mu, star, sigma, half = (np.asarray(said[key], float)[order] for key in ("mu", "mu_star", "sigma", "mu_star_conf"))
    gaps = np.diff(found.reshape(len(steps), len(groups) + 1, -1), axis=1)
    moved = np.stack([steps[:, :, group[0]] != 0.0 for group in groups])  # (G, T, G)
    luck = (moved * _noise(gaps - gaps.mean(axis=2, keepdims=True))).sum(axis=2) / delta**2  # (G, T) variance of each change
    floor = ROUNDING * np.abs(found).max() - special.stdtrit(max(found.shape[1] - 1, 1), error / 2.0) * np.sqrt(luck).mean(axis=1)
    own = np.sqrt(np.maximum(sigma**2 - luck.mean(axis=1), 0.0))
    told = [_told_morris(*one) for one in zip(star - half, star, own, floor, strict=True)]
    columns = {"factor": list(names), "mu": mu, "mu_star": star, "mu_star_low": star - half, "mu_star_high": star + half, "sigma": sigma}
    return pd.DataFrame(columns | {"told": told})


def _told_morris(low: float, star: float, sigma: float, floor: float) -> str:
    """Return what an interval's low end, mu_star, sigma and the most that luck alone may give say; sigma here without luck."""
    if low <= floor:
        return UNSURE
    how = "" if math.isnan(sigma) else ", nearly along a straight line" if sigma < 0.1 * star else ", bent or together with others"
    return f"matters{how}"


def tornado_points(k: int, low: float = 0.1, high: float = 0.9) -> Floats:
    """Return the points of a tornado, (1 + 2 k, k): the middle, then each column alone at low and at high, the others at 0.5.

    Raises ScenarioError unless k is 1 or more and 0 <= low < high <= 1.
    """
    if k < 1 or not 0.0 <= low < high <= 1.0:
        raise ScenarioError([Fault("low", f"{low:g}", f"from 0 to below high, {high:g}, which is at most 1, and a column or more")])
    points = np.full((1 + 2 * k, k), 0.5)
    for column in range(k):
        points[1 + 2 * column : 3 + 2 * column, column] = low, high
    return points


def tornado(values: ArrayLike, names: Sequence[str]) -> "pd.DataFrame":
    """Return how far each factor alone moves the outcome from that in the middle.

    Parameters
    ----------
    values, names
        Outcomes at the points of ``tornado_points``, (1 + 2 k, R); of the factors, k.

    Returns
    -------
    DataFrame
        A row a factor, the largest swing first: factor, low, high (outcome there), low_change, low_change_se, high_change, high_change_se
        (less that in the middle, paired by replicate, with standard errors: NaN for one replicate), swing (absolute high - low). Raises
        ScenarioError where values have another shape or are not finite, or names repeat.
    """
    import pandas as pd

    found = _checked(values, 1 + 2 * len(names), names)
    gaps = found[1:] - found[0]
    change = gaps.mean(axis=1)
    error = np.sqrt(_noise(gaps - change[:, None])) if found.shape[1] > 1 else np.full(len(gaps), math.nan)
    mean = found[1:].mean(axis=1)
    columns = {"factor": list(names), "low": mean[::2], "high": mean[1::2], "low_change": change[::2], "low_change_se": error[::2]}
    columns |= {"high_change": change[1::2], "high_change_se": error[1::2], "swing": np.abs(change[1::2] - change[::2])}
    return pd.DataFrame(columns).sort_values("swing", ascending=False, kind="stable", ignore_index=True)
