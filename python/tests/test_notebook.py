"""The notebook of examples/, executed as it stands: from import to plot in ten lines."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

here = Path(__file__).resolve().parent


def test_a_notebook_shows_progress_and_a_plot(tmp_path: Path) -> None:
    notebook = nbformat.read(here.parent / "examples" / "monte_carlo.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = [line for cell in code for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 10
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for cell in code for output in cell.outputs if "data" in output]
    bars = [data["text/html"] for data in shown if "progressbar" in data.get("text/html", "")]
    # one place, which was updated to the end
    assert len(bars) == 1
    assert "done, 12 jobs: 12 done" in bars[0]
    assert any("image/png" in data for data in shown)
