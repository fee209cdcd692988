"""Tables → Tally: who is simulated, in which pieces, on how many threads."""

from sim.engine.panel import Panel, follow
from sim.engine.run import Outcome, run
from sim.engine.waves import run_waves

__all__ = ["Outcome", "Panel", "follow", "run", "run_waves"]
