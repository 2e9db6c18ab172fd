"""The stages of a project, as its dvc.yaml names them; each works in the project's folder.

Heavy modules are imported by the stages that need them: every stage is a process of its own.

What a project's model is worth: its lines that were not learned from, read by the recogniser before and after.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.atomic_files import whole_folder, write_file
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.own_folder import check_manifest, read_manifest
from text_recognizer.learning.datasets.sources import LineSource, lines_within
from text_recognizer.learning.evaluation.error_rates import decoded_texts, error_rates
from text_recognizer.learning.experiments.fine_tuning.data import own_lines
from text_recognizer.learning.project.settings import Params, read_params
from text_recognizer.lines_tsv import TABLE
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import load_bundle
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer

DATA, TRAINED, MODEL = Path("data"), Path("trained"), Path("model")
PREPARED, METRICS, CARD = Path("prepared.json"), Path("metrics.json"), Path("CARD.md")
TRAINING_PLOT, LINES_PLOT = Path("plots/training.csv"), Path("plots/lines.csv")

_BUNDLE_METRICS = "metrics.json"  # what fine-tuning writes into its bundle


def datasets() -> list[Path]:
    """The folders of `data`, each a dataset. Raises FileNotFoundError where there is none."""
    found = sorted(path.parent for path in DATA.glob(f"*/{TABLE}"))
    if not found:
        raise FileNotFoundError(
            f"there is no {DATA}/*/{TABLE}: each dataset is a folder in {DATA}/; `dvc pull` brings what was pushed"
        )
    return found


def prepare() -> list[str]:
    """Check every dataset and write prepared.json: of each its version and what it holds. Returns a line for each.

    Raises ValueError that says what is wrong with a dataset, FileNotFoundError where there is none.
    """
    read_params()
    described, said = {}, []
    for folder in datasets():
        manifest = read_manifest(folder)
        check_manifest(manifest)
        described[folder.name] = {
            "version": manifest.version,
            "lines": manifest.counts("split"),
            "characters": sum(len(normalize_text(row["text"])) for row in manifest.rows),
            **{f"{column}s": manifest.counts(column) for column in ("writer", "source", "licence")},
        }
        splits = ", ".join(f"{count} {split}" for split, count in manifest.counts("split").items())
        said.append(f"{folder}: version {manifest.short_version}, {len(manifest.rows)} lines ({splits})")
    _write_json(PREPARED, described)
    return said


def train() -> list[str]:
    """Fine-tune on all datasets into `trained`. Returns what is to be said of the result.

    The run's name holds a key of what it depends on, so an interrupted one is gone on with, and one of other data or
    settings is another run. Errors as of `fine_tune`.
    """
    from text_recognizer.learning.experiments.fine_tuning.evaluate import verdict
    from text_recognizer.learning.experiments.fine_tuning.fine_tune import METRICS as DONE
    from text_recognizer.learning.experiments.fine_tuning.fine_tune import fine_tune

    params = read_params()
    name = f"{params.name}-{_key(params)}"
    folder = runs_dir() / name
    stopped = (folder / "last.ckpt").is_file() and not (folder / DONE).is_file()
    tuned = fine_tune(
        params.start,
        datasets(),
        output=TRAINED,
        name=name,
        minutes=params.minutes,
        resume=stopped,
        overrides=params.overrides(),
    )
    _write_csv(TRAINING_PLOT, ("epoch", "cer"), _curve(folder, tuned.before["own"]["greedy"]["cer"]))
    return verdict(tuned.before, tuned.after)


def _key(params: Params) -> str:
    from text_recognizer.recognition.bundle import file_hash, find_bundle

    start = file_hash(find_bundle(params.start) / "bundle.json")
    return fingerprint(PREPARED.read_bytes(), start, params.minutes, dict(params.fields))


def _curve(run: Path, before: float) -> list[tuple[object, ...]]:
    """Epoch and CER % letter by letter, the mean over the validation sets; epoch 0 is before training."""
    found: dict[int, float] = {0: before}
    for path in sorted(run.glob("logs/*/metrics.csv"), key=lambda path: path.stat().st_mtime):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rates = [float(value) for name, value in row.items() if name.endswith("/cer") and value]
                if rates:
                    found[int(row["epoch"]) + 1] = round(100 * sum(rates) / len(rates), 2)
    return sorted(found.items())


def evaluate() -> list[str]:
    """Read the lines of val and test, with the recogniser as it was and as it is, into metrics.json and a plot of the
    lines. Returns a line a set."""

    params = read_params()
    lines = measured_lines(params.start, TRAINED, datasets())
    old = _read_json(TRAINED / _BUNDLE_METRICS)
    metrics = summarized(lines, old)
    _write_csv(LINES_PLOT, ("line", "errors", "errors_before", "characters"), [line.row() for line in lines])
    _write_json(METRICS, metrics)
    return [
        f"{name}: CER {found['cer_before']:.2f} -> {found['cer']:.2f} %, WER {found['wer_before']:.2f} -> "
        f"{found['wer']:.2f} %"
        for name, found in metrics.items()
    ]


def export() -> list[str]:
    """Write the bundle under the model's name and version, with the measurements in it, into `model`."""
    from text_recognizer.learning.export.model_card import write_description

    params = read_params()
    description = _read_json(TRAINED / "bundle.json")
    metrics = _read_json(METRICS)
    description |= {"name": params.name, "version": params.version}
    description["provenance"]["project"] = {"metrics": metrics}
    with whole_folder(MODEL, replace=True) as partial:
        shutil.copytree(TRAINED, partial, dirs_exist_ok=True)
        write_description(partial, description)
    return [f"wrote {MODEL}: {params.name} {params.version}"]


