"""Fine-tuning, on a tiny recogniser and lines drawn with fonts: what goes in, what comes out, what is refused."""

import csv
import hashlib
import io
import json
import shutil
import signal

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from typer.testing import CliRunner

from tests.helpers.tiny_training import tiny
from tests.learning.datasets.test_page_xml import draw, page_xml
from text_recognizer.alphabet import Alphabet
from text_recognizer.cli.main import app
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import measure_lines
from text_recognizer.learning.experiments.fine_tuning import fine_tune as module
from text_recognizer.learning.experiments.fine_tuning.data import own_lines
from text_recognizer.learning.experiments.fine_tuning.fine_tune import METRICS, fine_tune
from text_recognizer.learning.experiments.run import train
from text_recognizer.learning.export.export import export_run
from text_recognizer.learning.export.quantize import quantize_bundle
from text_recognizer.learning.synthesis.lines import SyntheticLines
from text_recognizer.learning.tasks.warm_start import load_bundle_weights
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

pytestmark = pytest.mark.usefixtures("ctrl_c")
SMALL = [
    "--columns=3000",
    "--workers=0",
    "--precision=32-true",
    "--epochs=2",
    "--limit=0.1",
    "--optimization.learning_rate=0.01",
]
NEW = "ŵ"


@pytest.fixture(scope="module")
def start(line_cache):
    """A recogniser that learned from the tiny IAM."""
    return export_run(train(tiny("--name=start")), line_cache / "start", "1", measure=False)


def write_folder(folder, splits, text=None, more=""):
    """A folder of lines as `label scan` writes it. text: of the first line, instead of what is drawn. more: at the end
    of every line."""
    (folder / "lines").mkdir(parents=True)
    drawn = SyntheticLines(seed=11)
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(["line_id", "split", "writer", "text", "sha256", "source"])
        for number, split in enumerate(splits):
            image, label = drawn[number]
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            (folder / "lines" / f"m{number:02d}.png").write_bytes(buffer.getvalue())
            written = (text if text and number == 0 else label.text) + more
            sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
            writer.writerow([f"m{number:02d}", split, "me", written, sha256, "forms"])
    return folder


def test_before_and_after_are_measured_and_the_bundle_reads(start, line_cache, tmp_path):
    mine = write_folder(tmp_path / "mine", ["train"] * 12, f"a {NEW} and a")
    tuned = fine_tune(start, [mine], tmp_path / "tuned", "mine-run", overrides=SMALL)
    old, new = LineTextRecognizer(start), LineTextRecognizer(tuned.bundle)
    held = LineSource("folder", path=str(mine), hold=0.2, held=True)
    for scores, recognizer in ((tuned.before, old), (tuned.after, new)):
        for name, source in (("own", held), ("iam-val", LineSource("iam-val"))):
            rates, _ = measure_lines(recognizer, line_dataset(source))
            assert scores[name]["lines"] == rates.lines
            assert scores[name]["greedy"] == {"cer": round(100 * rates.cer, 2), "wer": round(100 * rates.wer, 2)}
    assert tuned.before["own"]["lines"] == 2
    assert tuned.before != tuned.after

    # The alphabet grew at its end, and the folder of the bundle says all that happened.
    assert new.alphabet.characters[: len(old.alphabet)] == (*old.alphabet.characters, NEW)
    assert any(NEW in note for note in tuned.notes)
    metrics = json.loads((tuned.bundle / METRICS).read_text())
    assert metrics == {"before": tuned.before, "after": tuned.after, "better": tuned.better}
    described = json.loads((tuned.bundle / "bundle.json").read_text())
    assert described["settings"]["language"] == "language"
    provenance = described["provenance"]
    assert provenance["fine_tuned_from"] == old.bundle.identity
    sources = provenance["experiment"]["data"]["train"]
    assert {source["name"] for source in sources} == {"folder", "iam-train"}
    assert provenance["experiment"]["data_versions"]["mine-train"]
    card = (tuned.bundle / "README.md").read_text()
    assert "before fine-tuning" in card
    assert "non-commercial" in card

    # The CNN stayed, the rest learned, and what was written is a mean of old and new.
    run = line_cache / "runs" / "mine-run"
    begun, ended = torch.load(run / "start.pt"), torch.load(run / "last.ckpt", weights_only=False)["state_dict"]
    changed = {name for name, weight in ended.items() if not torch.allclose(weight, begun[name])}
    assert not any(name.startswith("network.cnn") for name in changed)
    assert {"network.head.bias", "network.lstm.weight_ih_l0"} <= changed
    written = networks.build("crnn", classes=len(new.alphabet), **provenance["experiment"]["network"]["fields"])
    load_bundle_weights(written, tuned.bundle)
    mean = 0.25 * begun["network.head.bias"] + 0.75 * ended["network.head.bias"]
    assert torch.allclose(written.head.bias, mean, atol=1e-3)
    assert not torch.allclose(written.head.bias, ended["network.head.bias"], atol=1e-3)

    # What was tuned can be tuned again: the lines of before are then rehearsed.
    again = fine_tune(tuned.bundle, [mine], tmp_path / "again", "again-run", overrides=[*SMALL, "--epochs=1"])
    assert again.before["own"] == tuned.after["own"]
    assert LineTextRecognizer(again.bundle).alphabet == new.alphabet
    versions = json.loads((again.bundle / "bundle.json").read_text())["provenance"]["experiment"]["data_versions"]
    assert versions == provenance["experiment"]["data_versions"]  # with the new character, which it knows by now


