"""The model card of a bundle (Mitchell et al., "Model Cards for Model Reporting", 2019)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PURPOSE = {
    "lines": "Reads one line of Latin handwriting or print from its image: {network} trained with CTC.",
    "attention-lines": "Reads one line of Latin handwriting or print, character by character: {network}.",
    "paragraphs": "Reads one paragraph of Latin handwriting without finding its lines first: {network}.",
    "detector": "Finds the handwritten and printed lines of a page: a fully convolutional network that marks the "
    "core of each line and how far it reaches above and below its baseline.",
    "language-model": "Says how likely each character is after those before it, and so has a say in reading lines.",
    "characters": "Reads one character from its image: a digit, a capital or a small letter of the English alphabet.",
}
_NETWORKS = {
    "crnn": "a CRNN",
    "line-cnn": "a convolutional network that sees two characters at a time",
    "line-windows": "a convolutional network moved along the line,",
    "line-cnn-lstm": "a convolutional network and an LSTM",
    "line-cnn-transformer": "a convolutional network and a transformer that attends to what it saw",
    "resnet-transformer": "a residual network and a transformer that attends to what it saw",
    "ensemble": "several networks",
}
_LIMITS = {
    "lines": "{hands} it reads far worse; vertical text, formulas and scripts other than Latin it does "
    "not know. It decides letter by letter: names and numbers deserve a look.",
    "attention-lines": "As it knows what it wrote before, it may write a likely word where another one stands, or lose "
    "its way and leave words out.",
    "paragraphs": "One column of English handwriting of today, of two to a dozen lines, upright, is what it knows. It "
    "may write a likely word where another one stands, lose its way, and leave a line out or read one twice. Boxes of "
    "words are where its attention was. Finding the lines and reading each of them makes fewer errors.",
    "detector": "It learned from pages turned by up to 12 degrees: lines more askew, in circles or "
    "between other lines may be missed. Drawings with letter-like strokes may be taken for lines.",
    "language-model": "It prefers what is usual in the texts that it learned from and forces nothing: what the network "
    "sees clearly stays as it is. Names, numbers and other languages gain little, or lose; `--language none` reads "
    "without it. Its weight and bonus were chosen on the sets above.",
    "characters": "It always answers with one of its 62 classes: signs and accented letters it does not know. The size "
    "of a character is normalised away, so c and C, o, O and 0, s and S, l, I and 1 are easily confused. It answers "
    "classes about as often as they occur in the text that it learned from: what may be a small letter, a capital or a "
    "digit is read as a small letter, so capitals and digits are read far worse than small letters (the class mean "
    "counts them all alike). The characters that it was measured on were cut out of lines by a line recogniser, and "
    "only those that it was sure of, so that others may be harder.",
}
_HANDS = {
    "fr": "English and French hands of today are what it knows best. Historical hands",
    "en": "English hands of today are what it knows best. French and historical hands",
}
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
RELIABILITY = "reliability.png"  # in the bundle's folder
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


def _terms(names: list[str], start_from: str) -> str:
    """What the weights learned from, under which terms."""
    used = [_SOURCES[name] for name in _SOURCES if name in names]
    used += [f"`{name}`" for name in dict.fromkeys(names) if name not in _SOURCES]
    text = f"The weights learned from {'; '.join(used)}. The code is Apache-2.0."
    if start_from:
        text += f" Training began with the weights of `{start_from}`; what those learned from counts too."
    if any(name in _NON_COMMERCIAL for name in names):
        text += " **These weights may be used for research and other non-commercial purposes only.**"
    return text


def model_card(data: dict[str, Any], diagram: bool) -> str:
    """The card as Markdown, from the content of bundle.json; diagram: with that of the reliability."""
    task, provenance = data["task"], data["provenance"]
    describe = _language_model if task == "language-model" else _network
    purpose, training, terms = describe(task, provenance)
    parts = [
        f"# Model card: {data['name']} {data['version']}",
        purpose,
        "## Scores",
        _scores(data) + (_DIAGRAM if diagram else ""),
        "## Training",
        training,
        "## Limits",
        _limits(task, provenance),
        "## Terms",
        terms,
    ]
    return "\n\n".join(parts) + "\n"


def _network(task: str, provenance: dict[str, Any]) -> tuple[str, str, str]:
    """Purpose, training and terms of a network."""
    experiment = provenance["experiment"]
    network = experiment["network"]["name"]
    training = (
        f"Experiment `{experiment['name']}` ({network}, "
        f"{provenance['parameters'] / 1e6:.2f} million parameters), {provenance['epochs']} epochs, "
        f"{provenance['steps']} steps, exported {provenance['exported']}. The experiment is kept in `bundle.json`."
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
    purpose = _PURPOSE[task].format(network=_NETWORKS.get(network, f"the network {network}"))
    return purpose, training, _terms(_learned_from(provenance), experiment.get("start_from", ""))


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


def _language_model(task: str, provenance: dict[str, Any]) -> tuple[str, str, str]:
    """Purpose, training and terms of a language model."""
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
    return _PURPOSE[task], training, _terms(names, "")


def _limits(task: str, provenance: dict[str, Any]) -> str:
    """What the model does not do well."""
    if task != "lines":
        return _LIMITS[task]
    return _LIMITS[task].format(hands=_HANDS["fr" if "copiste" in _learned_from(provenance) else "en"])


def _scores(data: dict[str, Any]) -> str:
    """The scores as a table, and the commands that make them."""
    scores, task = data["scores"], data["task"]
    if not scores:
        return "Not measured."
    rows = ["| set | measure | value |", "|---|---|---|"]
    for name, measures in scores.items():
        rows += [f"| {name} | {measure} | {value} |" for measure, value in measures.items()]
    made = "language-model" if task == "language-model" else "export"
    return "\n".join(rows) + f"\n\nMade by `text-recognizer {made}`; {_again(data)}"


def _again(data: dict[str, Any]) -> str:
    """The command that measures again."""
    name, command = data["name"], "`text-recognizer evaluate"
    if data["task"] == "detector":
        return f"{command} --pages --detector {name}` prints them again."
    if data["task"] == "language-model":
        reader = data["provenance"].get("measured_with", "lines").split()[0]
        return f"{command} --model {reader} --language {name}` prints those with it again."
    if any("with the language model" in measured for measured in data["scores"]):
        return (
            f"{command} --model {name}` prints the error rates again, `--language auto` those with the language model."
        )
    return f"{command} --model {name}` prints them again."


def write_description(folder: Path, data: dict[str, Any]) -> None:
    """Write bundle.json and the model card."""
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    (folder / "bundle.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(model_card(data, (folder / RELIABILITY).is_file()), encoding="utf-8")