def card() -> list[str]:
    """Write CARD.md: the bundle's card, with the data that it learned from."""
    read_params()
    text = (MODEL / "README.md").read_text(encoding="utf-8").replace("](", f"]({MODEL}/")  # its pictures lie there
    measured = _read_json(MODEL / "bundle.json")["provenance"]["project"]["metrics"]
    parts = [text.rstrip(), "## Data", _data_table(_read_json(PREPARED)), "## Measured", _metrics_table(measured)]
    write_file(CARD, ("\n\n".join(parts) + "\n").encode())
    return [f"wrote {CARD}"]


def _data_table(prepared: dict[str, Any]) -> str:
    rows = ["| dataset | version | lines | writers | sources | licences |", "|---|---|---|---|---|---|"]
    for name, found in prepared.items():
        lines = ", ".join(f"{count} {split}" for split, count in found["lines"].items())
        named = (", ".join(found[column]) or "not stated" for column in ("sources", "licences"))
        rows.append(f"| {name} | `{found['version'][:8]}` | {lines} | {len(found['writers'])} | {' | '.join(named)} |")
    return "\n".join(rows)


def _metrics_table(metrics: dict[str, Any]) -> str:
    rows = ["| set | lines | CER % before | CER % | WER % before | WER % |", "|---|---|---|---|---|---|"]
    for name, found in metrics.items():
        rates = " | ".join(f"{found[key]:.2f}" for key in ("cer_before", "cer", "wer_before", "wer"))
        rows.append(f"| {name} | {found['lines']} | {rates} |")
    return "\n".join(rows) + "\n\nWith the language model."


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: `dvc repro` makes it, `dvc pull` brings what was pushed")
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def _write_csv(path: Path, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    write_file(path, text.getvalue().encode())


@dataclass(frozen=True)
class MeasuredLine:
    """A line, its split, its true text, and what was read in it, before and after training."""

    split: str
    identifier: str
    text: str
    before: str
    after: str

    def row(self) -> tuple[object, ...]:
        """Identifier, characters that are wrong after and before (edits), and how many characters it has."""
        errors = (Levenshtein.distance(read, self.text) for read in (self.after, self.before))
        return (self.identifier, *errors, len(self.text))


def measured_lines(start: str | Path, trained: Path, folders: Sequence[Path]) -> list[MeasuredLine]:
    """The lines of val (or set apart for it) and of test, read with the language model that goes with each bundle."""
    alphabet = Alphabet(load_bundle(trained, "lines", NORMALIZATION_VERSION).settings["alphabet"])
    sources = own_lines(folders, alphabet).val
    sources += [
        LineSource("folder", path=str(folder.resolve()), split="test")
        for folder in folders
        if "test" in read_manifest(folder).counts("split")
    ]
    found = [(source.split, lines_within(source, alphabet, True)) for source in sources]
    before, after = (_read(bundle, [lines for _, lines in found]) for bundle in (start, trained))
    labels = [("test" if split == "test" else "val", label) for split, lines in found for label in lines.labels]
    return [
        MeasuredLine(split, label.identifier, label.text, old, new)
        for (split, label), old, new in zip(labels, before, after, strict=True)
    ]


def _read(bundle: str | Path, sets: Sequence[LineDataset]) -> list[str]:
    recognizer = LineTextRecognizer(bundle, language=OWN_LANGUAGE)
    logits = recognizer.logits([lines[number][0] for lines in sets for number in range(len(lines))])
    return decoded_texts(recognizer, recognizer.decode(logits, use_language=True))


def summarized(lines: Sequence[MeasuredLine], tuning: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Error rates of each split, and of the sets on which the old skill was measured, in percent.

    tuning: what fine-tuning wrote, its `before` and `after`.
    """
    found: dict[str, dict[str, float]] = {}
    for split in dict.fromkeys(line.split for line in lines):
        mine = [line for line in lines if line.split == split]
        texts = [line.text for line in mine]
        found[split] = {"lines": len(mine)}
        for suffix, read in (("", [line.after for line in mine]), ("_before", [line.before for line in mine])):
            rates = error_rates(read, texts)
            found[split] |= {f"cer{suffix}": round(100 * rates.cer, 2), f"wer{suffix}": round(100 * rates.wer, 2)}
    for name, after in tuning["after"].items():
        if name != "own":
            old, new = tuning["before"][name]["language"], after["language"]
            rates_of = {f"{rate}{suffix}": of[rate] for suffix, of in (("", new), ("_before", old)) for rate in of}
            found[name] = {"lines": after["lines"], **rates_of}
    return found
