"""Tables → Tally: who is simulated, in which pieces, on how many threads."""

from sim.engine.run import Outcome, run

__all__ = ["Outcome", "run"]
