"""Who gains and where paths part: against the customers themselves, followed; perfect targeting against a closed form."""

import math

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.engine.panel import follow
from sim.kernels.types import AFTER, PATTERNS, UNIT, Array
from sim.measures.classes import Ratings, classed, states
from sim.measures.gains import NEVER, Sums, parted, perfect, sums
from sim.measures.sums import Floats, money, per_sampled, squares
from sim.measures.targeting import qini
from sim.scenario import read
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from tests import zoo

pytestmark = pytest.mark.usefixtures("small_groups")


def stratified_error(values: Floats, cell: Array, weight: Floats) -> float:
    """Return the standard error of a mean over customers ``(n,)`` who are drawn cell by cell; weight: of each, 1 in all."""
    each = [values[cell == g] for g in np.unique(cell)]
    shares = [weight[cell == g].sum() for g in np.unique(cell)]
    return math.sqrt(sum(share**2 * one.var(ddof=1) / one.size for share, one in zip(shares, each, strict=True)))


def comparison(name: str, comparator: str = "none", **run: object) -> Comparison:
    """Return no policy, each policy of a treated scenario of the zoo, and all of them together."""
    whole = zoo.scenario(name, **run)
    plain = whole.model_copy(update={"policies": {}})
    each = [Arm(key, (key,), plain.model_copy(update={"policies": {key: one}})) for key, one in whole.policies.items()]
    return compared(plain, (Arm("none", (), plain), *each, Arm("all", tuple(whole.policies), whole)), comparator)


@pytest.mark.parametrize(
    ("name", "comparator"),
    [("treated_chain", "none"), ("treated_chain", "all"), pytest.param("treated_orders", "none", marks=pytest.mark.jit)],
)
def test_sums_are_those_of_customers_followed(name: str, comparator: str) -> None:
    """Exactly, by life pattern and by the stage where paths part, which another driver tells period by period; parting too."""
    found = comparison(name, comparator, customers=1300, keep_customers=True)
    sample, reference = found.results[0].sample, found.comparator
    counts, stages, patterns, clv = [cell.sampled for cell in sample.cells], [], [], []
    for arm, result in zip(found.arms, found.results, strict=True):
        stages.append(follow(compile_tables(arm.scenario), counts, sample.horizon).stage)
        assert result.outcome.kept is not None
        patterns.append(result.outcome.kept.pattern[0])
        clv.append(result.outcome.kept.clv[0, :, AFTER])
    for k in range(len(found.arms)):
        if k == reference:
            assert not found.paired.tally.against[k].any()
            continue
        apart, gap = stages[k] != stages[reference], clv[k] - clv[reference]
        when = np.where(apart.any(axis=0), apart.argmax(axis=0), 0)
        out_of = np.where(when > 0, stages[reference][when - 1, np.arange(when.size)], len(sample.stages))
        both = sums(found.paired, k, ())
        for cell, pattern, stage in np.ndindex(both.total.shape):
            mine = (sample.cell_of_row == cell) & (patterns[reference] == pattern) & (out_of == stage)
            here = [int(value) for value in gap[mine]]
            assert both.counts[cell, pattern, stage].tolist() == [len(here), sum(d > 0 for d in here), sum(d < 0 for d in here)]
            assert both.total[cell, pattern, stage] == sum(here)
            assert both.square[cell, pattern, stage] == sum(d * d for d in here)
            assert both.gained[cell, pattern, stage] == sum(max(d, 0) for d in here)
            assert both.gained_square[cell, pattern, stage] == sum(max(d, 0) ** 2 for d in here)
        rows = found.who_gains[(found.who_gains["arm"] == found.ids[k]) & (found.who_gains["by"] == "pattern")]
        weight = found.paired.weights / found.paired.weights.sum()
        each = (weight / np.bincount(sample.cell_of_row, minlength=weight.size))[sample.cell_of_row]
        for row in rows.to_dict("records") if sample.independent else ():
            mine = gap / UNIT * (patterns[reference] == PATTERNS.index(row["id"]))
            assert row["part_se"] == pytest.approx(stratified_error(mine, sample.cell_of_row, each), rel=1e-6)
        for cell, stage, t in np.ndindex(found.paired.tally.parted[k].shape):
            mine = (sample.cell_of_row == cell) & (out_of == stage) & (when == t + 1)
            assert found.paired.tally.parted[k, cell, stage, t] == mine.sum()


