"""Tables → Tally: who is simulated, in which pieces, on how many threads."""

from sim.engine.checkpoint import Checkpoint, in_steps
from sim.engine.learning import Learner
from sim.engine.panel import Panel, follow
from sim.engine.rationed import refuse_beside, run_rationed
from sim.engine.reach import rations
from sim.engine.run import Outcome, run
from sim.engine.seen import Candidates, Judge, Judges
from sim.engine.shards import in_shards
from sim.engine.waves import run_waves

__all__ = [
    "Candidates",
    "Checkpoint",
    "Judge",
    "Judges",
    "Learner",
    "Outcome",
    "Panel",
    "follow",
    "in_shards",
    "in_steps",
    "rations",
    "refuse_beside",
    "run",
    "run_rationed",
    "run_waves",
]
