"""``clvsim sweep``: what is printed, what lies in the folder, how it goes on, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sim
from sim.parts import Parts
from sim.studies import running
from tests.cli.running import SMALL, Clvsim, refused

pytestmark = pytest.mark.jit

RATE = "vary.discount_rate_annual={low: 0.05, high: 0.2}"

GOOD = """\
label: Discount and price
scenario: publisher
vary:
  discount_rate_annual: {low: 5e-2, high: 2e-1, log: true}
  stages.renewed.price: [70, 80]
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """Give a folder of one's own with studies."""
    (tmp_path / "mine" / "study").mkdir(parents=True)
    studies = {"good": GOOD, "broken": "vary: [", "listed": "vary: [1]\n", "typo": "vari: {horizon: [10]}\n", "empty": "label: nothing\n"}
    for name, text in studies.items():
        (tmp_path / "mine" / "study" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return "mine"


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "tables" / "points.csv")


def test_help(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = clvsim("sweep", "--help")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    for told in ("vary.PATH={low: A, high: B}", "design=NAME", "points=N", "study=NAME", "out=DIR", "--no-report", "--configs"):
        assert told in done.out, told
    assert "sweep" in clvsim("--help").out


@pytest.mark.parametrize("columns", ["80", "40"])
def test_it_writes_a_folder_and_says_what_is_in_it(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = clvsim("sweep", *SMALL, RATE, "vary.stages.renewed.price=[70,80]", "points=6", "out=sw 客户")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(len(line) for line in lines if "sw " not in line) <= int(columns)
    out = tmp_path / "sw 客户"
    assert lines[0].startswith("scenario   publisher")
    assert "points 6 seed 1, the same luck at every point" in " ".join(done.out.split())
    assert f"folder     {out}" in done.out
    assert f"report     {out / 'report.html'}" in done.out
    assert "Customer equity runs from" in " ".join(done.out.split())
    names = ("curves", "heat", "parallel")
    drawn = {f"figures/{name}.{kind}" for name in names for kind in ("svg", "png", "csv")}
    tables = {"tables/points.csv", "tables/points.parquet"}
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {"config.yaml", "study.yaml", "study.json", "manifest.json", "report.html", *tables, *drawn}
    found = table(out)
    assert found["point"].tolist() == list(range(6))
    assert found["discount_rate_annual"].between(0.05, 0.2).all()
    assert set(found["stages.renewed.price"]) == {70, 80}
    told = json.loads((out / "study.json").read_text(encoding="utf-8"))
    assert (told["kind"], told["design"], told["points"]) == ("sweep", "sobol", 6)
    done = clvsim("verify", "sw 客户")
    assert (done.code, done.out) == (0, "sw 客户: the same\n")


def test_it_is_the_sweep_of_python(clvsim: Clvsim, tmp_path: Path) -> None:
    settings = ("scenario=lifecycle", "run.customers=40", "horizon=12")
    vary = ("vary.discount_rate_annual=[1e-2,2e-1]", "policies=win_back,service_recovery", "vary.policies.win_back.cost.per_contact=[1,3]")
    done = clvsim("sweep", *settings, *vary, "design=list", "--no-report", "out=sw")
    assert (done.code, done.err) == (0, "")
    assert "report  " not in done.out
    asked: dict[str, Any] = {"discount_rate_annual": [0.01, 0.2], "policies.win_back.cost.per_contact": [1, 3]}
    scenario = sim.load("lifecycle", "run.customers=40", "horizon=12")
    found = sim.sweep(scenario, asked, policies=["win_back", "service_recovery"], design="list")
    pd.testing.assert_frame_equal(table(tmp_path / "sw"), found.table, check_exact=True)
    assert found.table["arm"].tolist() == ["none", "win_back", "service_recovery"] * 2


def test_a_study_from_a_file(clvsim: Clvsim, mine: str, tmp_path: Path) -> None:
    done = clvsim("sweep", "--configs", mine, "study=good", "run.customers=60", "--no-report", "out=sw")
    assert (done.code, done.err) == (0, "")
    found = table(tmp_path / "sw")
    assert len(found) == 10
    assert (found["discount_rate_annual"].iloc[0], found["discount_rate_annual"].iloc[-1]) == (0.05, 0.2)
    lines = refused(clvsim, "sweep", "--configs", mine, "study=good", "run.customers=60", "scenario=lifecycle", "horizon=12")
    assert lines[0].startswith("vary.stages.renewed.price: unknown parameter")  # what stands on the command line wins
    more = ("points=4", "vary.stages.renewed.price={low: 60, high: 70}")
    assert clvsim("sweep", "--configs", mine, "study=good", "run.customers=60", "--no-report", "out=sw", *more).code == 0
    assert table(tmp_path / "sw")["stages.renewed.price"].between(60, 70).all()


def test_the_default_folder(clvsim: Clvsim, tmp_path: Path) -> None:
    for points in ("points=2", "points=4"):
        assert clvsim("sweep", *SMALL, RATE, points, "--no-report").code == 0
    found = [path.name for path in (tmp_path / "results").iterdir() if not path.name.endswith(".parts")]
    assert len(found) == 1
    assert found[0].startswith("publisher-sweep-1-")
    assert len(table(tmp_path / "results" / found[0])) == 4


def test_ctrl_c_says_what_is_kept(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("sweep", *SMALL, "run.threads=1", RATE, "points=4", "--no-report", "out=sw")
    measured, left = running.simulated, [2]

    def interrupted(*given: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return measured(*given)

    monkeypatch.setattr(running, "simulated", interrupted)
    done = clvsim(*asked)
    kept = f"interrupted; 2 of 4 points are kept in {tmp_path / 'sw.parts'}, and the same again goes on there"
    assert (done.code, done.out, done.err) == (130, "", f"clvsim: {kept}\n")
    assert not (tmp_path / "sw").exists()
    left[0] = 2
    assert clvsim(*asked).code == 0
    assert left == [0]
    assert len(table(tmp_path / "sw")) == 4


def test_a_damaged_part_is_told(clvsim: Clvsim, tmp_path: Path) -> None:
    asked = ("sweep", *SMALL, RATE, "points=4", "--no-report", "out=sw")
    assert clvsim(*asked).code == 0
    (part,) = (tmp_path / "sw.parts").glob("*.parquet")
    before = (tmp_path / "sw" / "tables" / "points.csv").read_bytes()
    part.write_bytes(part.read_bytes()[:-3])
    done = clvsim(*asked)
    assert (done.code, done.err) == (0, f"clvsim: warning: sw.parts/{part.name} was damaged; its points were run again\n")
    assert (tmp_path / "sw" / "tables" / "points.csv").read_bytes() == before


STEPS = "low: 0.01, high: 0.2, steps: 1000"

BIG = (
    f"vary.discount_rate_annual={{{STEPS}}}",
    f"vary.stages.renewed.price={{{STEPS}}}",
    f"vary.stages.renewed.cost_to_serve={{{STEPS}}}",
)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["vary.discount_rate_anual=[0.1]"], "vary.discount_rate_anual: unknown parameter (got discount_rate_anual); did you mean"),
        (
            ["vary.discount_rate_annual={low: 2, high: 1}"],
            "vary.discount_rate_annual.high: must be above low, which is 2: the range is empty",
        ),
        (["vary.discount_rate_annual={low: 0, high: 1, log: true}"], "vary.discount_rate_annual.low: must be above 0 on a log scale"),
        (["vary.horizon=[]"], "vary.horizon.values: must list a value"),
        (["vary.horizon="], "vary.horizon: must be a list of values or a range (got null)"),
        ([], "vary: must name something that varies; for example vary.discount_rate_annual=[0.05,0.1]"),
        (["vary=none"], "vary: must be a mapping of parameters to values or ranges (got 'none')"),
        (["vary=3", "vary.horizon=[10]"], "vary: must be a mapping of parameters to values or ranges (got 3)"),
        (["vary.horizon=[10,11"], "vary.horizon: cannot be read: close brackets and quotes (got [10,11); for example {low: 1, high: 2}"),
        (["vary.horizon={low:10, high: 11}"], "vary.horizon: needs a blank after the colon (got {low:10, high: 11}); write low: 10"),
        (["vary.horizon=[10,,11]"], "vary.horizon: cannot be read: nothing stands beside a comma (got [10,,11])"),
        (["vary.horizon=[10]", "vary.horizon=[11]"], "vary.horizon: is given more than once (got [10], [11]); give it once"),
        (["vary.scenario=[publisher]"], "vary.scenario: is no value of a scenario (got scenario); to run each of several: clvsim"),
        (["vary.label=[a,b]"], "vary.label: is text, which changes no result (got label)"),
        (["vary.stages.renewed.label=[a,b]"], "vary.stages.renewed.label: is text, which changes no result"),
        (["vary.name=[a,b]"], "vary.name: changes no result (got name)"),
        (
            ["vary.discount_rate_annual=[0.05,abc]"],
            "discount_rate_annual: must be a number at 1 of 2 points (50.00%), first at point 1 (discount_rate_annual=abc) (got 'abc'); "
            "take such values out of the list",
        ),
        (["vary.discount_rate_annual={low: -2, high: 1}"], "discount_rate_annual: must be above -1 at 2 of 5 points (40.00%), first at"),
        (["vary.horizon=[10]", "policies=[nothing,nothing]"], "policies: is named twice (got 'nothing'); name it once"),
        (["vary.horizon=[10]", "scenaro=publisher"], "scenaro: no such setting (got publisher); did you mean scenario?"),
        (["vary.horizon=2020-13-45"], "vary.horizon: cannot be read: close brackets and quotes (got 2020-13-45)"),
        (["vary.horizon=&a [*a]"], "vary.horizon: cannot be read: close brackets and quotes (got &a [*a])"),
        (["vary.horizon=[10]", "design=gird"], "design: must be one of 'grid', 'list', 'lhs' or 'sobol' (got 'gird')"),
        (["vary.horizon=[10]", "points=many"], "points: must be a whole number (got 'many')"),
        (["vary.horizon=[10]", "design=sobol"], "points: must be given: how many points of the sobol design; points=256"),
        (["vary.horizon=[10]", "policies=[win_bak]"], "policies: no such policy (got 'win_bak'); did you mean win_back?"),
        (["vary.policies.win_back.uptake=[1]"], "vary.policies.win_back.uptake: is of a policy that no arm has"),
        (["vary.horizon=[10]", "comparator=win_back"], "comparator: must be one of the policies (got win_back)"),
        (["vary.horizon=[10]", "horzion=9"], "horzion: unknown key (got 9); did you mean horizon?"),
        (["vary.horizon=[10]", "out="], "out: must name a folder"),
        (["vary.horizon"], "vary.horizon: must read KEY=VALUE"),
        (["vary.run.threads=[1,2]"], "vary.run.threads: changes no result"),
        (["study=goo"], "study: no such study (got 'goo'); did you mean good?"),
        (["study=broken"], "broken.yaml:1:8: broken YAML"),
        (["study=listed"], "vary: must be a mapping of parameters to values or ranges (got [1])"),
        (["study=typo"], "vari: unknown key; did you mean vary?"),
        (["study=empty"], "vary: must name something that varies"),
        (BIG, "design: must have at most 1,000,000 points; these, of 500 customers each, are 500,000,000,000 lives, about "),
        (
            [RATE, "points=1e9"],
            "points: must have at most 1,000,000 points; these, of 500 customers each, are 500,000,000,000 lives, about",
        ),
    ],
)
def test_faults(clvsim: Clvsim, mine: str, settings: list[str], said: str) -> None:
    """Each is told in one line, and the last two before a point is made: a thousand million would not fit into memory."""
    lines = refused(clvsim, "sweep", "--configs", mine, *SMALL, *settings)
    assert said in lines[0], lines
    assert len(lines) == 1, lines


def test_all_faults_at_once(clvsim: Clvsim, mine: str) -> None:
    settings = ("vary.horizon=[10", "vary.x={low: 1}", "points=0", "discount_rate_annual=-9", "out=", "desing=lhs")
    lines = refused(clvsim, "sweep", "--configs", mine, *SMALL, *settings)
    places = {line.partition(":")[0] for line in lines}
    assert places == {"vary.horizon", "points", "desing", "out", "discount_rate_annual"}, lines


def test_a_folder_that_is_not_its_own_is_refused_before_running(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "mine.txt").write_text("mine")
    monkeypatch.setattr(running, "simulated", lambda *_: pytest.fail("a point was run"))
    (line,) = refused(clvsim, "sweep", *SMALL, RATE, "points=2", "out=sw")
    assert line.startswith("out: ")


def test_a_folder_that_another_sweep_holds_is_refused(clvsim: Clvsim, tmp_path: Path) -> None:
    with Parts(tmp_path / "sw").held():
        (line,) = refused(clvsim, "sweep", *SMALL, RATE, "points=2", "out=sw")
    assert line.startswith("out: is being written by another run just now")


def test_what_is_in_the_way_of_the_parts_is_told(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "sw.parts").write_text("mine")
    (line,) = refused(clvsim, "sweep", *SMALL, RATE, "points=2", "out=sw")
    assert line.startswith("out: cannot be written there: file exists")
