"""What a scenario says: frozen pydantic models, one small file a concept, and the one gate for bad input."""

from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.gate import read
from sim.scenario.model import Scenario

__all__ = ["Fault", "Scenario", "ScenarioError", "read"]
