"""Tables of existing customers: what is read from them, and every way in which one cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.existing import template
from sim.scenario.sample import BASE_COHORT, cells, cohorts
from tests import base, zoo

LEVEL = {"target": 0.9, "speed": 0.3}
SCENARIO: dict[str, Any] = {
    "period": "month",
    "horizon": 6,
    "start": "new",
    "level": {"initial": 0.2},
    "stages": {
        "new": {"rank": 1, "level": LEVEL, "to": {"loyal": {"probability": 0.3}, "lost": {"probability": 0.2}}},
        "loyal": {"rank": 3, "level": LEVEL, "to": {"lost": {"probability": 0.1}}},
        "lost": {"kind": "lost"},
    },
    "segments": {"small": {"share": 0.75}, "large": {"share": 0.25}},
}


def reading(file: str | Path, **changes: Any) -> Scenario:
    return read({**SCENARIO, "base": {"file": str(file)}, **changes})


def faults(file: str | Path, **changes: Any) -> list[str]:
    """Return what is said of a table, without its name."""
    with pytest.raises(ScenarioError) as caught:
        reading(file, **changes)
    return [str(fault).replace(str(file), "FILE") for fault in caught.value.faults]


def written(folder: Path, text: str | bytes, name: str = "base.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


TEXT = "id,stage,age,tenure,level,segment,wallet\nß1,loyal,3,9,0.5,large,12.5\nb,new,0,0,,small,\n c ,new,2.0,2,1,large,0\n"


def test_a_table_is_read(tmp_path: Path) -> None:
    found = reading(written(tmp_path, TEXT)).existing
    assert found is not None
    assert found.segment.tolist() == [0, 1, 1]
    assert found.row.tolist() == [1, 0, 2]
    assert found.stage.tolist() == [0, 1, 0]
    assert (found.age.tolist(), found.tenure.tolist()) == ([0, 3, 2], [0, 9, 2])
    np.testing.assert_array_equal(found.level, np.array([np.nan, 0.5, 1.0], np.float32))
    np.testing.assert_array_equal(found.wallet, np.array([np.nan, 12.5, 0.0], np.float32))
    assert found.counts.tolist() == [[1, 0, 0], [1, 1, 0]]
    assert found.warnings == ()


@pytest.mark.parametrize("how", ["semicolons", "tabs", "byte order mark", "line ends", "quotes", "other columns", "parquet"])
def test_a_table_may_be_written_in_many_ways(tmp_path: Path, how: str) -> None:
    plain = reading(written(tmp_path, TEXT)).existing
    other = {
        "semicolons": TEXT.replace(",", ";"),
        "tabs": TEXT.replace(",", "\t"),
        "byte order mark": "\ufeff" + TEXT,
        "line ends": TEXT.replace("\n", "\r\n"),
        "quotes": TEXT.replace("ß1", '"1, ""x"""').replace("loyal", '"loyal"'),
        "other columns": "\n".join(f"{line},{k}" for k, line in enumerate(TEXT.splitlines())).replace(",0\n", ",city\n", 1) + "\n",
        "parquet": "",
    }[how]
    if how == "parquet":
        import duckdb

        path = tmp_path / "base.parquet"
        duckdb.connect().execute(f"COPY (SELECT * FROM read_csv('{tmp_path}/base.csv')) TO '{path}' (FORMAT parquet)")
    else:
        path = written(tmp_path, other, "other.csv")
    found = reading(path).existing
    assert plain is not None
    assert found is not None
    for name in ("segment", "row", "stage", "age", "tenure", "level", "wallet", "counts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name), name)


def test_columns_that_may_be_left_out(tmp_path: Path) -> None:
    found = reading(written(tmp_path, "id,stage,age\n1,new,4\n2,loyal,0\n"), segments={}).existing
    assert found is not None
    assert (found.tenure.tolist(), found.segment.tolist()) == ([4, 0], [0, 0])
    assert found.level.size == found.wallet.size == 0


ROW = "1,new,0,small"
PERIODS, MONEY = "must be a whole number of periods from 0 to 65,534", "must be from 0 to 1e+12, or blank"
BAD: dict[str, tuple[str, list[str]]] = {
    "unknown stage": (
        "id,stage,segment\n1,loial,small\n",
        ["FILE: row 1, stage: must be a stage that is not lost (got 'loial'); did you mean loyal?"],
    ),
    "lost stage": (
        "id,stage,segment\n1,lost,small\n",
        ["FILE: row 1, stage: must be a stage that is not lost (got 'lost'); choose from new, loyal"],
    ),
    "unknown segment": (
        "id,stage,segment\n1,new,smal\n",
        ["FILE: row 1, segment: must be one of the segments (got 'smal'); did you mean small?"],
    ),
    "no stage": ("id,Stage,segment\n1,new,small\n", ["FILE: stage: column is missing; rename 'Stage' to stage"]),
    "no id, no segment": ("name,stage\n1,new\n", ["FILE: id: column is missing", "FILE: segment: column is missing"]),
    "negative age": (f"id,stage,age,segment\n{ROW}\n2,new,-1,small\n", [f"FILE: row 2, age: {PERIODS} (got '-1')"]),
    "half an age": ("id,stage,age,segment\n1,new,1.5,small\n", [f"FILE: row 1, age: {PERIODS} (got '1.5')"]),
    "an age too high": ("id,stage,age,segment\n1,new,65535,small\n", [f"FILE: row 1, age: {PERIODS} (got '65535')"]),
    "age in words": ("id,stage,age,segment\n1,new,two,small\n", [f"FILE: row 1, age: {PERIODS} (got 'two')"]),
    "blank age": ("id,stage,age,segment\n1,new,,small\n", ["FILE: row 1, age: must be given"]),
    "NaN": (
        "id,stage,age,segment,wallet,level\n1,new,NaN,small,nan,NaN\n",
        [
            f"FILE: row 1, age: {PERIODS} (got 'NaN')",
            "FILE: row 1, level: must be from 0 to 1, or blank (got 'NaN')",
            f"FILE: row 1, wallet: {MONEY} (got 'nan')",
        ],
    ),
    "level above 1": ("id,stage,segment,level\n1,new,small,1.01\n", ["FILE: row 1, level: must be from 0 to 1, or blank (got '1.01')"]),
    "wallet without end": ("id,stage,segment,wallet\n1,new,small,inf\n", [f"FILE: row 1, wallet: {MONEY} (got 'inf')"]),
    "wallet in words": ("id,stage,segment,wallet\n1,new,small,12 EUR\n", [f"FILE: row 1, wallet: {MONEY} (got '12 EUR')"]),
    "tenure below age": (
        "id,stage,age,tenure,segment\n1,new,4,3,small\n",
        ["FILE: row 1, tenure: must not be below the age in the stage (got '3')"],
    ),
    "same id": (
        "id,stage,segment\na,new,small\nb,new,large\n a,loyal,small\n",
        ["FILE: row 3, id: must be unique, and row 1 has it too (got 'a')"],
    ),
    "blank id": ("id,stage,segment\n,new,small\n", ["FILE: row 1, id: must be given"]),
    "nothing": ("", ["FILE: is empty; begin with a line of column names: id,stage,age,tenure,level,segment,wallet"]),
    "header alone": ("id,stage,segment\n", ["FILE: holds no customers"]),
    "short row": ("id,stage,segment\n1,new,small\n2,new\n", ["FILE: line 3: must have a value for each of the 3 columns (got 2 values)"]),
    "long row": (
        "id,stage,segment\n1,new,small\n2,new,small,x\n",
        ["FILE: line 3: must have a value for each of the 3 columns (got 4 values)"],
    ),
    "two columns of a name": ("id,stage,segment,stage\n1,new,small,new\n", ["FILE: has two columns named 'stage'; leave one of them out"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables(tmp_path: Path, name: str) -> None:
    text, told = BAD[name]
    assert faults(written(tmp_path, text)) == told


def test_mixed_encodings(tmp_path: Path) -> None:
    text = "id,stage,segment\nMüller,new,small\n".encode() + "Müller,new,small\n".encode("latin-1")
    assert faults(written(tmp_path, text)) == ["FILE: line 3: must be text in UTF-8; save it as CSV in UTF-8"]
    cut = "id,stage,segment\nMü".encode()[:-1]
    assert faults(written(tmp_path, cut)) == ["FILE: line 2: must be text in UTF-8; save it as CSV in UTF-8"]


def test_what_is_no_table(tmp_path: Path) -> None:
    rule = "base.file: cannot be read: no such file or directory (got FILE)"
    assert faults(tmp_path / "none.csv") == [rule]
    assert faults("none.csv") == [f"{rule}; paths are relative to the working directory"]
    assert faults(tmp_path) == ["base.file: cannot be read: is a directory (got FILE)"]
    [told] = faults(written(tmp_path, "PAR1", "base.parquet"))
    assert told.startswith("FILE: cannot be read as a table: ")
    assert "\n" not in told


def test_twenty_faults_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{k},{'new' if k % 2 else 'gone'},small,{-k}\n" for k in range(100))
    told = faults(written(tmp_path, f"id,stage,segment,age\n{rows}"))
    assert len(told) == 21
    assert told[0].startswith("FILE: row 1, stage: ")
    assert [line.split(",")[0] for line in told[1:4]] == ["FILE: row 2", "FILE: row 3", "FILE: row 3"]
    assert told[-1] == "FILE: and 129 more such faults"
    same = "".join(f"{k // 2},new,small\n" for k in range(60))
    told = faults(written(tmp_path, f"id,stage,segment\n{same}"))
    assert len(told) == 21
    assert told[-1] == "FILE: and 10 more such faults"


def test_prospects_where_customers_start_active(tmp_path: Path) -> None:
    stages = {"maybe": {"kind": "prospect", "to": {"new": {"probability": 0.1}}}, **SCENARIO["stages"]}
    file = written(tmp_path, "id,stage,segment\n1,maybe,small\n")
    rule = "FILE: row 1, stage: must be an active stage, for customers start active here (got 'maybe'); choose from new, loyal"
    assert faults(file, stages=stages) == [rule]
    assert reading(file, stages=stages, start="maybe").existing is not None


def test_warnings(tmp_path: Path) -> None:
    file = written(tmp_path, "id,stage,segment,level,Wallet,city\n1,new,small,0.5,3,Kyiv\n")
    unlevelled = {key: {name: value for name, value in stage.items() if name != "level"} for key, stage in SCENARIO["stages"].items()}
    assert warnings(reading(file, level=None, stages=unlevelled)) == (
        f"{file}: the column level is not used: the scenario has no level",
        f"{file}: the column 'Wallet' is not used; did you mean wallet?",
    )
    assert f"{file}: the column segment is not used: the scenario has no segments" in warnings(reading(file, segments={}))
    stages = {**SCENARIO["stages"], "club": {"level": LEVEL, "to": {"lost": {"probability": 0.1}}}}
    assert warnings(reading(file, stages=stages))[0] == "stages.club: no way leads here from start (new)"
    inside = written(tmp_path, "id,stage,segment\n1,club,small\n", "club.csv")
    assert warnings(reading(inside, stages=stages)) == ()


def test_what_does_not_go_with_a_base(tmp_path: Path) -> None:
    file = written(tmp_path, "id,stage,segment\n1,new,small\n")
    assert faults(file, cohorts={"base": {"customers": 10}}) == [
        "cohorts.base: is what the existing customers are called; rename the cohort"
    ]
    spread = {"purchases": {"kind": "subscription", "wallet": {"mean": 2.0, "cv": 0.5}}, "frailty": {"variance": 0.5}}
    told = faults(file, **spread, correlations={"wallet": {"frailty": 0.3}})
    rule = "frailty cannot be correlated where there is a base: of its customers it is known by survival alone"
    assert told == [f"correlations.wallet.frailty: {rule} (got 0.3); leave it out"]
    assert faults(file, base={"files": "x"}) == ["base.file: must be given", "base.files: unknown key (got 'x'); did you mean file?"]


def test_a_template_is_a_table(tmp_path: Path) -> None:
    text = template(Scenario.model_validate(SCENARIO))
    assert text == "id,stage,age,tenure,level,segment,wallet\ncustomer-1,new,0,0,0.2,small,\ncustomer-2,loyal,0,0,0.2,large,\n"
    assert reading(written(tmp_path, text)).existing is not None
    chain = template(Scenario.model_validate({**SCENARIO, "segments": {}, "level": None}))
    assert chain.splitlines()[0] == "id,stage,age,tenure,wallet"


def test_cells(tmp_path: Path) -> None:
    file = base.table(tmp_path, [{"stage": "new", "segment": segment} for segment in ("large", "small", "large", "large")])
    alone = reading(file)
    assert cohorts(alone) == ()
    assert [(cell.cohort, cell.sampled, cell.firm, cell.share, cell.base) for cell in cells(alone)] == [
        (0, 1, 1.0, 0.25, True),
        (0, 3, 3.0, 0.75, True),
    ]
    assert [cell.address for cell in cells(alone)] == [BASE_COHORT << 48, BASE_COHORT << 48 | 1 << 40]
    beside = reading(file, firm={"customers": 12}, run={"customers": 8})
    assert [(cell.cohort, cell.sampled, cell.firm, cell.share) for cell in cells(beside)] == [
        (0, 6, 9.0, 9 / 16),
        (0, 2, 3.0, 3 / 16),
        (1, 1, 1.0, 1 / 16),
        (1, 3, 3.0, 3 / 16),
    ]
    without = cells(Scenario.model_validate({**SCENARIO, "firm": {"customers": 12}, "run": {"customers": 8}}))
    assert [(cell.sampled, cell.address) for cell in cells(beside)[:2]] == [(cell.sampled, cell.address) for cell in without]


def test_segments_know_no_base(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(("investigation",), 1, segment=("small", "large")))
    found = base.scenario("frailty_seasons_cohorts", file)
    assert found.existing is not None
    assert all(view.existing is None for view in found.by_segment.values())
    assert zoo.ZOO["frailty_seasons_cohorts"]["cohorts"].keys() == found.cohorts.keys()


def test_parquet_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a piece: the same customers, and the same twins wherever they lie."""
    import duckdb

    rows = base.spread(("new", "loyal"), 11, segment=["small", "large", "large"], wallet=["", 2.5, 4.0])
    text = Path(base.table(tmp_path, rows))
    twins = Path(base.table(tmp_path, [{"id": k % 20, **row} for k, row in enumerate(rows)], "twins.csv"))
    for file in (text, twins):
        duckdb.sql(f"COPY (FROM read_csv('{file}', all_varchar=true)) TO '{file.with_suffix('.parquet')}' (FORMAT parquet)")
    one, told = reading(text).existing, faults(twins)
    assert one is not None
    assert len(told) == len(rows) - 20
    for piece in (1, 7, 1000):
        monkeypatch.setattr("sim.scenario.existing.PIECE", piece)
        other = reading(text.with_suffix(".parquet")).existing
        assert other is not None
        for name in ("stage", "segment", "age", "tenure", "level", "wallet", "row", "counts"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert faults(twins.with_suffix(".parquet")) == told
