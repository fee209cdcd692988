"""Life patterns: which ranks of the relationship a life reached, and how long it stayed in the highest."""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, Chain, Flags, Floats, Index, Leaving, gathering, leaving
from sim.exact.market import changing, hazard_factors
from sim.exact.traits import Nodes
from sim.scenario.model import Scenario

PATTERNS = ("unconverted", "early_lapse", "midway_lapse", "early_retreat", "long_lasting", "open")
UNCONVERTED, EARLY, MIDWAY, RETREAT, LONG, OPEN = range(6)
TOP = 3  # the rank called stability
ROOM = 32_000  # numbers in the largest arrays of a period: far larger ones are fetched anew each time, which takes longer than the sums


@dataclass(frozen=True)
class Classes:
    """Histories, as classes c: 0, 1, 2 the highest rank so far; 3 + n: rank 3 with n periods there, of which the last is enough.

    count: of classes; top: (r,) rows in rank 3; entry: (r,) lowest class there; kinds as in ``Chain``; chain: for its rows.
    """

    count: int
    top: Flags
    entry: Index
    never: Flags
    lost: Flags
    start: int

    @classmethod
    def build(cls, scenario: Scenario, chain: Chain) -> "Classes":
        """Return the classes that matter: no counting beyond the horizon, nor where rank 3 is out of reach."""
        entry = chain.rank[chain.stage]
        top = entry == TOP
        enough = scenario.long_lasting_periods
        if scenario.horizon != "inf":
            enough = min(enough, scenario.horizon + 1)
        return cls(
            enough + TOP + 1 if top.any() else TOP + 1,
            top,
            entry,
            chain.phase == NEVER_ACTIVE,
            chain.of_kind("lost"),
            chain.start,
        )

    def first(self, phases: int, nodes: int) -> Floats:
        """Return everybody at the start, (r, c, p, n)."""
        lives = np.zeros((len(self.top), self.count, phases, nodes))
        lives[self.start, self.entry[self.start]] = 1.0
        return lives

    def held(self, lives: Floats) -> Floats:
        """Count the period that those in rank 3 spend there."""
        if not self.top.any():
            return lives
        counted = lives.copy()
        counted[self.top, TOP + 1 :] = lives[self.top, TOP:-1]
        counted[self.top, -1] += lives[self.top, -1]
        counted[self.top, TOP] = 0.0
        return counted

    def fold(self, lives: Floats) -> Floats:
        """Lift those who have come to a row to its rank."""
        for rank in (1, 2, TOP):
            rows = self.entry == rank
            lives[rows, rank] += lives[rows, :rank].sum(1)
            lives[rows, :rank] = 0.0
        return lives

    def shares(self, lives: Floats) -> Floats:
        """Return the share of each pattern, (pattern, …), of lives (r, c, …)."""
        found = np.zeros((len(PATTERNS), *lives.shape[2:]))
        enough = self.count - 1 if self.top.any() else self.count
        lost, still = self.lost & ~self.never, ~self.lost & ~self.never
        found[UNCONVERTED] = lives[self.never].sum((0, 1))
        found[EARLY] = lives[lost, :2].sum((0, 1))
        found[MIDWAY] = lives[lost, 2].sum(0)
        found[RETREAT] = lives[lost, TOP:enough].sum((0, 1))
        found[LONG] = lives[lost | still, enough:].sum((0, 1))
        found[OPEN] = lives[still, :enough].sum((0, 1))
        return found


def patterns(scenario: Scenario, chain: Chain, nodes: Nodes, phases: Floats) -> Floats:
    """Return the share of each pattern at a finite horizon, (pattern, p or 1), by the coarse rule: shares need no more nodes."""
    classes = Classes.build(scenario, chain)
    changes, factors = changing(scenario, chain), hazard_factors(scenario, chain)
    arrivals = phases if changes else phases[:1]
    gathered, nodes = gathering(chain.dst, chain.rows), nodes.part(nodes.coarse > 0)
    found = np.zeros((len(PATTERNS), len(arrivals)))
    size = max(1, ROOM // (len(chain.src) * classes.count * len(arrivals)))
    for k in range(0, len(nodes.weights), size):
        some = nodes.part(slice(k, k + size))
        lives = classes.first(len(arrivals), len(some.weights))
        gone: Leaving | None = None
        for t in range(int(scenario.horizon)):
            if gone is None or changes:
                gone = leaving(chain, some, factors(arrivals + t), until_exit=False)
                chances = gone.pairs[:, None]
            lives = classes.fold(gathered(classes.held(lives)[chain.src] * chances))
        found += classes.shares(lives @ some.coarse)
    return found
