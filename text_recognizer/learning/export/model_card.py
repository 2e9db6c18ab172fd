"""The model card of a bundle (Mitchell et al., "Model Cards for Model Reporting", 2019)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from text_recognizer.learning import tasks
from text_recognizer.learning.evaluation.calibration import RELIABILITY
from text_recognizer.recognition.text.language_model import TASK as LANGUAGE_TASK

_NETWORKS = {
    "crnn": "a CRNN",
    "lcnet-svtr": "an LCNet-SVTR (a convolutional network, attention and an LSTM)",
    "line-cnn": "a convolutional network that sees two characters at a time",
    "line-windows": "a convolutional network moved along the line,",
    "line-cnn-lstm": "a convolutional network and an LSTM",
    "line-cnn-transformer": "a convolutional network and a transformer that attends to what it saw",
    "resnet-transformer": "a residual network and a transformer that attends to what it saw",
    "ensemble": "several networks",
}
_LANGUAGE_PURPOSE = "Says how likely each character is after those before it, and so has a say in reading lines."
_LANGUAGE_LIMITS = (
    "It prefers what is usual in the texts that it learned from and forces nothing: what the network sees clearly "
    "stays as it is. Names, numbers and other languages gain little, or lose; `--language none` reads without it. Its "
    "weight and bonus were chosen on the sets above."
)
_SOURCES = {
    "iam": "the IAM Handwriting Database (research and other non-commercial use only)",
    "copiste": '"Copiste d\'un jour" (CC BY 4.0)',
    "hooker": "letters of J. D. Hooker (CC BY-SA 4.0, images (c) RBG Kew)",
    "lathrop": "the Lathrop memorials (CC BY 4.0)",
    "poilus": "wills of French soldiers (CC BY 4.0)",
    "emnist": "EMNIST (public domain)",
    "brown": "the Brown corpus (research and other non-commercial use only)",
    "sherlock_holmes": "stories of Sherlock Holmes (public domain)",
    "inaugural": "inaugural addresses of presidents (public domain)",
    "state_union": "State of the Union addresses (public domain)",
    "fonts": "handwriting fonts under OFL 1.1 and Apache 2.0",
    "synthetic": "synthetic handwriting: text of the Brown corpus (non-commercial) and public-domain English texts in "
    "fonts under OFL 1.1 and Apache 2.0 and in the typefaces of the machine",
    "synthetic-open": "synthetic handwriting: public-domain English texts in fonts under OFL 1.1 and Apache 2.0 and in "
    "the typefaces of the machine",
    "folder": "lines of the user's own",
    "pages": "pages of the user's own",
    "wordfreq": "the word frequencies of wordfreq (CC BY-SA 4.0)",
}
_DIAGRAM = (
    f"\n\n![Reliability]({RELIABILITY})\n\nHow often words are right that are read with some confidence: read "
    "greedily on the left, with the language model on the right. Fitted to the words of half of the writers, shown "
    "for the other half, both ways."
)
_NON_COMMERCIAL = ("iam", "synthetic", "brown")
_BROWN = "brown.txt"  # of the texts that synthetic handwriting shows, the one that is not free


def _sources(experiment: dict[str, Any]) -> list[str]:
    """The names of what an experiment learned from."""
    data = experiment["data"]
    sources = [source["name"].removeprefix("stacked-").removeprefix("recombined-") for source in data.get("train", [])]
    names = [name if name in _SOURCES else name.split("-")[0] for name in sources] + list(data.get("pages", []))
    if not data.get("synthetic"):
        return names
    return [*names, "synthetic-open" if _BROWN in data.get("without", []) else "synthetic"]


def _terms(names: list[str], start_from: str, origin: dict[str, str] | None = None) -> str:
    """What the weights learned from, under which terms. origin: whose weights they were at the very beginning."""
    used = [_SOURCES[name] for name in _SOURCES if name in names]
    used += [f"`{name}`" for name in dict.fromkeys(names) if name not in _SOURCES]
    text = (f"The weights learned from {'; '.join(used)}. " if used else "") + "The code is Apache-2.0."
    if start_from:
        text += f" Training began with the weights of `{start_from}`; what those learned from counts too."
    if origin:
        text += (
            f" At the very beginning the weights were those of {origin['name']}, copyright {origin['copyright']}, "
            f"under {origin['license']} ({origin['source']}); they were changed. The data that these were trained on "
            "are not published."
        )
    if any(name in _NON_COMMERCIAL for name in names):
        text += " **These weights may be used for research and other non-commercial purposes only.**"
    return text


def model_card(data: dict[str, Any], diagram: bool) -> str:
    """The card as Markdown, from the content of bundle.json; diagram: with that of the reliability."""
    describe = _language_model if data["task"] == LANGUAGE_TASK else _network
    card = describe(data)
    parts = [
        f"# Model card: {data['name']} {data['version']}",
        card.purpose,
        "## Scores",
        _scores(data, card.measured) + (_DIAGRAM if diagram else ""),
        "## Training",
        card.training,
        "## Limits",
        card.limits,
        "## Terms",
        card.terms,
    ]
    return "\n\n".join(parts) + "\n"


class _Card(NamedTuple):
    """The parts of a card that differ between networks and language models; measured: how to measure again."""

    purpose: str
    training: str
    limits: str
    terms: str
    measured: str


def _network(data: dict[str, Any]) -> _Card:
    """The card of a network."""
    task, provenance = tasks.find(data["task"]), data["provenance"]
    experiment = provenance["experiment"]
    network = experiment["network"]["name"]
    size = f"{network}, {provenance['parameters'] / 1e6:.2f} million parameters"
    if "pretrained" in provenance:
        training = f"Nothing was trained here ({size}). {_conversion(provenance['pretrained'])}"
    else:
        training = (
            f"Experiment `{experiment['name']}` ({size}), {provenance['epochs']} epochs, {provenance['steps']} steps, "
            f"exported {provenance['exported']}. The experiment is kept in `bundle.json`."
        )
    if runs := provenance.get("mean_of"):
        training += f" Its weights are the mean of those of the runs {', '.join(runs)}; steps are of all of them."
    if "share_of_new_weights" in provenance and "fine_tuned_from" not in provenance:
        training += (
            f" What it learned counts {provenance['share_of_new_weights']:.2f} in a mean with the "
            f"`{experiment.get('start_from', '')}` that it began with."
        )
    if whole := provenance.get("quantized_from"):
        training += f" Quantised from {whole}: it computes with 8-bit integers."
    training += _datasets(experiment.get("datasets", []))
    if "fine_tuned_from" in provenance:
        training += _fine_tuning(provenance)
    sources = _learned_from(provenance)
    return _Card(
        task.purpose(_NETWORKS.get(network, f"the network {network}")),
        training,
        task.limits(sources),
        _terms(sources, experiment.get("start_from", ""), provenance.get("pretrained") or experiment.get("pretrained")),
        f"Made by `text-recognizer export`; {_again(data, task.evaluate_command(data['name']))}",
    )


def _conversion(origin: dict[str, str]) -> str:
    """Where pre-trained weights come from and what was done to them."""
    return (
        f"The weights are those of {origin['name']}, read from `{origin['file']}` (SHA-256 `{origin['sha256']}`) of "
        f"the package {origin['package']}. What was changed: {origin['changes']}. A start for training: it reads worse "
        "than the original until it has learned on."
    )


def _again(data: dict[str, Any], command: str) -> str:
    """What the command prints that measures again."""
    if any("with the language model" in measured for measured in data["scores"]):
        return f"`{command}` prints the error rates again, `--language auto` those with the language model."
    return f"`{command}` prints them again."


def _learned_from(provenance: dict[str, Any]) -> list[str]:
    """The names of what a network learned from, before it was fine-tuned too."""
    return _sources(provenance["experiment"]) + _sources({"data": {"train": provenance.get("learned_before", [])}})


def _datasets(datasets: list[dict[str, Any]]) -> str:
    """The versions of folders of lines that were learned from, and the states of their projects."""
    text = ""
    for found in datasets:
        lines = ", ".join(f"{count} {split}" for split, count in found["lines"].items())
        text += f" Dataset {found['folder']}: version `{found['version']}`, lines: {lines}"
        text += "".join(f", {name} `{found[name]}`" for name in ("git", "dvc") if name in found) + "."
    return text


def _fine_tuning(provenance: dict[str, Any]) -> str:
    """What is to be said of a bundle that was fine-tuned."""
    text = f" Fine-tuned from {provenance['fine_tuned_from']}"
    if provenance["share_of_new_weights"] < 1:
        text += f"; its weights are a mean in which the new ones count {provenance['share_of_new_weights']:.2f}"
    better = provenance.get("better", True)
    return text + "." + ("" if better else " **It reads the lines that it was tuned for no better than before.**")


def _language_model(data: dict[str, Any]) -> _Card:
    """The card of a language model."""
    provenance = data["provenance"]
    texts = ", ".join(f"{name} {count:,}" for name, count in provenance["characters"].items())
    training = (
        f"An n-gram model of order {provenance['order']} with interpolated Kneser-Ney smoothing, made of so many "
        f"characters: {texts}; exported {provenance['exported']}."
    )
    names = [name.split("-")[0] for name in provenance["characters"]]
    if languages := provenance.get("vocabularies"):
        training += f" With it goes a list of {provenance['words']:,} words ({', '.join(languages)})."
        names.append("wordfreq")
    if with_lines := provenance.get("measured_with"):
        training += f" Measured with the line recogniser {with_lines}."
    command = f"text-recognizer evaluate --model {(with_lines or 'lines').split()[0]} --language {data['name']}"
    measured = f"Made by `text-recognizer language-model`; `{command}` prints those with it again."
    return _Card(_LANGUAGE_PURPOSE, training, _LANGUAGE_LIMITS, _terms(names, ""), measured)


def _scores(data: dict[str, Any], measured: str) -> str:
    """The scores as a table, and how they were made."""
    if not data["scores"]:
        return "Not measured."
    rows = ["| set | measure | value |", "|---|---|---|"]
    for name, measures in data["scores"].items():
        rows += [f"| {name} | {measure} | {value} |" for measure, value in measures.items()]
    return "\n".join(rows) + f"\n\n{measured}"


def write_description(folder: Path, data: dict[str, Any]) -> None:
    """Write bundle.json and the model card."""
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    (folder / "bundle.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(model_card(data, (folder / RELIABILITY).is_file()), encoding="utf-8")
