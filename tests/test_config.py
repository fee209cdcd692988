"""Composition: what ships loads and says what it should, a user's folder wins, and every mistake is one line."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.config import MOST_RUNS, load, origin, points, scenarios, shadowed
from sim.scenario import ScenarioError
from sim.scenario.checks import warnings

ROOT = Path(__file__).resolve().parents[1]
SHIPS = (
    "adoption",
    "berger_nasr_1",
    "bgbb",
    "fixed_life",
    "fixed_life_discounted",
    "four_stage_reference",
    "gupta_lehmann",
    "lifecycle",
    "markov_lifecycle",
    "publisher",
    "publisher_cohorts",
    "publisher_plus2",
    "recency_chain",
    "recency_chain_stop3",
    "sbg_high_end",
    "sbg_regular",
)
SMALL = """\
label: 小案例
period: month
horizon: 6
start: aktiv
stages:
  aktiv:
    label: 活跃客户
    to:
      weg: {probability: 0.1}
  weg: {label: 流失, kind: lost}
"""


def folder(path: Path, **files: str) -> Path:
    """Return a user's folder with these scenarios."""
    (path / "scenario").mkdir(parents=True)
    for name, text in files.items():
        (path / "scenario" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return path


def refused(name: str, *overrides: str, configs: Path | None = None) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(name, *overrides, configs=configs)
    assert not any("\n" in str(fault) for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def differences(one: Any, other: Any, path: str = "") -> set[str]:
    """Return the dotted paths at which two mappings differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return set() if one == other else {path}
    return {place for key in one | other for place in differences(one.get(key), other.get(key), f"{path}.{key}".lstrip("."))}


class TestShipped:
    def test_all_are_listed_with_a_label(self) -> None:
        found = scenarios()
        assert tuple(found) == SHIPS
        assert all(len(label) > 5 for label in found.values())

    @pytest.mark.parametrize("name", SHIPS)
    def test_loads_without_a_warning(self, name: str) -> None:
        scenario = load(name)
        assert scenario.name == name
        assert scenario.label == scenarios()[name]
        assert warnings(scenario) == ()
        assert scenario.source

    @pytest.mark.parametrize("name", SHIPS)
    def test_first_line_runs_it_and_numbers_have_a_source(self, name: str) -> None:
        text = (ROOT / "configs" / "scenario" / f"{name}.yaml").read_text(encoding="utf-8")
        command = text.splitlines()[0]
        assert command == ("# clvsim simulate" if name == "lifecycle" else f"# clvsim simulate scenario={name}")
        bare = [line for line in text.splitlines() if _has_number(line) and "#" not in line]
        assert bare == []

    @pytest.mark.parametrize("name", ["adoption", "lifecycle", "markov_lifecycle"])
    def test_each_assumed_number_says_so(self, name: str) -> None:
        text = (ROOT / "configs" / "scenario" / f"{name}.yaml").read_text(encoding="utf-8")
        said = [line.partition("#")[2] for line in text.splitlines() if _has_number(line)]
        assert len(said) > 20
        assert [comment for comment in said if "assumed" not in comment and "; model" not in comment] == []

    def test_the_default(self) -> None:
        assert load().name == "lifecycle"
        assert [stage.label for stage in load().stages.values()] == ["Investigation", "Formation", "Stability", "Decline", "Lost"]

    @pytest.mark.parametrize(
        ("name", "base", "changed"),
        [
            (
                "publisher_plus2",
                "publisher",
                {
                    "stages.introductory.to.renewed.probability",
                    "stages.introductory.to.lapsed.probability",
                    "stages.renewed.to.lapsed.probability",
                },
            ),
            ("publisher_cohorts", "publisher", {"cohorts.intake", "firm.customers"}),
            ("sbg_regular", "sbg_high_end", {"source", "stages.subscriber.to.lost.beta.a", "stages.subscriber.to.lost.beta.b"}),
            ("fixed_life_discounted", "fixed_life", {"discount_rate_annual"}),
        ],
    )
    def test_variants_differ_where_they_say(self, name: str, base: str, changed: set[str]) -> None:
        found = differences(load(name).model_dump(), load(base).model_dump())
        assert found - {"name", "label", "description"} == changed

    def test_two_points_more(self) -> None:
        base, more = load("publisher"), load("publisher_plus2")
        pairs = [
            (base.stages[stage].to["lapsed"].probability or (), more.stages[stage].to["lapsed"].probability or ())
            for stage in ("introductory", "renewed")
        ]
        assert [b - m for one, other in pairs for b, m in zip(one, other, strict=True)] == pytest.approx([0.02] * 8)


def _has_number(line: str) -> bool:
    """Return whether a line of YAML gives a number (not one in text)."""
    body = line.split("#", maxsplit=1)[0].strip()
    value = body.partition(": ")[2]
    try:
        found = yaml.safe_load(value) if value else None
    except yaml.YAMLError:
        return False
    return _numbers(found)


def _numbers(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_numbers(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float)


class TestOverrides:
    def test_dotted_paths(self) -> None:
        scenario = load("publisher", "run.seed=3", "horizon=24", "stages.renewed.to.lapsed.probability=[0.1, 0.2]", "frailty.variance=.5")
        assert (scenario.run.seed, scenario.horizon, scenario.frailty.variance) == (3, 24, 0.5)
        assert scenario.stages["renewed"].to["lapsed"].probability == (0.1, 0.2)
        assert scenario.run.customers == 100_000

    def test_taking_out_and_adding(self) -> None:
        scenario = load("publisher", "~acquisition", "+timing.service=mid", "++timing.purchase=end")
        assert (scenario.acquisition.cost, scenario.timing.service, scenario.timing.purchase) == (0, "mid", "end")

    def test_a_new_edge(self) -> None:
        scenario = load("markov_lifecycle", "stages.lost.to.investigation.probability=0.01")
        assert scenario.stages["lost"].to["investigation"].probability == (0.01,)

    @pytest.mark.parametrize(
        ("overrides", "said"),
        [
            (["stages.renwed.margin=0.5"], ["stages.renwed: no such stage; did you mean renewed?; +stages.renwed.… adds one"]),
            (["cohorts.late.customers=5"], ["cohorts.late: no such cohort; +cohorts.late.… adds one"]),
            (["segments.rich.share=1", "segments.rich.label=R"], ["segments.rich: no such segment; +segments.rich.… adds one"]),
            (["horizon=0", "stages.renwed.margin=0.5"], ["horizon: ", "stages.renwed: no such stage"]),
        ],
    )
    def test_misspelt_stages_segments_and_cohorts(self, overrides: list[str], said: list[str]) -> None:
        found = refused("publisher", *overrides)
        assert len(found) == len(said)
        assert all(line.startswith(start) for line, start in zip(found, said, strict=True)), found

    @pytest.mark.parametrize(
        "overrides",
        [
            ["+segments.rich.share=1", "segments.rich.label=rich (new)"],
            ["++segments.rich.label=rich (new)", "segments.rich.share=1"],
            ["segments={rich: {share: 1}}", "segments.rich.label=new"],
        ],
    )
    def test_new_ones_are_added_with_a_plus(self, overrides: list[str]) -> None:
        assert load("publisher", *overrides).segments["rich"].share == 1

    @pytest.mark.parametrize("label", ["中文 标签", "Acme (UK)", "a: b; c", "50 %", "=x", "'a, [b]'"])
    def test_text_in_any_language(self, label: str) -> None:
        assert load("publisher", f"label={label}").label == label.strip("'")

    def test_two_misspelt_keys_at_once(self) -> None:
        assert refused("publisher", "seeed=3", "stages.renewed.prise=4") == [
            "seeed: unknown key (got 3); did you mean run.seed?",
            "stages.renewed.prise: unknown key (got 4); did you mean price?",
        ]

    @pytest.mark.parametrize(
        ("override", "said"),
        [
            ("horizon", "horizon: must be key=value with a dotted key; for example run.seed=3"),
            ("=3", "=3: must be key=value with a dotted key"),
            ("", "'': must be key=value with a dotted key"),
            ("run/seed=3", "run/seed=3: must be key=value with a dotted key"),
            ("run..seed=3", "run..seed=3: must be key=value with a dotted key"),
            ("horizon=1,2", "horizon: must be one value (got 1,2); put a list in brackets: [1,2]; to run each value by itself add -m"),
            ("horizon = 3", "horizon = 3: must be key=value without blanks around =; write horizon=3"),
            ("run.seed =3", "run.seed = 3: must be key=value without blanks around =; write run.seed=3"),
            ("horizon=[1,", "horizon: cannot be read (got [1,); close brackets and quotes"),
            ("hydra.run.dir=x", "hydra.run.dir: unknown key (got x)"),
            ("defaults=[publisher]", 'defaults: unknown key (got ["publisher"])'),
            ("name=other", "name: a scenario is named by its file (got 'other')"),
            ("run.customers=", "run.customers: must be a whole number (got '')"),
            ("~nothing", "publisher: Could not delete from config. 'nothing' does not exist."),
            ("+horizon=3", "publisher: Could not append to config. An item is already at 'horizon'."),
            ("start=${nowhere}", "start: Interpolation key 'nowhere' not found"),
            ("_target_=os.getcwd", "_target_: _target_ means nothing here: clvsim never instantiates anything (got 'os.getcwd')"),
        ],
    )
    def test_mistakes(self, override: str, said: str) -> None:
        (found,) = refused("publisher", override)
        assert found.startswith(said)

    @pytest.mark.parametrize(
        ("override", "said"),
        [
            ({"run.customers": 5}, """overrides: must be text, one key=value each (got {"run.customers": 5}); write 'run.customers=5'"""),
            (5, "overrides: must be text, one key=value each (got 5); write 'run.seed=3'"),
        ],
    )
    def test_what_is_no_text(self, override: Any, said: str) -> None:
        assert refused("publisher", override) == [said]

    def test_mistakes_of_form_are_told_together(self) -> None:
        assert len(refused("publisher", "horizon", "run.seed=1,2", "hydra.x=1")) == 3


class TestPoints:
    """Lists of values on the command line, in Hydra's terms."""

    @pytest.mark.parametrize(
        ("setting", "values"),
        [
            ("run.seed=1,2", ["1", "2"]),
            ("run.seed=3,1,3", ["3", "1", "3"]),
            ("scenario=publisher,fixed_life", ["publisher", "fixed_life"]),
            ("run.seed=range(1,4)", ["1", "2", "3"]),
            ("run.seed=range(7,1,-3)", ["7", "4"]),
            ("discount_rate_annual=range(0.05,0.2,0.05)", ["0.05", "0.1", "0.15"]),
            ("run.seed=choice(4,5)", ["4", "5"]),
            ("run.seed=sort(3,1,2)", ["1", "2", "3"]),
            ("run.seed=tag(mine,choice(1,2))", ["1", "2"]),
            ("a.b=[0.1,0.2],[0.3]", ["[0.1,0.2]", "[0.3]"]),
            ("a.b={c:1},{c:2}", ["{c:1}", "{c:2}"]),
            ("label='a','b, c'", ["'a'", "'b, c'"]),
            ("run.threads=null,1", ["null", "1"]),
            ("+segments.rich.share=1,0.5", ["1", "0.5"]),
        ],
    )
    def test_lists(self, setting: str, values: list[str]) -> None:
        key = setting.partition("=")[0]
        found = points([setting])
        assert [point.settings for point in found] == [(f"{key}={value}",) for value in values]
        assert [point.varied for point in found] == [{key.lstrip("+"): value} for value in values]

    @pytest.mark.parametrize(
        "setting",
        [
            "a.b=[0.1,0.2]",
            "label='a, b'",
            'label="a, b"',
            "label=中文",
            "label=中,文",
            "~acquisition",
            "label=a b",
            "horizon = 1,2",
            "run.seed=1,",
        ],
    )
    def test_single_values_stay_as_they_are(self, setting: str) -> None:
        (point,) = points([setting])
        assert (point.varied, point.settings) == ({}, (setting,))

    def test_the_last_key_is_fastest(self) -> None:
        found = points(["a=1,2", "c=5", "b=3,4"])
        assert [point.settings for point in found] == [
            ("a=1", "c=5", "b=3"),
            ("a=1", "c=5", "b=4"),
            ("a=2", "c=5", "b=3"),
            ("a=2", "c=5", "b=4"),
        ]
        assert [point.varied for point in found][1] == {"a": "1", "b": "4"}
        assert points([]) == points(["a=1"])[:0] + points([])

    def test_the_last_of_a_key_counts(self) -> None:
        assert [point.settings for point in points(["a=1,2", "b=1", "a=3"])] == [("a=3", "b=1")]
        assert [point.settings for point in points(["a=1", "a=2,3"])] == [("a=2",), ("a=3",)]

    def test_values_are_those_that_load_reads(self) -> None:
        labels = [load("lifecycle", *point.settings).label for point in points(["label=${currency},b c,'d, e',x\\,y"])]
        assert labels == ["USD", "b c", "d, e", "x,y"]

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ("a=range(5,5)", "a: lists no value (got range(5,5)); range(1,4) is 1, 2, 3"),
            ("a=range(1,2,step=0)", "a: must lead from its start to its end in steps that are not 0"),
            ("a=range(1.0,2.0,step=0)", "a: must lead from its start to its end in steps that are not 0"),
            ("a=1,range(1,3)", "a: a list cannot hold range() or choice() (got 1,range(1,3)); list the values themselves"),
            ("a=glob(*)", "a: only values with commas between them, choice() and range() can be run through"),
            ("a=interval(1,2)", "a: only values with commas between them"),
            ("a=shuffle(1,2)", "a: only values with commas between them"),
            ("a=range(0,1000000000)", "-m: must come to at most 10,000 runs"),
        ],
    )
    def test_lists_that_cannot_be_run_through(self, setting: str, said: str) -> None:
        with pytest.raises(ScenarioError) as caught:
            points([setting])
        (fault,) = caught.value.faults
        assert str(fault).startswith(said)

    def test_there_is_an_end(self) -> None:
        assert len(points(["a=range(0,100)", "b=range(0,100)"])) == MOST_RUNS
        with pytest.raises(ScenarioError, match=r"^-m: must come to at most 10,000 runs \(got 10,100\); list fewer values$"):
            points(["a=range(0,100)", "b=range(0,101)"])


