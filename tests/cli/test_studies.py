"""``clvsim sensitivity``, ``uncertainty`` and ``optimise``: what is printed, what lies in the folder, what is refused."""

from pathlib import Path

import pytest

from tests.cli.running import SMALL, Clvsim, refused

RATE = "vary.discount_rate_annual={low: 0.05, high: 0.2}"
DOUBT = "vary.discount_rate_annual={distribution: normal, mean: 0.1, sd: 0.02}"

DRAWN = {
    "sensitivity": ({"indices"}, {"sobol", "points"}, (RATE, "points=8")),
    "uncertainty": ({"outcomes", "spread"}, {"uncertainty", "points"}, (DOUBT, "points=32")),
    "optimise": ({"search"}, {"search"}, (RATE, "trials=3")),
}


@pytest.mark.jit
@pytest.mark.parametrize("verb", DRAWN)
@pytest.mark.parametrize("columns", ["80", "40"])
def test_they_write_a_folder_and_say_what_is_in_it(
    clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    figures, tables, settings = DRAWN[verb]
    done = clvsim(verb, *SMALL, *settings, "out=st")
    assert (done.code, done.err) == (0, "")
    assert max(len(line) for line in done.out.splitlines() if str(tmp_path) not in line) <= int(columns)
    assert done.out.startswith("scenario   publisher")
    assert "found      " in done.out
    out = tmp_path / "st"
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    drawn = {f"figures/{name}.{kind}" for name in figures for kind in ("svg", "png", "csv")}
    held = {f"tables/{name}.{kind}" for name in tables for kind in ("csv", "parquet")}
    assert files == {"config.yaml", "study.yaml", "study.json", "manifest.json", "report.html", *drawn, *held}
    assert clvsim("verify", "st").code == 0


@pytest.mark.parametrize(
    ("verb", "settings", "patterns"),
    [
        ("sensitivity", (RATE, "method=sobl"), [r"method: must be one of sobol, morris, tornado \(got 'sobl'\)"]),
        ("sensitivity", (RATE, "points=12"), [r"points: must be a power of two"]),
        ("sensitivity", ("points=8",), [r"vary: must name something that varies"]),
        ("uncertainty", (DOUBT, "points=3"), [r"points: must be at least 30 draws"]),
        ("uncertainty", (DOUBT, "trials=many"), [r"trials: must be a list of numbers"]),
        ("uncertainty", ("vary.horizon={distribution: normal, mean: 5}",), [r"vary.horizon.sd: must be given: normal has mean, sd$"]),
        (
            "uncertainty",
            (DOUBT, "trials=[1e15]"),
            [r"trials: must be at most 1,000 customers, all that the firm has .*\(got \[1000000000000000.0\]\)"],
        ),
        ("sensitivity", (RATE, "policies=[none]", "measure=gain"), [r"measure: is of none over itself, which is always 0"]),
        ("sensitivity", (RATE, "policies=[none]", "measure=spent"), [r"measure: is of no policy, which costs nothing"]),
        ("optimise", (RATE, "policies=[none]", "objectives={gain: max}"), [r"objectives: is of none over itself"]),
        ("uncertainty", (DOUBT, "policies=[gift]"), [r"policies: no such policy \(got 'gift'\); did you mean gifts"]),
        ("optimise", (RATE, "objectives=equity"), [r"objectives: must be a mapping"]),
        ("optimise", (DOUBT,), [r"vary.discount_rate_annual: must be a range or a list"]),
        ("optimise", (RATE, "limits={spend: 5}"), [r"limits: must be one of equity"]),
        (
            "optimise",
            ("vary.discount_rate={low: 0.1, high: 0.2}",),
            [r"vary.discount_rate: unknown parameter.*discount_rate_annual"],
        ),
        (
            "sensitivity",
            (RATE, "correlations={a: {b: 0.5}}"),
            [r"correlations.a.b: a does not vary", r"correlations.a.b: b does not"],
        ),
    ],
)
def test_what_is_refused(clvsim: Clvsim, tmp_path: Path, verb: str, settings: tuple[str, ...], patterns: list[str]) -> None:
    import re

    lines = refused(clvsim, verb, *SMALL, *settings)
    assert len(lines) == len(patterns), lines
    for pattern in patterns:
        assert any(re.match(pattern, line) for line in lines), lines
    assert list(tmp_path.iterdir()) == []
