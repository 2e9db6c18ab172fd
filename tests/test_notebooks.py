"""Notebooks run from start to end on small data, and are stored without outputs."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")
pytest.importorskip("ipykernel", reason="the extra `notebooks` is not installed")

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
def test_all_notebooks_run(tiny_data):
    """In one kernel, which loads PyTorch once, emptied of names before each notebook."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT / "notebooks"))
    try:
        for path in NOTEBOOKS:
            notebook = nbformat.read(path, as_version=4)
            notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
            client = nbclient.NotebookClient(notebook, km=manager, timeout=120)
            client.execute(reset_kc=True, cleanup_kc=False)
            pictures = [
                output
                for cell in notebook.cells
                for output in cell.get("outputs", ())
                if "image/png" in output.get("data", {})
            ]
            assert pictures, path.name
    finally:
        manager.shutdown_kernel(now=True)