@pytest.mark.parametrize("name", zoo.TREATED)
def test_groups_add_up_to_the_whole(name: str) -> None:
    """To the last digit in integers, whatever the comparator; and the frames' parts to the arm's difference."""
    for comparator in ("none", "all"):
        found = comparison(name, comparator, customers=400, replicates=2)
        for k, arm in enumerate(found.ids):
            if k == found.comparator:
                continue
            whole: Sums = sums(found.paired, k)
            counts, total, square = found.paired.sums(k, found.comparator, "clv")
            assert whole.counts[:, 1:].tolist() == counts[:, 1:].tolist()
            assert (whole.total.tolist(), whole.square.tolist()) == (total.tolist(), square.tolist())
            rows = found.who_gains[found.who_gains["arm"] == arm]
            for by in ("pattern", "stage"):
                mine = rows[rows["by"] == by]
                assert mine["share"].sum() == pytest.approx(1.0)
                assert mine["part"].sum() == pytest.approx(found.one(arm, "clv")["difference"], rel=1e-9, abs=1e-12)
                assert mine["gain"].sum() == pytest.approx(found.one(arm, "clv")["gain"])
            never = rows[rows["id"] == NEVER]["share"].sum()
            assert parted(found.paired, k)[0] == pytest.approx(1.0 - never)
            lives = found.results[found.comparator].patterns
            for row in rows[rows["by"] == "pattern"].itertuples():
                same = lives[(lives["by"] == "all") & (lives["pattern"] == row.id)]
                assert row.share == pytest.approx(same["share"].iloc[0])


def test_a_policy_without_effect_parts_no_paths() -> None:
    scenario = zoo.scenario("treated_chain", customers=300).model_copy(update={"policies": {}})
    dear = with_policies(scenario, {"dear": {"cost": {"per_contact": 1.0}}})
    found = compared(scenario, (Arm("none", (), scenario), Arm("dear", ("dear",), dear)))
    assert found.parting.empty
    assert found.table["parted"].tolist() == [0.0, 0.0]
    assert found.table["parted_at"].isna().all()
    assert set(found.who_gains[found.who_gains["by"] == "stage"]["id"]) == {NEVER}
    assert found.table["perfect"].tolist() == [0.0, 0.0]  # nobody gains: nobody is treated, as under the comparator


@pytest.mark.parametrize("cost", [0.5, 1.5])
def test_perfect_targeting_of_two_values(cost: float) -> None:
    """6 in 10 gain 2 - cost, the others lose cost: E max(d, 0) - max(E d, 0) in closed form, and its error; false alarm below 1e-4."""
    raw = {**zoo.one_stage({"probability": 0.2}, horizon=1, firm={}), "run": {"customers": 4000, "seed": 5}}
    raw["stages"] = {"customer": {"price": 20.0, "to": {"lost": {"probability": 0.2}}}, "lost": {"kind": "lost"}}
    scenario = read(raw)
    body = {"uptake": 0.6, "lasts": 1, "cost": {"per_contact": cost}, "effects": {"margin": 0.1}}
    found = compared(scenario, (Arm("none", (), scenario), Arm("gift", ("gift",), with_policies(scenario, {"gift": body}))))
    value, se = perfect(found.paired, 1)
    firm = float(found.results[0].sample.firm.sum())
    spared, chance = (cost, 0.4) if cost < 0.6 * 2.0 else (2.0 - cost, 0.6)  # nobody else is to be told apart
    assert abs(value - firm * chance * spared) < 4 * se
    assert se == pytest.approx(firm * spared * math.sqrt(0.24 / 4000), rel=0.03)
    assert perfect(found.paired, 0) == (0.0, 0.0)
    assert found.table["perfect"].iloc[1] == value


@pytest.mark.jit
def test_errors_over_market_paths_are_those_of_leaving_each_out() -> None:
    """Of who gains: the jackknife's over 40 paths, within 10 %, for groups that every path has."""
    whole = zoo.scenario("treated_minds", customers=300, replicates=40, keep_customers=True)
    plain = whole.model_copy(update={"policies": {}})
    found = compared(plain, (Arm("none", (), plain), Arm("all", tuple(whole.policies), whole)))
    theirs, mine = (result.outcome.kept for result in found.results)
    assert theirs is not None
    assert mine is not None
    sample = found.results[0].sample
    gap = (mine.clv[0, :, AFTER] - theirs.clv[0, :, AFTER]) / UNIT
    rate = np.tile(per_sampled(sample.customers, found.paired.weights)[sample.cell_of_row[: sample.simulated]], 40)
    path, rows = np.repeat(np.arange(40), sample.simulated), found.who_gains[found.who_gains["by"] == "pattern"]
    assert len(rows) > 1
    for row in rows.to_dict("records"):
        inside = theirs.pattern[0] == PATTERNS.index(row["id"])
        gained, customers = (np.bincount(path, weights=values * inside * rate, minlength=40) for values in (gap, np.ones(gap.size)))
        assert row["difference"] == pytest.approx(gained.sum() / customers.sum(), rel=1e-9)
        without = (gained.sum() - gained) / (customers.sum() - customers)
        assert row["se"] == pytest.approx(math.sqrt(39 / 40 * ((without - without.mean()) ** 2).sum()), rel=0.1)
        assert row["high"] - row["difference"] == pytest.approx(found.paired.width * row["se"])
        added = gained / np.bincount(path, weights=rate, minlength=40)
        assert row["part_se"] == pytest.approx(added.std(ddof=1) / math.sqrt(40), rel=1e-9)


