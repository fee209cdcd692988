"""Scenario → Tables: probabilities to hazards and thresholds, lists by age to rows, distributions to quantile tables."""

from sim.compile.tables import compile_tables

__all__ = ["compile_tables"]
