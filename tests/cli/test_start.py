"""What a start loads, and what the package offers by then."""

from pathlib import Path

import pytest

import sim
import sim.exact  # binds nothing: sim.exact stays the function
from tests.cli.running import CODE, process

LIGHT = {
    "package": "import sim",
    "load": "import sim; sim.load('publisher')",
    "help": f"import sys; sys.argv[1:] = ['simulate', '--help']; {CODE}",
    "list": f"import sys; sys.argv[1:] = ['simulate', '-m', 'scenario=publisher', 'run.seed=1,-1']; {CODE}",
    "refusal": f"import sys; sys.argv[1:] = ['simulate', 'scenario=publisher', 'run.seed=-1']; {CODE}",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_light_start_loads_neither_numba_nor_pandas(tmp_path: Path, code: str) -> None:
    heavy = {"numba", "pandas", "matplotlib", "scipy", "duckdb", "rich"}
    check = f"import atexit, sys\natexit.register(lambda: print('heavy:', *sorted({heavy} & set(sys.modules))))\n{code}"
    done = process(check, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_exact_is_the_function_whatever_was_imported() -> None:
    scenario = sim.load("fixed_life")
    assert callable(sim.exact)
    assert sim.exact(scenario).clv_mean is not None
    assert set(sim.__all__) <= set(dir(sim))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sim.nothing
    for name in sim.__all__:
        assert getattr(sim, name).__name__ == name