def test_sums_by_market_path() -> None:
    """Of each path: what customers gain and who is kept are those of the customers; cost is that of a policy without effects."""
    whole = zoo.scenario("treated_minds", customers=200, replicates=8, keep_customers=True)
    plain = whole.model_copy(update={"policies": {}})
    dear = with_policies(plain, {"dear": {"when": {"every": 2}, "cost": {"per_contact": 1.0, "per_uptake": 3.0}, "uptake": 0.5}})
    found = compared(plain, (Arm("none", (), plain), Arm("all", tuple(whole.policies), whole), Arm("dear", ("dear",), dear)))
    kept = [result.outcome.kept for result in found.results]
    year = min(plain.periods_per_year, int(plain.horizon))
    n = found.results[0].sample.simulated
    for replicate in range(8):
        mine = slice(replicate * n, (replicate + 1) * n)
        for k, one in enumerate(kept):
            assert one is not None
            assert kept[0] is not None
            gap = one.clv[0, mine, AFTER] - kept[0].clv[0, mine, AFTER]
            cost, stay, gained = money(found.paired.tally.paths[replicate, k]).sum(axis=0)
            assert gained == np.maximum(gap, 0).sum()
            lost = (one.lost_at[0, mine] >= 0) & (one.lost_at[0, mine] < year)
            assert stay == n - lost.sum()
            if k == 2:
                assert cost == -gap.sum()
            if k > 0:
                groups = found.paired.tally.gains[replicate, k].sum(axis=0)
                theirs = kept[0].pattern[0, mine]
                for place, pattern in enumerate(PATTERNS):
                    assert groups[place, 0] == (theirs == place).sum(), pattern
                    assert money(groups[place, 1:]) == gap[theirs == place].sum()
                by_life, by_stage = groups[: len(PATTERNS)], groups[len(PATTERNS) :]
                assert by_stage[:, 0].sum() == n
                assert money(by_stage[:, 1:]).sum() == money(by_life[:, 1:]).sum() == gap.sum()
    row = found.table.iloc[1]
    for name in ("gain_se", "kept_se", "perfect_se", "difference_se"):
        assert 0 < row[name] < math.inf
    assert row["roi_low"] < row["roi"] < row["roi_high"]
    every = found.differences
    assert every[(every["arm"] == "all") & (every["by"] == "all")]["se"].notna().all()
    gross, cost, net = (found.paired.path_cells(1, name) - found.paired.path_cells(0, name) for name in ("gross", "policy_cost", "clv"))
    np.testing.assert_allclose(gross - cost, net, atol=1e-9)
    survival = found.results[1].retention.query("by == 'all'")["survival"].iloc[year]
    assert found.paired.path_mean(1, "kept").mean() == pytest.approx(survival)


@pytest.mark.jit
def test_enough() -> None:
    """The share of paths on which equity reaches a level, by hand; by default the comparator's mean."""
    found = comparison("treated_minds", customers=200, replicates=12)
    equity = np.stack([result.replicates["equity"] for result in found.results])
    assert found.paths["enough"].tolist() == pytest.approx((equity >= equity[0].mean() - 1e-9).mean(axis=1).tolist())
    level = float(np.quantile(equity, 0.8))
    assert found.aspiring(level)["enough"].tolist() == pytest.approx((equity >= level).mean(axis=1).tolist())
    assert found.aspiring(-math.inf)["enough"].tolist() == [1.0] * len(found.arms)