def test_files_that_a_scenario_is_made_of(tmp_path: Path) -> None:
    own = folder(tmp_path, top="defaults: [publisher_plus2, _self_]\n")
    assert [file.stem for file in origin("top", own)] == ["top", "publisher_plus2", "publisher"]
    assert origin("nothing") == ()


class TestOwnFolder:
    def test_wins_and_says_so(self, tmp_path: Path) -> None:
        own = folder(tmp_path / "mine", publisher=SMALL, new=SMALL)
        assert load("publisher", configs=own).label == "小案例"
        assert load("sbg_regular", configs=own).label == scenarios()["sbg_regular"]
        assert scenarios(own)["new"] == scenarios(own)["publisher"] == "小案例"
        assert set(scenarios(own)) == {*SHIPS, "new"}
        assert shadowed(own) == (f"{own}/scenario/publisher.yaml: used instead of the publisher that ships",)
        assert shadowed() == ()
        assert load("publisher").label != "小案例"

    def test_builds_on_what_ships(self, tmp_path: Path) -> None:
        own = folder(tmp_path, dear="defaults: [publisher, _self_]\nlabel: Dear\nacquisition: {cost: 90}\n")
        found = differences(load("dear", configs=own).model_dump(), load("publisher").model_dump())
        assert found == {"name", "label", "acquisition.cost"}

    def test_what_ships_builds_on_it(self, tmp_path: Path) -> None:
        text = (ROOT / "configs/scenario/publisher.yaml").read_text(encoding="utf-8").replace("cost: 50", "cost: 77")
        assert load("publisher_plus2", configs=folder(tmp_path, publisher=text)).acquisition.cost == 77

    @pytest.mark.parametrize("name", ["with space", "brackets [a] (b)", "中文", "quote's", "a=b,c", "per%20cent#$"])
    def test_odd_paths_and_names(self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        own = folder(tmp_path / name, **{name: SMALL})
        scenario = load(name, "stages.weg.label=走了", configs=own)
        assert (scenario.name, scenario.stages["aktiv"].label, scenario.stages["weg"].label) == (name, "活跃客户", "走了")
        monkeypatch.chdir(tmp_path)
        assert load(name, configs=name).name == name

    def test_no_such_folder(self, tmp_path: Path) -> None:
        (found,) = refused("publisher", configs=tmp_path / "none")
        assert found.startswith("--configs: no such folder (got '")
        (found,) = refused("publisher", configs=tmp_path)
        assert found.startswith("--configs: must hold a folder named scenario or policy (got '")
        with pytest.raises(ScenarioError, match="no such folder"):
            scenarios(tmp_path / "none")

    def test_unknown_scenario(self, tmp_path: Path) -> None:
        (found,) = refused("publishr")
        assert found.startswith(
            "scenario: no such scenario (got 'publishr'); did you mean publisher?; for one of your own add --configs DIR"
        )
        (found,) = refused("meinfall", configs=folder(tmp_path, **{"mein-fall": SMALL}))
        assert found == "scenario: no such scenario (got 'meinfall'); did you mean mein-fall?"
        (found,) = refused("shop", configs=tmp_path)
        assert found == f"scenario: no such scenario (got 'shop'); {tmp_path} has mein-fall"
        (tmp_path / "bare" / "policy").mkdir(parents=True)
        assert refused("shop", configs=tmp_path / "bare")[0].endswith("bare has no scenario/NAME.yaml")

    def test_path_for_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = folder(tmp_path, shop=SMALL)
        monkeypatch.chdir(tmp_path)
        said = "scenario: a scenario is named, not given as a path (got '{}'); {}"
        shop, old = ((own / "scenario" / name).relative_to(tmp_path) for name in ("shop.yaml", "old.yml"))
        shown = own.relative_to(tmp_path)
        assert refused(str(shop)) == [said.format(shop, f"write --configs {shown} scenario=shop")]
        assert refused("../scenario/publisher") == [said.format("../scenario/publisher", "did you mean publisher?")]
        assert refused("shop.yaml", configs=own) == [said.format("shop.yaml", "did you mean shop?")]
        (ships,) = origin("publisher")
        assert refused(str(ships))[0].endswith("; write scenario=publisher")
        old.write_text(SMALL, encoding="utf-8")
        assert refused("old", configs=own) == ["scenario: no such scenario, but there is old.yml (got 'old'); rename it to old.yaml"]
        assert refused(str(old))[0].endswith(f"; rename it to old.yaml and write --configs {shown} scenario=old")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("period: month\nstages: [1,\nb: 3\n", "bad.yaml:4:1: broken YAML: expected ',' or ']', but got '<stream end>'"),
            ("period: month\n\thorizon: 3\n", "bad.yaml:2:1: broken YAML: found character '\\t' that cannot start any token"),
            ("period: month\nperiod: year\n", "bad.yaml:2:1: broken YAML: found duplicate key period"),
            ("a: !!python/object:os.system x\n", "bad.yaml:1:4: broken YAML: could not determine a constructor for the tag"),
            ("a: \x07\n", "bad.yaml: broken YAML: unacceptable character"),
            ("a: &a [*a]\n", "bad.yaml: a value must not contain itself"),
            ("- 1\n- 2\n", "bad.yaml: must be a mapping of keys to values"),
            ("3\n", "bad.yaml: must be a mapping of keys to values"),
            ("a: ${\n", "bad.yaml: must be a mapping of keys to values"),
            ("defaults: publisher\n", "bad.yaml: defaults: must be a list of names of scenarios and _self_ (got 'publisher')"),
            ("defaults: [{a: b}, _self_]\n", "bad.yaml: defaults: must be a list of names of scenarios and _self_"),
            ("defaults: [publisher]\n", "bad.yaml: defaults: must have _self_ after what this file changes"),
            ("defaults: [bad, _self_]\n", "bad.yaml: defaults: a scenario cannot build on itself (got 'bad'); give the file another name"),
            ("defaults: [publishr, _self_]\n", "bad.yaml: defaults: no such scenario (got 'publishr'); did you mean publisher?"),
            ("hydra: {run: {dir: x}}\n", "hydra: unknown key; take it out of "),
            ("name: other\n", "name: a scenario is named by its file, here bad (got 'other'); leave it out; the label is free"),
        ],
    )
    def test_broken_files(self, tmp_path: Path, text: str, said: str) -> None:
        own = folder(tmp_path, bad=text)
        (found,) = refused("bad", configs=own)
        assert said in found
        assert scenarios(own)["bad"] in ("", "(cannot be read)")

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        own = folder(tmp_path)
        (own / "scenario" / "bad.yaml").write_bytes(b"label: \xff\n")
        assert "bad.yaml: must be text in UTF-8, is not at byte 7" in refused("bad", configs=own)[0]
        assert scenarios(own)["bad"] == "(cannot be read)"

    def test_a_broken_file_below_another(self, tmp_path: Path) -> None:
        own = folder(tmp_path, bad="a: [\n", top="defaults: [bad, _self_]\n")
        assert "bad.yaml:2:1: broken YAML" in refused("top", configs=own)[0]

    def test_a_key_that_yaml_reads_as_false(self, tmp_path: Path) -> None:
        own = folder(tmp_path, norway=SMALL + "segments:\n  no: {share: 1}\n")
        (found,) = refused("norway", configs=own)
        assert found.startswith("segments.false: a key must be text (got false); YAML reads unquoted no, off, yes and on as false and true")

    def test_nothing_is_instantiated(self, tmp_path: Path) -> None:
        own = folder(tmp_path, bad=SMALL + f"_target_: builtins.open\n_args_: ['{tmp_path}/made', w]\n")
        assert [line.partition(":")[0] for line in refused("bad", configs=own)] == ["_args_", "_target_"]
        assert not (tmp_path / "made").exists()


