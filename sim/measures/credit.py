"""A customer's credit, as the firm sees it: drawn for those followed, at an address of its own. Nothing else depends on it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.kernels.maths import normal
from sim.kernels.philox import philox
from sim.kernels.types import BLOCK_CREDIT, BLOCK_GIFTS, BLOCK_TRAITS, TRAIT_PERIOD, Array
from sim.measures.followed import Followed
from sim.measures.sums import Floats
from sim.scenario.customers import TRAITS


def credit(followed: Followed) -> Floats:
    """Return the credit of each customer of the panel ``(n,)``; NaN where the scenario has none.

    Its normal score is b z + sqrt(1 - b b) e, with z the independent normals that traits are mixed from by their factor L, and b = L^-1 r
    of its correlations r with them: a Gaussian copula of credit and traits.
    """
    how, panel = followed.sample.scenario.credit, followed.panel
    if how is None:
        return np.full(panel.cell.size, np.nan)
    identity = followed.tables.address[panel.cell] | panel.serial.astype(np.uint64)
    drawn = [_normals(identity, block, followed.tables.key) for block in (BLOCK_TRAITS, BLOCK_GIFTS)]
    independent = [*drawn[0][:3], *drawn[1][:3]]
    given = [how.correlations.get(trait, 0.0) for trait in TRAITS]
    b = np.linalg.solve(followed.tables.mixing[0].astype(np.float64), np.array(given))
    score = np.sqrt(1.0 - sum(float(x) ** 2 for x in b)) * _normals(identity, BLOCK_CREDIT, followed.tables.key)[0]
    for loading, z in zip(b, independent, strict=True):
        score += loading * z
    return np.asarray(how.mean + how.sd * score)


def _normals(identity: Array, purpose: int, key: Array) -> list[Floats]:
    """Return the normals of the four words of a trait block, ``(n,)`` each."""
    plain: Any = philox
    block: Callable[..., tuple[Array, ...]] = getattr(plain, "py_func", plain)  # on arrays; the kernels' own is on numbers
    zero = np.zeros_like(identity)
    place = zero + np.uint64(TRAIT_PERIOD << 16 | purpose)
    words = block(identity & np.uint64(0xFFFFFFFF), identity >> np.uint64(32), zero, place, key[0], key[1])
    found = []
    for word in words:
        u, v, out = (np.zeros(identity.size, np.float32) for _ in range(3))
        normal(word.astype(np.uint32), u, v, out, identity.size)
        found.append(out.astype(np.float64))
    return found
