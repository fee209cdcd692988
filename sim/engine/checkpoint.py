"""A long run in steps, each kept on disk: killed at any moment, it goes on where the last one ended, to the same last bit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.engine.run import Outcome
from sim.kernels.types import Kept, Tally
from sim.parts import Parts

ENDING = ".npz"

FIRST_STEP = 131_072
"""Customers of the first step; later ones are as many as take a second."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is kept under way. parts: the folder; key: a name for all that its numbers depend on."""

    parts: Parts
    key: str

    def load(self) -> Outcome | None:
        """Return what was done of this run, None where nothing was."""
        for path in reversed(self.parts.found(ENDING)):
            if path.name.startswith(f"{self.key}-"):
                return _read(path)
        return None

    def save(self, outcome: Outcome) -> None:
        """Keep an outcome in place of the last one."""
        self.parts.last(self.key, ENDING, lambda path: _write(path, outcome))

    def done(self) -> None:
        """Forget the run, which is whole."""
        self.parts.drop(self.key, ENDING)


def _write(path: Path, outcome: Outcome) -> None:
    fields = {f"tally_{name}": values for name, values in outcome.tally._asdict().items()}
    if outcome.kept is not None:
        fields |= {f"kept_{name}": values for name, values in outcome.kept._asdict().items()}
    fields["sampled"] = np.array(outcome.sampled, np.int64)
    fields["time"] = np.array([outcome.threads, outcome.seconds])
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **fields)


def _read(path: Path) -> Outcome:
    with np.load(path) as held:
        tally = Tally(*(held[f"tally_{name}"] for name in Tally._fields))
        kept = Kept(*(held[f"kept_{name}"] for name in Kept._fields)) if "kept_clv" in held else None
        threads, seconds = held["time"].tolist()
        return Outcome(tuple(held["sampled"].tolist()), tally, kept, int(threads), seconds)


def in_steps(
    checkpoint: Checkpoint | None,
    before: Outcome | None,
    ends: tuple[int, int],
    replicates: int,
    go_on: Callable[[int, Outcome | None], Outcome],
) -> Outcome:
    """Return the outcome of a run that begins with an earlier one, kept every second or so, if anywhere.

    ends: new customers done in each replicate, and those to be done in all; go_on: simulates up to a number of them, given what there is.
    """
    if checkpoint is None:
        return go_on(ends[1], before)
    for upto in _stops(*ends, max(FIRST_STEP // replicates, 1)):
        before = go_on(upto, before)
        if upto < ends[1]:
            checkpoint.save(before)
    assert before is not None
    return before


def _stops(done: int, customers: int, step: int) -> Iterator[int]:
    """Yield the numbers of customers to stop at: about a second's work between two of them, the first after ``step``."""
    least = max(step // 8, 1)
    while True:
        started, before = time.perf_counter(), done
        done = min(done + step, customers)
        yield done
        if done >= customers:
            return
        seconds = max(time.perf_counter() - started, 1e-3)
        step = max(least, min(4 * step, int((done - before) / seconds)))
