"""``clvsim compare`` and ``policies``: what is printed, what lies in the folder, what is refused, and ``verify`` of a comparison."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.running import SMALL, Clvsim, refused

PLUS = """\
label: Two points more
source: assumed
cost: {per_contact: 0.5, setup: 100}
effects:
  edges:
    introductory: {renewed: {add: 0.02}, lapsed: {add: -0.02}}
    renewed: {lapsed: {add: -0.02}}
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """Give a folder of one's own with a policy for the publisher."""
    (tmp_path / "mine" / "scenario").mkdir(parents=True)
    (tmp_path / "mine" / "policy").mkdir()
    (tmp_path / "mine" / "policy" / "plus.yaml").write_text(PLUS, encoding="utf-8")
    (tmp_path / "mine" / "policy" / "broken.yaml").write_text("label: [", encoding="utf-8")
    return "mine"


def test_policies_lists_those_that_ship_and_own_ones(clvsim: Clvsim, mine: str) -> None:
    done = clvsim("policies")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if not line.startswith(" ")]) == 29
    at = next(k for k, line in enumerate(lines) if line.startswith("win_back "))
    assert lines[at].split(maxsplit=1)[1] == "Win back (2.5 a contact, 1.5 an uptake)"
    assert lines[at + 1].split()[:5] == ["Those", "lost", "within", "the", "last"]
    assert any(line.split()[0] == "nothing" and line.endswith("(free)") for line in lines)
    own = clvsim("policies", "--configs", mine).out.splitlines()
    assert any(line.split(maxsplit=1) == ["plus", "Two points more (100 once, 0.5 a contact)"] for line in own)
    assert any(line.split(maxsplit=1) == ["broken", "(cannot be read) (free)"] for line in own)


def test_compare_writes_a_folder_and_says_what_is_in_it(clvsim: Clvsim, mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("policies=plus", "arms.dear={policies: [plus], plus.cost.per_contact: 99}", *SMALL)
    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        done = clvsim("compare", "--configs", mine, *settings, "out=cmp 客户")
        assert (done.code, done.err) == (0, "")
        assert max(len(line) for line in done.out.splitlines() if "cmp" not in line) <= int(columns)
    out = tmp_path / "cmp 客户"
    told = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert list(told["arms"]) == ["none", "plus", "dear"]
    assert told["arms"]["dear"]["cost"] > told["arms"]["plus"]["cost"] > 0
    gain = told["arms"]["plus"]["gain"]
    assert f"{gain['mean']:,.0f} ± {gain['interval'][1] - gain['mean']:,.0f}" in done.out
    assert "half of a 95 % interval" in done.out
    assert f"best       {told['best']}" in done.out
    assert f"folder     {out}" in done.out
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    frames = ("arms", "differences", "treatments", "who_gains", "parting", "targeting")
    tables = {f"tables/{name}.{kind}" for name in frames for kind in ("csv", "parquet")}
    drawn = {f"figures/{name}.{kind}" for name in ("gains", "frontier", "lives", "parting", "courses") for kind in ("svg", "png", "csv")}
    assert files == {"config.yaml", "arms.yaml", "comparison.json", "manifest.json", "report.html", *tables, *drawn}
    assert list(pd.read_csv(out / "tables" / "arms.csv")["arm"]) == ["none", "plus", "dear"]
    assert "Two points more" in (out / "report.html").read_text(encoding="utf-8")


def test_default_folder_is_named_by_all_arms(clvsim: Clvsim, mine: str, tmp_path: Path) -> None:
    for more in ((), ("run.threads=2",), ("arms.dear={policies: [plus], plus.cost.setup: 1}",)):
        done = clvsim("compare", "--configs", mine, "policies=[plus]", "--no-report", *SMALL, *more)
        assert done.code == 0, done.err
        assert "report  " not in done.out
    found = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "results").iterdir())
    assert found == ["publisher-compared-1", "publisher-compared-1"]


