"""Datasets with versions, and projects under git and DVC: what is done again, what comes back, what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import Callback
from PIL import Image
from typer.testing import CliRunner

from tests.helpers.programs import forked_program
from tests.helpers.tiny_training import tiny
from text_recognizer import __version__
from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.own_folder import check_manifest, read_manifest
from text_recognizer.learning.experiments.fine_tuning import fine_tune
from text_recognizer.learning.experiments.run import train
from text_recognizer.learning.export.export import export_run
from text_recognizer.learning.synthesis.lines import SyntheticLines
from text_recognizer.paths import runs_dir

DVC = shutil.which("dvc") or shutil.which("dvc", path=str(Path(sys.executable).parent))
WITH_DVC = pytest.mark.skipif(
    not (DVC and shutil.which("git")), reason="a project needs git, and DVC, which the extra versions installs"
)
FIELDS = """
    trainer.epochs: 1
    trainer.limit: 0.1
    trainer.precision: 32-true
    data.columns: 3000
    data.workers: 0
"""


def read_table(folder: Path) -> list[dict[str, str]]:
    with (folder / "lines.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_table(folder: Path, rows: list[dict[str, str]]) -> None:
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    (folder / "lines.tsv").write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")


def change(folder: Path, number: int, **fields: str) -> None:
    """Edit a row of the table by hand."""
    rows = read_table(folder)
    rows[number] |= fields
    write_table(folder, rows)


@pytest.fixture(scope="module")
def drawn(line_cache) -> Path:
    """A dataset: twelve lines drawn with fonts, as `label scan` writes them."""
    folder = line_cache.parent / "my-lines"
    (folder / "lines").mkdir(parents=True)
    rows = []
    for number in range(12):
        image, label = SyntheticLines(seed=11)[number]
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        (folder / "lines" / f"m{number:02d}.png").write_bytes(buffer.getvalue())
        row = {"line_id": f"m{number:02d}", "split": "val" if number > 8 else "train", "writer": "me", "kind": "gray"}
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        rows.append({**row, "text": label.text, "sha256": digest, "source": "forms", "licence": "CC0"})
    write_table(folder, rows)
    return folder


@pytest.fixture(scope="module")
def start(line_cache) -> Path:
    """A tiny recogniser to begin with."""
    return export_run(train(tiny("--name=start")), line_cache / "start", "1", measure=False)


@pytest.fixture
def lines(drawn, tmp_path) -> Path:
    """A copy of it."""
    return shutil.copytree(drawn, tmp_path / "my-lines")


def test_the_version_is_of_what_the_rows_say_and_of_nothing_else(lines):
    version = read_manifest(lines).version
    rows = read_table(lines)
    write_table(lines, [{"page": "3", **row} for row in reversed(rows)])
    assert read_manifest(lines).version == version
    write_table(lines, [row | {"text": unicodedata.normalize("NFD", row["text"])} for row in rows])
    assert read_manifest(lines).version == version
    found = {version}
    for column in ("line_id", "split", "writer", "text", "sha256", "source", "licence"):
        write_table(lines, [rows[0] | {column: "other"}, *rows[1:]])
        found.add(read_manifest(lines).version)
    write_table(lines, rows[1:])
    found.add(read_manifest(lines).version)
    assert len(found) == 9
    without = [{name: value for name, value in row.items() if name != "licence"} for row in rows]
    write_table(lines, without)
    no_column = read_manifest(lines).version
    write_table(lines, [row | {"licence": ""} for row in rows])
    assert read_manifest(lines).version == no_column


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "lines.tsv").unlink(), "no lines.tsv"),
        (lambda folder: write_table(folder, [{"line_id": "a", "text": "b"}]), "no column split, writer"),
        (lambda folder: change(folder, 3, text="two\twords"), "line 5: not as many fields"),
        (lambda folder: change(folder, 3, text="two\nlines"), "line 5, 6: not as many fields"),
        (lambda folder: change(folder, 3, text=" "), "m03: no text"),
        (lambda folder: change(folder, 3, split="training"), "m03: of a split that is none of train, val, test"),
        (lambda folder: change(folder, 3, line_id="m04"), "m04: more than one row"),
        (lambda folder: change(folder, 3, line_id="../m03"), "'../m03': no name of a file"),
        (lambda folder: change(folder, 3, sha256="0" * 64), "m03: the image is not the one"),
        (lambda folder: (folder / "lines" / "m03.png").unlink(), "m03: the image in lines/ is missing"),
        (lambda folder: (folder / "lines.tsv").write_bytes(b"\xff\xfe"), "no table in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_said(lines, harm, said):
    check_manifest(read_manifest(lines))
    harm(lines)
    result = CliRunner().invoke(app, ["data", "version", str(lines)])
    assert result.exit_code == 2, result.output
    assert said in result.stderr


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Runs programs in the project, `text-recognizer` among them; gives exit code and output."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "text-recognizer"
    script.write_text("#!/bin/sh\nexec " + " ".join(forked_program()) + ' "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), str(Path(str(DVC)).parent), os.environ["PATH"]]))
    monkeypatch.setenv("HOME", str(tmp_path))  # settings of git and DVC on this machine make no difference
    for name, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)

    def run(command: str) -> tuple[int, str]:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path / "project", capture_output=True, text=True, timeout=280
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.slow
@WITH_DVC
def test_only_what_changed_is_done_again_and_everything_comes_back(start, lines, tmp_path, shell):
    project = tmp_path / "project"
    made = CliRunner().invoke(app, ["project", "init", str(project), "--data", str(lines), "--from", str(start)])
    assert made.exit_code == 0, made.output
    data = project / "data" / "my-lines"
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("fields: {}", f"fields:{FIELDS.rstrip()}\n #"))
    assert shell("git status --short")[1].split() == ["M", "params.yaml"]

    code, said = shell("dvc repro")
    assert code == 0, said
    version = read_manifest(lines).version
    assert f"version {version[:8]}, 12 lines (9 train, 3 val)" in said
    bundle = json.loads((project / "model" / "bundle.json").read_text())
    described = bundle["provenance"]["experiment"]
    assert described["data_versions"]["my-lines-train"] == version[:8]
    [dataset] = described["datasets"]
    head = shell("git rev-parse HEAD")[1].strip()
    stored = (project / "data.dvc").read_text().split("md5: ")[1].split()[0]
    assert (dataset["version"], dataset["lines"]) == (version, {"train": 9, "val": 3})
    assert (dataset["git"], dataset["dvc"]) == (f"{head}-changed", stored)
    card = (project / "CARD.md").read_text()
    assert version in card
    assert f"| my-lines | `{version[:8]}` | 9 train, 3 val | 1 | forms | CC0 |" in card
    metrics = json.loads((project / "metrics.json").read_text())
    own = json.loads((project / "trained" / "metrics.json").read_text())
    for suffix, when in (("", "after"), ("_before", "before")):
        for name, measured in (("val", "own"), ("iam-val", "iam-val")):
            rates = {rate: metrics[name][f"{rate}{suffix}"] for rate in ("cer", "wer")}
            assert rates == own[when][measured]["language"]
    assert shell("git add -A && git commit -qm first")[0] == 0

    # Rows in another order, and a file that belongs to no line: nothing is trained anew.
    write_table(data, read_table(data)[::-1])
    (data / "contact-001.png").write_bytes(b"")
    code, said = shell("dvc repro")
    assert code == 0, said
    assert "Running stage 'prepare'" in said
    assert said.count("didn't change, skipping") == 4

    # The store is away: nothing is lost, and the stages do without it.
    (tmp_path / "project-storage").write_text("no folder")
    assert shell("dvc push")[0] != 0
    (tmp_path / "project-storage").unlink()
    code, said = shell("dvc push")
    assert code == 0, said
    written = {path.name: path.read_bytes() for path in (project / "model").iterdir()}
    for lost in (".dvc/cache", "data", "model"):
        shutil.rmtree(project / lost)
    code, said = shell("dvc pull")
    assert code == 0, said
    assert {path.name: path.read_bytes() for path in (project / "model").iterdir()} == written
    assert read_manifest(data).version == version

    # Another label: the data have another version, on which training depends.
    change(data, 11, text="another text")
    code, said = shell("dvc repro prepare")
    assert code == 0, said
    assert f"version {read_manifest(data).version[:8]}" in said
    assert "train:\n\tchanged deps:\n\t\tmodified:           prepared.json" in shell("dvc status train")[1]

    # Another version of the program is no silent change.
    params.write_text(params.read_text().replace(__version__, "0.0.1"))
    code, said = shell("text-recognizer project prepare")
    assert code == 2
    assert "asks for text-recognizer 0.0.1" in said


@WITH_DVC
@pytest.mark.parametrize(
    ("folder", "harm", "said"),
    [
        ("project", lambda patch: Path("project", "notes").mkdir(parents=True), "holds something"),
        ("project", lambda patch: patch.setenv("PATH", ""), "needs git, which is not installed"),
        ("project", lambda patch: patch.setenv("GIT_COMMITTER_NAME", ""), "does not know who you are"),
        (".", lambda patch: None, "holds something"),
    ],
)
def test_where_a_project_cannot_be(lines, tmp_path, shell, monkeypatch, folder, harm, said):
    monkeypatch.chdir(tmp_path)
    harm(monkeypatch)
    before = sorted(path for path in tmp_path.rglob("*"))
    result = CliRunner().invoke(app, ["project", "init", folder, "--data", str(lines)])
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert sorted(path for path in tmp_path.rglob("*")) == before


class CtrlC(Callback):
    """Presses Ctrl-C in the second step."""

    def on_before_backward(self, trainer, module, loss):
        if trainer.global_step == 1:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_a_training_that_was_interrupted_is_gone_on_with_unless_the_data_changed(start, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = shutil.copytree(lines, tmp_path / "data" / "my-lines")
    settings = f"name: hand\nversion: 1\nprogram: {__version__}\ntrain:\n  from: {start}\n  fields:"
    (tmp_path / "params.yaml").write_text(settings + FIELDS.replace("    ", "      ").replace("epochs: 1", "epochs: 2"))

    def stage(name: str) -> int:
        result = CliRunner().invoke(app, ["project", name])
        assert result.exit_code in (0, 130), result.output
        return result.exit_code

    def interrupted() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(
                fine_tune, "train", lambda *args, callbacks, **kw: train(*args, callbacks=[*callbacks, CtrlC()], **kw)
            )
            assert stage("train") == 130
        assert not (tmp_path / "trained").exists()

    assert stage("prepare") == 0
    interrupted()
    assert stage("train") == 0
    [run] = runs_dir().glob("hand-*")
    assert len(list(run.glob("logs/*"))) == 2  # begun, and gone on with
    assert json.loads((tmp_path / "trained" / "bundle.json").read_text())["provenance"]["epochs"] == 2
    change(data, 0, text="another text")
    assert stage("prepare") == 0
    shutil.rmtree(tmp_path / "trained")
    interrupted()
    assert len(list(runs_dir().glob("hand-*"))) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no params.yaml here"),
        ("name: [", "is no YAML"),
        (f"name: a\nversion: 1\nprogram: {__version__}\n", "lacks 'train'"),
        (f"name: a\nversion: 1\nprogram: {__version__}\ntrain: 7\n", "is not as `project init` writes it"),
        (f"name: a\nversion: 1\nprogram: {__version__}\ntrain: {{from: lines}}\n", "no data/*/lines.tsv"),
    ],
)
def test_a_stage_outside_of_a_project_says_so(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "params.yaml").write_text(content)
    result = CliRunner().invoke(app, ["project", "prepare"])
    assert result.exit_code == 2, result.output
    assert said in result.stderr
