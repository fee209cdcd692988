"""A small sound scenario as a raw mapping, and ways to spoil it."""

from copy import deepcopy
from typing import Any

import pytest

from sim.scenario import ScenarioError, read

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


def assert_refused(said: str, **changes: Any) -> None:
    """Assert that the sound scenario with these changes is refused by one line that begins like this."""
    with pytest.raises(ScenarioError) as caught:
        read(sound(**changes))
    lines = str(caught.value).splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(said)