def test_another_comparator(clvsim: Clvsim, mine: str) -> None:
    done = clvsim("compare", "--configs", mine, "policies=[plus]", "comparator=plus", "--no-report", "out=cmp", "horizon=20", *SMALL)
    assert (done.code, done.err) == (0, "")
    (own,) = [line for line in done.out.splitlines() if line.split()[:1] == ["plus"]]
    assert own.split()[1] == "–"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["policies=[pluss]"], "policies: no such policy (got 'pluss'); did you mean plus?"),
        (["policies=[plus,pluss+plus]"], "policies: no such policy (got 'pluss'); did you mean plus?"),
        (
            ["policies=mine/policy/plus.yaml"],
            "policies: a policy is named, not given as a path (got 'mine/policy/plus.yaml'); did you mean plus?",
        ),
        (["policies=[broken]"], "broken.yaml:1:9: broken YAML"),
        (["policies=[plus,,plus]"], "policies: cannot be read: nothing stands beside a comma (got [plus,,plus])"),
        (["policies=[plus,plus]"], "policies: is named twice (got 'plus'); name it once"),
        (["policies=[plus+plus]"], "policies: is named twice (got 'plus+plus'); name it once"),
        (["policies=[plus]", "policies=[gifts]"], "policies: is given more than once (got [plus], [gifts]); give it once"),
        (["policies=[plus]", "comparater=plus"], "comparater: no such setting (got plus); did you mean comparator?"),
        (["arms.dear={polices: [plus]}"], 'arms.dear.polices: unknown key (got ["plus"]); did you mean policies?'),
        (["arms.dear={plus.uptake: 1}"], "arms.dear: must name its policies (got {plus.uptake: 1}); for example arms.dear={policies:"),
        (
            ["arms.dear={policies: [plus], plus.uptake:0.3}"],
            "arms.dear: needs a blank after the colon (got {policies: [plus], plus.uptake:0.3}); write plus.uptake: 0.3",
        ),
        (["policies=[plus"], "policies: cannot be read: close brackets and quotes (got [plus); for example policies=[gifts,"),
        (["policies={plus: 1}"], "policies: must be a list of names"),
        (["policies=[1]"], "policies: must be a list of names"),
        (["policies=[win_back]"], "win_back: policies.win_back.who.stages: no such stage"),
        (["policies=[plus]", "comparator=pluss"], "comparator: must be one of the arms (got pluss); there are none, plus"),
        (["comparator=[a]"], "comparator: must be a name"),
        (["arms.dear={policies: [plus], plus.cost.per_contact: 9"], "arms.dear: cannot be read: close brackets and quotes"),
        (["arms.dear=3"], "arms.dear: must be a mapping"),
        (["arms.dear={policies: [plus], plus.cost.per_contact: -9}"], "dear: policies.plus.cost.per_contact: must be at least 0 (got -9)"),
        (["arms.dear={policies: [plus], plus.cost.percontact: 9}"], "dear: policies.plus.cost.percontact: unknown key"),
        (
            ["plus.cost.setup=9"],
            "plus.cost.setup: is of a policy, not of the scenario (got 9); write 'arms.NAME={policies: [plus], plus.cost.setup: 9}'",
        ),
        (["policies=[plus]", "pick=best"], "pick: must be kn or ocba (got best)"),
        (["policies=[plus]", "pick=kn"], "pick: needs indifference=, the smallest difference"),
        (["policies=[plus]", "confidence=0.9"], "confidence: is of picking alone; add pick=kn"),
        (["policies=[plus]", "pick=kn", "pick=ocba", "indifference=1"], "pick: is given twice (got ocba)"),
        (["policies=[plus]", "pick=ocba", "indifference=1", "confidence=0.99"], "confidence: is of kn alone"),
        (["policies=[plus]", "pick=kn", "indifference=1", "out=x"], "out: means nothing beside pick"),
        (["policies=[plus]", "pick=kn", "indifference=none"], "indifference: must be a number (got none)"),
        (["policies=[plus]", "pick=kn", "indifference=-1", "run.customers=1e5"], "indifference: must be above 0 (got -1)"),
        (
            ["policies=[plus]", "pick=kn", "indifference=1", "run.customers=100"],
            "run.customers: must be at least 40,960 to pick among 2 arms",
        ),
        (["policies=[plus]", "horizon=inf"], "horizon: must be a whole number of periods to simulate"),
        (["policies=[plus]", "out="], "out: must name a folder"),
        (["policies=[plus]", "run.customer=3"], "run.customer: unknown key (got 3); did you mean customers?"),
        (["plus"], "plus: must read KEY=VALUE"),
    ],
)
def test_faults(clvsim: Clvsim, mine: str, settings: list[str], said: str) -> None:
    lines = refused(clvsim, "compare", "--configs", mine, "scenario=publisher", *settings)
    assert any(said in line for line in lines), lines


def test_default_arms_that_do_not_fit_are_one_line(clvsim: Clvsim, mine: str, tmp_path: Path) -> None:
    said = "policies: must be given: the arms taken by default are made for lifecycle, and do not fit this scenario; policies=[…]: "
    for settings in ((), ("comparator=gifts",)):
        (line,) = refused(clvsim, "compare", "scenario=publisher", *settings)
        assert line == f"{said}choose from acquisition, basic, nothing, or write your own, DIR/policy/NAME.yaml with --configs DIR"
    (line,) = refused(clvsim, "compare", "--configs", mine, "scenario=publisher")
    assert line == f"{said}choose from acquisition, basic, nothing, plus, or write your own, mine/policy/NAME.yaml"
    (tmp_path / "mine" / "policy" / "win_back.yaml").write_text("label: [", encoding="utf-8")
    assert "win_back.yaml:1:9: broken YAML" in refused(clvsim, "compare", "--configs", mine)[0]


def test_all_faults_at_once(clvsim: Clvsim, mine: str) -> None:
    lines = refused(clvsim, "compare", "--configs", mine, *SMALL, "policies=[plus", "arms.x=3", "horizon=-1", "out=")
    assert len(lines) == 4


