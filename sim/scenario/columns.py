"""The columns of a table of existing customers in SQL: how each is read, and the rule that its values keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.scenario.base import MAX_HORIZON, MOST_MONEY

if TYPE_CHECKING:
    from sim.scenario.model import Scenario

COLUMNS = ("id", "stage", "age", "tenure", "level", "segment", "wallet", "x", "t_x", "T")

PAST = ("x", "t_x", "T")
"""Past orders, when the last of them was placed, and the time since acquisition, as models of buying call them."""


def quoted(value: str) -> str:
    """Return text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def plain(column: str) -> str:
    """Return a value as text without blanks around it; so it is read as text, and DuckDB does not give up at what is no number."""
    return f"trim(CAST({column} AS VARCHAR))"


def number(column: str) -> str:
    """Return a value as a number, NULL where it is none."""
    return f"TRY_CAST({plain(column)} AS DOUBLE)"


@dataclass(frozen=True)
class Column:
    """A column in SQL.

    value: what is read, as its type; good: the condition that a row fulfils; rule: what holds, in words; choices: ids it is one of.
    """

    name: str
    value: str
    good: str
    rule: str
    choices: tuple[str, ...] = ()


def choice(name: str, allowed: Sequence[str], every: Sequence[str], scenario: "Scenario") -> Column:
    """Return a column of one of several ids, read as its place among all of them."""
    listed = ", ".join(map(quoted, allowed))
    place = f"list_position([{', '.join(map(quoted, every))}], {plain(name)})"
    rule = f"must be one of the {name}s" if name == "segment" else "must be a stage that is not lost"
    if name == "stage" and len(allowed) < sum(stage.kind != "lost" for stage in scenario.stages.values()):
        rule = "must be an active stage, for customers start active here"
    good = f"coalesce({plain(name)} IN ({listed}), false)"
    return Column(name, f"CAST({place} - 1 AS UTINYINT)", good, rule, tuple(allowed))


def whole(name: str, what: str = "a whole number of periods") -> Column:
    """Return a column of whole numbers of periods, or of what else is counted."""
    found = number(name)
    good = f"coalesce({found} >= 0 AND {found} <= {MAX_HORIZON} AND {found} = floor({found}), false)"
    return Column(name, f"CAST({found} AS USMALLINT)", good, f"must be {what} from 0 to {MAX_HORIZON:,}")


def amount(name: str, most: float, rule: str) -> Column:
    """Return a column of numbers that may be left blank where they are not known."""
    found = number(name)
    good = f"(coalesce({plain(name)}, '') = '' OR coalesce({found} >= 0 AND {found} <= {most!r}, false))"
    return Column(name, f"coalesce(CAST({found} AS FLOAT), CAST('NaN' AS FLOAT))", good, f"{rule}, or blank")


def time(name: str) -> Column:
    """Return a column of times in periods, to fractions of them."""
    found = number(name)
    good = f"coalesce({found} >= 0 AND {found} <= {MAX_HORIZON}, false)"
    return Column(name, f"CAST({found} AS FLOAT)", good, f"must be from 0 to {MAX_HORIZON:,} periods")


def wallet() -> Column:
    """Return the column of a customer's own mean wallet or order value."""
    return amount("wallet", MOST_MONEY, f"must be from 0 to {MOST_MONEY:g}")


def together(given: Sequence[str], past: bool) -> list[Column]:
    """Return what must hold between columns; past: those of past orders are read."""

    def rule(name: str, holds: str, said: str) -> Column:
        return Column(name, "", f"coalesce({holds}, true)", said)

    found = []
    if {"age", "tenure"} <= set(given):
        found.append(rule("tenure", f"{number('tenure')} >= {number('age')}", "must not be below the age in the stage"))
    if past:
        found.append(rule("t_x", f"{number('t_x')} <= {number('T')}", "must not be above T"))
        found.append(rule("t_x", f"({number('t_x')} = 0) = ({number('x')} = 0)", "must be 0 where x is 0, and only there"))
        both = [name for name in ("age", "tenure") if name in given]
        found += [rule(name, f"{number(name)} = floor({number('T')})", "must be the whole periods of T, or left out") for name in both]
    return found
