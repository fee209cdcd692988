"""What studies show of themselves: the answer when they are printed, and its table in a notebook."""

from typing import TYPE_CHECKING, cast

from sim.scenario.shown import table

if TYPE_CHECKING:
    from sim.studies.study_folder import Found

SHOWN = 10
"""Rows of a table that a notebook shows."""


class Answered:
    """A study that tells what it found: printed in sentences, in a notebook with the first rows of its first table."""

    def __str__(self) -> str:
        return "\n".join([repr(self)[1:-1], *self._told()])

    def _repr_html_(self) -> str:
        (name, frame), *others = cast("Found", self).tables().items()
        rows = [[f"{one:,.5g}" if isinstance(one, float) else str(one) for one in row] for row in frame.head(SHOWN).itertuples(index=False)]
        answer, *notes = self._told()
        more = f"The first {SHOWN} of {len(frame):,} rows of tables()['{name}']." if len(frame) > SHOWN else f"tables()['{name}']."
        beside = [f"Also {', '.join(other for other, _ in others)}."] if others else []
        return table(f"{repr(self)[1:-1]}. {answer}", tuple(map(str, frame)), rows, " ".join([*notes, more, *beside]))

    def _told(self) -> list[str]:
        from sim.studies.study_folder import reporting

        found = cast("Found", self)
        told = reporting(found)
        return [told.answer(found), *told.notes(found)]