def test_arrivals_that_depend_on_customers_are_refused(clvsim: Clvsim, mine: str) -> None:
    lines = refused(
        clvsim,
        "compare",
        "--configs",
        mine,
        "scenario=publisher",
        "policies=[plus]",
        "~run.customers",
        "+crowd={strength: 0.01, market: 5000}",
    )
    assert any("arrivals that depend on customers are not the same in all arms" in line for line in lines), lines


def test_what_is_odd_about_a_policy_is_told(clvsim: Clvsim, mine: str) -> None:
    late = "arms.late={policies: [plus], plus.when.start: 60}"
    done = clvsim("compare", "--configs", mine, late, "--no-report", "out=cmp", *SMALL)
    assert done.code == 0
    assert done.err == "clvsim: warning: policies.plus: costs something and treats nobody\n"


def test_verify_tells_the_same_from_the_changed(clvsim: Clvsim, mine: str, tmp_path: Path) -> None:
    settings = ("policies=[plus]", "arms.twice={policies: [plus, plus], plus.cost.setup: 3}", "comparator=plus", *SMALL)
    assert clvsim("compare", "--configs", mine, *settings, "out=cmp").code == 0
    done = clvsim("verify", "cmp")
    assert (done.code, done.out) == (0, "cmp: the same\n"), done.out
    file = tmp_path / "cmp" / "comparison.json"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace('"best": "', '"best": "x'), encoding="utf-8")
    done = clvsim("verify", "cmp")
    assert (done.code, done.out) == (1, "comparison.json: was changed after it was written\n")
    manifest = tmp_path / "cmp" / "manifest.json"
    listed = json.loads(manifest.read_text(encoding="utf-8"))
    listed["files"]["comparison.json"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(listed), encoding="utf-8")
    done = clvsim("verify", "cmp")
    assert (done.code, done.out) == (1, "comparison.json: comes out differently\n")
    file.write_text(whole, encoding="utf-8")
    listed["files"]["comparison.json"] = hashlib.sha256(file.read_bytes()).hexdigest()
    page = listed["files"].pop("tables/parting.csv")
    manifest.write_text(json.dumps(listed | {"seed": 7, "draws": 1}), encoding="utf-8")
    assert clvsim("verify", "cmp").out.splitlines() == [
        "tables/parting.csv: is not in the manifest",
        "manifest.json: draws is 1, and here 3",
        "manifest.json: seed is 7, and here 1",
        "tables/parting.csv: is missing from the manifest",
    ]
    listed["files"]["tables/parting.csv"] = page
    manifest.write_text(json.dumps(listed), encoding="utf-8")
    (tmp_path / "cmp" / "arms.yaml").write_text("arms: 3\n", encoding="utf-8")
    done = clvsim("verify", "cmp")
    assert done.code == 1
    assert "arms.yaml: was changed after it was written" in done.out
    assert "cannot be run again: arms: must map arms to their policies" in done.out


def test_verify_where_the_scenario_has_a_policy_of_its_own(clvsim: Clvsim, mine: str, tmp_path: Path) -> None:
    """An arm may put a policy of the scenario's own in another form; its folder says in which."""
    policy = "\n".join(f"    {line}" for line in PLUS.splitlines())
    (tmp_path / "mine" / "scenario" / "own.yaml").write_text(
        f"defaults: [publisher, _self_]\npolicies:\n  plus:\n{policy}\n", encoding="utf-8"
    )
    dear = "arms.dear={policies: [plus], plus.cost.per_contact: 40}"
    assert clvsim("compare", "--configs", mine, "scenario=own", "run.customers=500", dear, "out=cmp", "--no-report").code == 0
    done = clvsim("verify", "cmp")
    assert (done.code, done.out) == (0, "cmp: the same\n"), done.out


def test_pick_prints_the_best_and_what_is_guaranteed(clvsim: Clvsim, mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = clvsim(
        "compare", "--configs", mine, "scenario=publisher", "policies=[plus]", "pick=kn", "indifference=500", "run.customers=50000"
    )
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:2] == ["plus", "40,960"]
    assert "picked     plus  by KN  seed 1" in lines
    assert "95 % of such searches pick the best arm where it is better than every" in found.out
    assert not (tmp_path / "results").exists()


def test_policies_alone_are_enough_of_a_folder(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "few" / "policy").mkdir(parents=True)
    (tmp_path / "few" / "policy" / "plus.yaml").write_text(PLUS, encoding="utf-8")
    assert clvsim("compare", "--configs", "few", "policies=[plus]", "--no-report", "out=cmp", *SMALL).code == 0
    assert clvsim("scenarios", "--configs", "few").code == 0
    (tmp_path / "empty").mkdir()
    assert any("must hold a folder named scenario or policy" in line for line in refused(clvsim, "scenarios", "--configs", "empty"))
