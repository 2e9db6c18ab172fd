"""The model card of a bundle (Mitchell et al., "Model Cards for Model Reporting", 2019)."""

from __future__ import annotations

from typing import Any

_PURPOSE = {
    "lines": "Reads one line of Latin handwriting or print from its image: a CRNN trained with CTC.",
    "detector": "Finds the handwritten and printed lines of a page: a fully convolutional network that marks the "
    "core of each line and how far it reaches above and below its baseline.",
}
_LIMITS = {
    "lines": "English and French hands of today are what it knows best. Historical hands, vertical text, formulas "
    "and scripts other than Latin it does not know. It decides letter by letter: names and numbers deserve a look.",
    "detector": "Lines that are written more than about 12 degrees askew, in circles or between other lines may be "
    "missed. Drawings with letter-like strokes may be taken for lines.",
}
_TERMS = """The weights learned from the IAM Handwriting Database, whose terms allow **research and other
non-commercial use only**, and from Brown corpus text (non-commercial): the same holds for these weights.
Other sources: "Copiste d'un jour" (CC BY 4.0), handwriting fonts (OFL 1.1 and Apache 2.0), public-domain
English texts. The code is Apache-2.0."""
_DETECTOR_TERMS = """The weights learned from the IAM Handwriting Database, whose terms allow **research and other
non-commercial use only**: the same holds for these weights. Other sources: "Copiste d'un jour" (CC BY 4.0),
letters of J. D. Hooker (CC BY-SA 4.0, images (c) RBG Kew), the Lathrop memorials and wills of French
soldiers (CC BY 4.0), synthetic pages from fonts (OFL 1.1 and Apache 2.0). The code is Apache-2.0."""


def model_card(data: dict[str, Any]) -> str:
    """The card as Markdown, from the content of bundle.json."""
    task, provenance = data["task"], data["provenance"]
    parts = [
        f"# Model card: {data['name']} {data['version']}",
        _PURPOSE[task],
        "## Scores",
        _scores(data["scores"]),
        "## Training",
        f"Experiment `{provenance['experiment']['name']}` ({provenance['experiment']['network']['name']}, "
        f"{provenance['parameters'] / 1e6:.2f} million parameters), {provenance['epochs']} epochs, "
        f"{provenance['steps']} steps, exported {provenance['exported']}. The experiment is kept in `bundle.json`.",
        "## Limits",
        _LIMITS[task],
        "## Terms",
        _TERMS if task == "lines" else _DETECTOR_TERMS,
    ]
    return "\n\n".join(parts) + "\n"


def _scores(scores: dict[str, Any]) -> str:
    if not scores:
        return "Not measured."
    rows = ["| set | measure | value |", "|---|---|---|"]
    for name, measures in scores.items():
        rows += [f"| {name} | {measure} | {value} |" for measure, value in measures.items()]
    return "\n".join(rows) + "\n\nMade by `text-recognizer export`; `text-recognizer evaluate` prints them again."