def test_integers_learn_characters_that_every_line_holds(start, tmp_path):
    mine = write_folder(tmp_path / "mine", ["train"] * 10 + ["val"] * 2, more=f" {NEW}")
    begun = quantize_bundle(start, tmp_path / "begun", measure=False)
    tuned = fine_tune(begun, [mine], tmp_path / "tuned", "new-run", overrides=[*SMALL, "--epochs=1"])
    assert tuned.before["own"]["lines"] == tuned.after["own"]["lines"] == 2
    assert NEW in LineTextRecognizer(tuned.bundle).alphabet
    with pytest.raises(FileExistsError, match="made of"):
        fine_tune(begun, [mine], begun, "new-run", overrides=SMALL)
    assert LineTextRecognizer(begun).bundle.name == "begun"


def test_pages_can_be_learned_from_and_few_lines_are_set_apart(bare_data, tmp_path):
    for number in range(8):
        (tmp_path / "pages").mkdir(exist_ok=True)
        draw(tmp_path / "pages" / f"p{number}.png")
        (tmp_path / "pages" / f"p{number}.xml").write_text(page_xml(f"p{number}.png", "2019-07-15"), encoding="utf-8")
    mine = write_folder(tmp_path / "mine", ["train"] * 6)
    own = own_lines([tmp_path / "pages", mine], Alphabet())
    assert [source.name for source in own.train] == ["pages", "folder"]
    assert (own.train_lines, own.val_lines) == (14 + 5, 2 + 1)
    parts = [[label.identifier for label in line_dataset(part[1]).labels] for part in (own.train, own.val)]
    assert sorted(parts[0] + parts[1]) == [f"m{number:02d}" for number in range(6)]


class CtrlC(Callback):
    """Presses Ctrl-C in the second step."""

    def on_before_backward(self, trainer, module, loss):
        if trainer.global_step == 1:
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_was_stopped_goes_on(start, line_cache, tmp_path, monkeypatch):
    mine = write_folder(tmp_path / "mine", ["train"] * 10 + ["val"] * 2)
    command = ["train", "--from", str(start), "--data", str(mine), "--output", str(tmp_path / "tuned")]
    command += ["--name=stopped-run", *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr(
            module, "train", lambda *args, callbacks, **kw: train(*args, callbacks=[*callbacks, CtrlC()], **kw)
        )
        stopped = CliRunner().invoke(app, command)
    assert stopped.exit_code == 130
    assert "--resume" in stopped.stderr
    assert not (tmp_path / "tuned").exists()
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    finished = CliRunner().invoke(app, [*command, "--resume"])
    assert finished.exit_code == 0, finished.output
    assert "before -> after" in finished.output
    provenance = json.loads((tmp_path / "tuned" / "bundle.json").read_text())["provenance"]
    assert provenance["epochs"] == 2
    # The same command again, as a pipeline gives it: a finished run is made anew, with a limit of time here.
    limited = CliRunner().invoke(app, [*command, "--minutes", "0.0001"])
    assert limited.exit_code == 0, limited.output
    assert "stopped after 0.0001 minutes" in limited.output
    assert json.loads((tmp_path / "tuned" / "bundle.json").read_text())["provenance"]["steps"] == 1


def without_image(folder):
    (folder / "lines" / "m03.png").unlink()


def not_an_image(folder):
    path = folder / "lines" / "m03.png"
    table = (folder / "lines.tsv").read_text()
    broken = path.read_bytes()[:200]
    (folder / "lines.tsv").write_text(
        table.replace(hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(broken).hexdigest())
    )
    path.write_bytes(broken)


def with_tab(folder):
    table = (folder / "lines.tsv").read_text().splitlines()
    cells = table[4].split("\t")
    table[4] = "\t".join([*cells[:3], "two\twords", *cells[4:]])
    (folder / "lines.tsv").write_text("\n".join(table))


def with_newline(folder):
    table = (folder / "lines.tsv").read_text().splitlines()
    cells = table[4].split("\t")
    table[4] = "\t".join([*cells[:3], "two\nlines", *cells[4:]])
    (folder / "lines.tsv").write_text("\n".join(table))


@pytest.mark.parametrize(
    ("splits", "harm", "said"),
    [
        (["train"] * 9, None, "7 lines to learn from and 2 to measure with are too few"),
        (["val"] * 12, None, "no lines of split train"),
        (["train"] * 12, shutil.rmtree, "no folder"),
        (["train"] * 12, without_image, "m03.png is missing"),
        (["train"] * 12, not_an_image, "m03.png"),
        (["train"] * 12, with_tab, "line 5"),
        (["train"] * 12, with_newline, "line 5"),
    ],
    ids=["few", "val only", "nowhere", "no image", "broken image", "tab", "newline"],
)
def test_what_cannot_be_used_is_said(start, line_cache, tmp_path, splits, harm, said):
    mine = write_folder(tmp_path / "mine", splits)
    if harm:
        harm(mine)
    result = CliRunner().invoke(
        app, ["train", "--from", str(start), "--data", str(mine), "--output", str(tmp_path / "tuned")]
    )
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "lines"], "--data"),
        (["--from", "detector", "--data", "."], "not for 'lines'"),
        (["--data", "."], "--from"),
        ([], "--from"),
    ],
)
def test_what_is_missing_on_the_command_line_is_said(line_cache, arguments, said):
    result = CliRunner().invoke(app, ["train", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