@pytest.mark.jit
def test_batches_and_threads_change_nothing() -> None:
    one, other = (comparison("treated_orders", customers=5000, threads=threads).paired.tally for threads in (1, 3))
    for field in ("against", "parted", "paths"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert squares(one.against[..., 5:7]).sum() > 0


def test_qini_of_two_segments() -> None:
    """A lift of the margin is worth 4 to a quarter and 2 to the others: the area above random is share (1 - share) (4 - 2) / 2."""
    raw = {**zoo.one_stage({"probability": 0.2}, horizon=1, firm={}), "run": {"customers": 4000, "seed": 5, "keep_customers": True}}
    raw["stages"] = {"customer": {"price": 20.0, "to": {"lost": {"probability": 0.2}}}, "lost": {"kind": "lost"}}
    raw["segments"] = {"few": {"share": 0.75}, "rich": {"share": 0.25, "stages": {"customer": {"price": 40.0}}}}
    scenario = read(raw)
    lift = with_policies(scenario, {"lift": {"effects": {"margin": 0.1}}})
    found = compared(scenario, (Arm("none", (), scenario), Arm("lift", ("lift",), lift)))
    assert found.targeting["segment"].tolist() == ["rich", "few"]
    assert found.targeting["treated"].tolist() == pytest.approx([0.25, 1.0])
    assert found.targeting["gained"].tolist() == pytest.approx([1.0, 2.5])
    assert found.table["qini"].tolist() == pytest.approx([0.0, 0.25 * 0.75])
    cell = found.results[0].sample.cell_of_row
    best = found.by_score("lift", cell.astype(float))  # the second cell is that of the rich
    assert qini(best) == pytest.approx(0.25 * 0.75, abs=1e-3)
    assert qini(found.by_score("lift", -cell.astype(float))) == pytest.approx(-0.25 * 0.75, abs=1e-3)
    assert best["gained"].iloc[-1] == pytest.approx(found.table["difference"].iloc[1])
    assert found.by_score("lift", np.zeros(cell.size)).to_numpy() == pytest.approx(np.array([[1.0, 2.5, 2.5]]))
    assert qini(found.by_score("lift", np.zeros(cell.size))) == pytest.approx(0.0, abs=1e-12)  # a score that tells nothing
    with pytest.raises(ValueError, match="4,000 numbers"):
        found.by_score("lift", [1.0])
    without = scenario.model_copy(update={"run": scenario.run.model_copy(update={"keep_customers": False})})
    with pytest.raises(ValueError, match="keep_customers"):
        compared(without, (Arm("none", (), without), Arm("lift", ("lift",), lift))).by_score("lift", cell)


@pytest.mark.parametrize("name", ["treated_chain", pytest.param("treated_minds", marks=pytest.mark.jit)])
def test_gains_by_class_are_those_of_customers_followed(name: str) -> None:
    """A plain loop over customers and their classes under the comparator; of everybody the parts add up to the difference."""
    found = comparison(name, "steady" if name == "treated_chain" else "none", customers=900, panel=900)
    theirs = found.results[found.comparator].followed
    ratings = Ratings(theirs)
    weight = theirs.weight / theirs.weight.sum()
    for key, how in found.scenario.classifications.items():
        held = classed(ratings, how)
        for k, arm in enumerate(found.ids):
            mine = found.class_gains[(found.class_gains["arm"] == arm) & (found.class_gains["classification"] == key)]
            if k == found.comparator:
                assert mine.empty
                continue
            gap = (found.results[k].followed.panel.clv[-1] - theirs.panel.clv[-1]) / UNIT
            for (year, place), _ in np.ndenumerate(np.zeros((len(held), len(states(how))))):
                here = held[year] == place
                row = mine[(mine["year"] == year) & (mine["class"] == states(how)[place])]
                assert len(row) == here.any()
                if here.any():
                    wanted = [weight[here].sum(), (weight * gap)[here].sum() / weight[here].sum(), (weight * gap)[here].sum()]
                    assert row[["share", "difference", "part"]].iloc[0].tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-12)
                    if theirs.sample.independent:
                        assert row["part_se"].iloc[0] == pytest.approx(stratified_error(gap * here, theirs.panel.cell, weight), rel=1e-6)
                    sides = [weight[here & (gap > 0)].sum(), weight[here & (gap < 0)].sum()]
                    assert row[["gain", "lose"]].iloc[0].tolist() == pytest.approx(sides, abs=1e-12)
            whole = found.one(arm, "clv")  # everybody is followed
            assert mine[mine["year"] == 1]["part"].sum() == pytest.approx(whole["difference"], rel=1e-6, abs=1e-9)
            assert mine["se"].isna().all() == (not found.results[0].sample.independent)


def test_one_class_of_all_is_known_as_well_as_the_whole() -> None:
    found = comparison("treated_chain", customers=900, panel=900)
    arrival = found.class_gains[found.class_gains["year"] == 0]
    assert set(arrival["class"]) == {"unrated"}
    for arm in found.ids[1:]:
        row, whole = arrival[arrival["arm"] == arm].iloc[0], found.one(arm, "clv")
        assert [row["se"], row["low"], row["high"]] == pytest.approx([whole["se"], whole["low"], whole["high"]], rel=1e-6)


def test_no_gains_by_class_where_nobody_is_followed() -> None:
    found = comparison("treated_chain", customers=300)
    assert "class_gains" not in found.tables()
    with pytest.raises(AttributeError, match=r"run\.panel=10000"):
        _ = found.class_gains
