"""What a customer brings in a period times how long it stays, against what customers bring: the gap is the covariance of the two."""

import numpy as np
import pandas as pd

from sim.measures.followed import Followed


def arpu_tenure(followed: Followed) -> pd.DataFrame:
    """Return ARPU times tenure beside the mean product.

    Columns: by (all, segment, cohort, base), id, customers (of the panel, once active), arpu (mean over customers of their cash per period
    in an active stage, before acquisition cost, not discounted), arpu_se, tenure (mean periods in active stages), tenure_se, product
    (arpu x tenure), value (mean cash of a life), value_se, gap (value - product: the covariance of a customer's own two), gap_se,
    ratio (value / product; NaN where the product is not above 0).
    """
    periods = followed.active[:-1].sum(axis=0).astype(np.float64)
    once = periods > 0
    value = np.cumsum(followed.cash, axis=0)[-1]
    own = np.where(once, value / np.where(once, periods, 1.0), 0.0)
    parts = {name: followed.sums(values, once) for name, values in (("arpu", own), ("tenure", periods), ("value", value))}
    rows = []
    for group in followed.sample.groups:
        found = {name: followed.mean(sums, group) for name, sums in parts.items()}
        arpu, tenure, total = (float(found[name][0]) for name in ("arpu", "tenure", "value"))
        # the covariance's error is that of the mean of the product of deviations
        _, error, customers = followed.mean(followed.sums((own - arpu) * (periods - tenure), once), group)
        row = {"by": group.by, "id": group.id, "customers": int(customers), "arpu": arpu, "arpu_se": float(found["arpu"][1])}
        row |= {"tenure": tenure, "tenure_se": float(found["tenure"][1]), "product": arpu * tenure, "value": total}
        row |= {"value_se": float(found["value"][1]), "gap": total - arpu * tenure, "gap_se": float(error)}
        rows.append(row | {"ratio": total / (arpu * tenure) if arpu * tenure > 0 else float("nan")})
    return pd.DataFrame(rows)