class TestManners:
    def test_writes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        load("publisher")
        assert os.listdir(tmp_path) == []

    def test_leaves_somebody_elses_hydra_alone(self, tmp_path: Path) -> None:
        import hydra
        from hydra.core.global_hydra import GlobalHydra

        own = folder(tmp_path, publisher=SMALL)
        with hydra.initialize_config_dir(str(own / "scenario"), version_base="1.3"):
            outside = GlobalHydra.instance().hydra
            assert load("fixed_life", configs=own).label != "小案例"
            assert GlobalHydra.instance().hydra is outside
            assert hydra.compose("publisher").label == "小案例"

    def test_threads_do_not_mix(self, tmp_path: Path) -> None:
        own = folder(tmp_path, publisher=SMALL)
        found: list[tuple[bool, str]] = []

        def work(mine: bool) -> None:
            found.append((mine, load("publisher", configs=own if mine else None).label))

        threads = [threading.Thread(target=work, args=(k % 2 == 0,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted([(True, "小案例")] * 4 + [(False, scenarios()["publisher"])] * 4)

    def test_listing_loads_little(self) -> None:
        heavy = ("hydra", "omegaconf", "numpy", "numba", "pandas")
        code = f"import sys, sim.config; sim.config.scenarios(); print([name for name in {heavy} if name in sys.modules])"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
        assert said.stdout.strip() == "[]"
