"""Notebooks are stored without outputs and run over a run folder."""

from pathlib import Path

import nbformat
import papermill
import pytest

from tests.pipeline import sample_run

NOTEBOOKS = sorted(Path("pipeline/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("is_whole", [True, False])
def test_overview_runs(tmp_path: Path, is_whole: bool) -> None:
    root = str(tmp_path / "run")
    if is_whole:
        sample_run.write_run(root)
    else:
        sample_run.write_synthetic(root)
    done = tmp_path / "done.ipynb"
    papermill.execute_notebook(
        "pipeline/notebooks/overview.ipynb", str(done), parameters={"root": root}, progress_bar=False
    )
    text = done.read_text(encoding="utf-8")
    assert "wrong_answer" in text
    assert "<math" in text, "math is rendered"
    assert "<script>alert" not in text.replace("&lt;", "")
    if is_whole:
        assert "<msubsup>" in text or "<munderover>" in text
        assert "&lt;script&gt;alert(1)" in text
    else:
        assert "no scored table yet" in text
