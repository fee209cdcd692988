"""What customers do beside buying, as numbers: contacts that they start, products that they add."""

import math

import numpy as np

from sim.compile.layout import Layout
from sim.kernels.types import UNIT, Array
from sim.scenario import Scenario
from sim.scenario.base import at


def activity(scenario: Scenario, rows: Layout) -> dict[str, Array]:
    """Return contacts and products by row."""
    stages, sold, by_row = list(scenario.stages.values()), scenario.products, rows.by_row
    contacts = by_row(lambda s, age: at(stages[s].contacts, age))
    return {
        "contacting": np.array(contacts.any(), np.uint32),
        "contacts": contacts,
        "contact_units": by_row(lambda s, age: at(stages[s].information_per_contact, age)) * UNIT * (contacts > 0),
        "selling": np.array(sold is not None, np.uint32),
        "cross_sell": by_row(lambda s, age: at(stages[s].cross_sell, age) if sold else 0.0).astype(np.float32),
        "products": np.array([sold.worth, sold.maximum] if sold else [0.0, 1.0]),
    }


def most_contacts(means: Array) -> float:
    """Return the most contacts of a period that a 32-bit uniform leads to."""
    mean = float(means.max())
    return mean + 12.0 * math.sqrt(mean) + 40.0
