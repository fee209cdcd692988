"""The quickstart notebook runs and shows what it promises; a folder that cannot be written stops nothing but writing there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "quickstart.ipynb"

# In a process of its own, for the sockets that Jupyter leaves to the end of it. The kernel is this interpreter, whatever others are known.
EXECUTE = """
import sys
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

class ThisPython(KernelSpecManager):
    def get_kernel_spec(self, kernel_name):
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")

notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, km=AsyncKernelManager(kernel_spec_manager=ThisPython()), timeout=280).execute()
nbformat.write(notebook, "executed.ipynb")
"""


def run(code: str, *words: str, cwd: Path, changed: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own that finds the package."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | changed
    return subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.jit
def test_the_notebook_runs_and_shows(tmp_path: Path) -> None:
    done = run(EXECUTE, str(PAGE), cwd=tmp_path, changed={"IPYTHONDIR": str(tmp_path / "ipython")})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "quickstart-run" / "report.html").is_file()
    shown: dict[str, Any] = {}
    for cell in json.loads((tmp_path / "executed.ipynb").read_text())["cells"]:
        for output in cell.get("outputs", []):
            assert output["output_type"] in ("execute_result", "stream")
            assert output.get("name") != "stderr", output
            shown.setdefault(cell["source"][-1], {}).update(output.get("data", {}))
    for name in ("scenario", "result", "exact"):
        assert "<table" in "".join(shown[name]["text/html"])
    for name in ("result.plot.clv()", "result.plot.occupancy()", "cash"):
        assert "<svg" in "".join(shown[name]["image/svg+xml"])


def test_the_notebook_is_committed_without_outputs() -> None:
    notebook = json.loads(PAGE.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert {key: cell[key] for cell in notebook["cells"] for key in ("outputs", "execution_count") if cell.get(key)} == {}


NOWHERE = """
import sim
result = sim.simulate(sim.load("publisher", "run.customers=50"))
assert "<svg" in result.plot.retention().svg()
try:
    sim.write_run(result)
except sim.ScenarioError as error:
    print(error)
"""


@pytest.mark.jit
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="where not even root can write is known on Linux only")
def test_a_folder_that_cannot_be_written_stops_writing_alone(tmp_path: Path) -> None:
    nowhere = {name: f"/proc/{name}" for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")}
    done = run(NOWHERE, cwd=Path("/proc"), changed={"NUMBA_DISABLE_JIT": "1", "TMPDIR": str(tmp_path), **nowhere})
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "/proc/results" in line
    assert "cannot be written" in line
