"""The gate: whether a bundle may be promoted, and every reason why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text_recognizer.images import CHARACTER_VERSION, NORMALIZATION_VERSION
from text_recognizer.learning.evaluation.suites.readers import open_reader
from text_recognizer.learning.evaluation.suites.run import SuiteResult, run_suite
from text_recognizer.learning.evaluation.suites.suite import Suite
from text_recognizer.recognition.bundle import SHIPPED, BundleError, bundle_task, file_hash, find_bundle, load_bundle
from text_recognizer.recognition.registry import current, slot_of
from text_recognizer.recognition.text.language_model import TASK as LANGUAGE_TASK


@dataclass(frozen=True)
class Verdict:
    """What the gate says. damage: why the bundle cannot be used at all, which nobody can overrule; refusals: why it
    should not be promoted."""

    results: Sequence[SuiteResult] = ()
    damage: Sequence[str] = ()
    refusals: Sequence[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Both."""
        return [*self.damage, *self.refusals]

    def evidence(self) -> dict[str, Any]:
        """For the history."""
        return {
            "suites": [result.suite.identity for result in self.results],
            "compared_with": self.results[0].production if self.results else None,
            "scores": {result.suite.name: result.scores() for result in self.results},
            "refusals": list(self.refusals),
        }


def in_production(slot: str, registry: Path | None = None) -> Path:
    """The bundle that reads for everybody: what was promoted, until then the shipped one. Raises RegistryError."""
    there = current("production", slot, registry)
    return there.path if there else SHIPPED / slot


def judge(
    bundle: Path, suites: Sequence[Suite], production: Path | None, say: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Check the bundle, run the suites on it beside production, and gather what speaks against it.

    Raises ValueError where a suite has nothing for bundles of its kind, FileNotFoundError where data are missing.
    """
    if damage := damages(bundle):
        return Verdict(damage=damage)
    slot = slot_of(bundle_task(bundle))
    for suite in suites:  # before the first of them takes its minutes
        suite.of(slot)
    results = [run_suite(suite, bundle, production, say) for suite in suites]
    problems = [problem for found in results for problem in found.problems]
    return Verdict(results, (), without_card(bundle) + learned_by_heart(bundle, suites) + problems)


def damages(bundle: Path) -> list[str]:
    """Why a bundle cannot be used: damaged, for a newer program, with other weights than it names."""
    try:
        task = bundle_task(bundle)
        slot_of(task)
        version = CHARACTER_VERSION if task == "characters" else NORMALIZATION_VERSION
        settings = load_bundle(bundle, task, version).settings
        found = _other_weights(bundle) + _missing_partners(bundle, settings)
        if not found:
            open_reader(bundle)
    except (KeyError, TypeError) as error:
        return [f"{bundle / 'bundle.json'} is damaged: it lacks {error}"]
    except (ValueError, OSError) as error:
        return [" ".join(str(error).split())]
    return found


def without_card(bundle: Path) -> list[str]:
    """Whether the model card is missing, or says nothing of scores and limits."""
    path = bundle / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lacking = [f"## {title}" for title in ("Scores", "Training", "Limits", "Terms") if f"## {title}" not in text]
    if not text.strip():
        return [f"card: there is no model card at {path}; text-recognizer export writes one"]
    return [f"card: {path} lacks {', '.join(lacking)}"] if lacking else []


def learned_by_heart(bundle: Path, suites: Sequence[Suite]) -> list[str]:
    """Sets of the suites that the bundle says it learned from: what it reads there says nothing."""
    data = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    learned = data.get("provenance", {}).get("experiment", {}).get("data", {}).get("train", [])
    names = {str(source.get("name", "")) for source in learned if isinstance(source, dict)}
    asked = {_hands(name) for suite in suites for name in suite.of(slot_of(data["task"])).accuracy.sets}
    found = sorted(name for name in names if _hands(name) in asked)
    return [f"accuracy: it learned from {name}, which it is measured on" for name in found]


def _hands(name: str) -> str:
    """The dataset and split that a set is made of: lines, characters and pages of one split are of the same people."""
    return re.sub(r"^(recombined|stacked)-|-(characters|paragraphs|forms|pages)(?=-)", "", name)


def _other_weights(bundle: Path) -> list[str]:
    """Files whose SHA-256 is not the one that bundle.json names, of the bundle and of its members."""
    data = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    settings = data["settings"]
    members = settings.get("members", [])
    named = {} if members else {"model.onnx": data["sha256"]}
    if "decoder" in settings:
        named["decoder.onnx"] = settings["decoder"]["sha256"]
    found = []
    for name, expected in named.items():
        path = bundle / name
        if not path.is_file():
            found.append(f"{path} is missing")
        elif file_hash(path) != expected:
            found.append(f"{path} is not the file that its bundle.json names: it was changed, or is damaged")
    return found + [problem for member in members for problem in _other_weights(bundle / member)]


def _missing_partners(bundle: Path, settings: Any) -> list[str]:
    """The language model and the detector that a bundle of lines names must be there for whoever reads with it."""
    found = []
    for name, task in (("language", LANGUAGE_TASK), ("detector", "detector")):
        chosen = settings.get(name)
        if chosen is None:
            continue
        try:
            find_bundle(chosen, task)
        except BundleError as error:
            found.append(f"{bundle} names the {name} {chosen}: {error}")
            continue
        if Path(chosen).name != chosen and not Path(chosen).is_absolute():
            found.append(f"{bundle} names the {name} {chosen}, a folder that is there only from {Path.cwd()}")
    return found
