"""``clvsim scenarios``: what there is to run."""

import re
from pathlib import Path

from tests.cli.running import Clvsim


def test_scenarios_lists_own_ones_too_and_says_which_win(clvsim: Clvsim, tmp_path: Path) -> None:
    listed = clvsim("scenarios").out.splitlines()
    assert any(re.match(r"publisher +\S", line) for line in listed)
    own = tmp_path / "own [1] 客户" / "scenario"
    own.mkdir(parents=True)
    for name in ("mine", "publisher"):
        (own / f"{name}.yaml").write_text("defaults: [fixed_life, _self_]\nlabel: 我的\n", encoding="utf-8")
    done = clvsim("scenarios", "--configs", str(own.parent))
    assert len(done.out.splitlines()) == len(listed) + 1
    assert re.search(r"^mine +我的$", done.out, re.MULTILINE)
    assert re.fullmatch(r"clvsim: note: .*publisher\.yaml: used instead of .*publisher that ships\n", done.err)
