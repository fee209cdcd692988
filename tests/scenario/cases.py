"""A small sound scenario as a raw mapping, and ways to spoil it."""

from copy import deepcopy
from typing import Any

SOUND: dict[str, Any] = {
    "period": "month",
    "horizon": 12,
    "start": "trial",
    "stages": {
        "trial": {"to": {"member": {"probability": 0.3}, "lost": {"probability": [0.2, 0.1]}}},
        "member": {"rank": 3, "to": {"member": {"probability": 0.1}, "lost": {"hazard": 0.05}}},
        "lost": {"kind": "lost"},
    },
}


def sound(**changes: Any) -> dict[str, Any]:
    """Return the sound scenario with values at dotted paths (``__`` for the dot) set; None takes a key out."""
    raw = deepcopy(SOUND)
    for path, value in changes.items():
        *above, last = path.split("__")
        here = raw
        for key in above:
            here = here.setdefault(key, {})
        if value is None:
            here.pop(last)
        else:
            here[last] = deepcopy(value)
    return raw
