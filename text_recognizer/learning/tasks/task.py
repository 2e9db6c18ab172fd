"""What a task is: one object that holds all that training, exporting and evaluating must know of it.

The five tasks of this package, and those of others, are subclasses of `Task` that are registered by name:

    @register("lines")
    class LineTask(Task[LineExperiment]): ...

`docs/how-to/add-a-task.md` shows a whole one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import lightning
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from text_recognizer.alphabet import WESTERN_CHARACTERS, Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.evaluation.measures import Measure
from text_recognizer.learning.tasks.base import DataModule, NetworkChoice, Optimization, Trainer
from text_recognizer.recognition.bundle import Bundle

#: What a run's `experiment.json` or a bundle's provenance says of an experiment.
Described = Mapping[str, Any]

#: Input images (1, 1, H, W) float32, as quantisation wants them.
Batches = Iterator[NDArray[np.float32]]


class Experiment(Protocol):
    """The sections that the experiment of every task has; a dataclass, from which the YAML schema follows."""

    name: str
    task: str
    seed: int
    network: NetworkChoice
    data: Any
    optimization: Optimization
    trainer: Trainer


ExperimentT = TypeVar("ExperimentT", bound=Experiment)


@dataclass(frozen=True)
class EvaluationOptions:
    """What `text-recognizer evaluate` is asked for; a task takes what concerns it.

    sources: sets to measure on, empty for the task's own. detector, language: shipped names, folders, "auto" or "none".
    tta: views of each line for test-time augmentation. pages: measure whole pages too. worst: samples with the
    most errors to print. confusion: PNG to write the confusion matrix to.
    """

    sources: Sequence[str] = ()
    detector: str = "auto"
    language: str = "none"
    tta: int = 1
    pages: bool = False
    worst: int = 0
    confusion: Path | None = None


class Task(ABC, Generic[ExperimentT]):
    """One task: its experiment, how it is trained, measured and exported, and what its model card says.

    name: set by `register`. experiment: the dataclass of its YAML. measures: what a validation logs of each set, the
    main one first. losses: what it logs besides, for sweeps to follow. overfit_loss: only a network that knows its
    batches by heart reaches a lower one. one_process: it cannot be trained in several. shuffled_by_lightning: Lightning
    shares its samples out among processes; otherwise its own sampler does. normalization: version of the images that it
    reads. evaluation_sets: data sets that its bundles are measured on. kind: what its bundles are called among the
    members of an ensemble, "" where none is made of them. quantizable: whether `quantization_batches` is there.
    """

    name: ClassVar[str]
    experiment: type[ExperimentT]
    measures: tuple[Measure, ...]
    losses: tuple[Measure, ...] = ()
    overfit_loss: float
    one_process: bool = False
    shuffled_by_lightning: bool = False
    normalization: int = NORMALIZATION_VERSION
    evaluation_sets: tuple[str, ...] = ()
    kind: str = ""
    quantizable: bool = False

    # Training

    def check(self, experiment: ExperimentT) -> None:
        """Raise ValueError for what is wrong with an experiment, before any data are loaded."""
        if self.one_process and experiment.trainer.devices * experiment.trainer.nodes > 1:
            raise ValueError(f"{self.name} are learned by one process: trainer.devices and trainer.nodes must be 1")

    def resolved(self, experiment: ExperimentT) -> ExperimentT:
        """The experiment as it is run: with the shape of the network that it begins with, without missing data."""
        return experiment

    def resumed(self, experiment: ExperimentT, begun: Described) -> tuple[ExperimentT, Alphabet | None]:  # noqa: ARG002
        """The experiment of a run that goes on, and its alphabet where that was made at the beginning.

        begun: what the run wrote down then; labels or bundles may have changed since.
        """
        return experiment, None

    @abstractmethod
    def build(
        self, experiment: ExperimentT, alphabet: Alphabet | None = None
    ) -> tuple[lightning.LightningModule, DataModule]:
        """The Lightning module and the data of a resolved experiment. Reads data, where they are not yet cached.

        alphabet: of a run that goes on, otherwise what the experiment asks for.
        """

    def begin(self, experiment: ExperimentT, module: lightning.LightningModule, data: DataModule) -> None:
        """Begin with the weights that the experiment names, if any."""

    def origin(self, experiment: ExperimentT) -> dict[str, str]:  # noqa: ARG002
        """Whose pre-trained weights the run began with at the very beginning; a model card has to say it."""
        return {}

    def learn_by_heart(self, module: lightning.LightningModule, data: DataModule) -> None:  # noqa: ARG002
        """Switch off what helps to generalise but keeps the loss up, dropout excepted."""
        data.without_augmentation()

    def judged_loss(self, module: lightning.LightningModule, loss: Tensor) -> Tensor:  # noqa: ARG002
        """The part of a step's loss that says whether a batch is known by heart."""
        return loss

    def validation_sets(self, experiment: ExperimentT) -> list[str]:
        """The names under which a validation logs its measures."""
        return [getattr(source, "title", source.name) for source in experiment.data.val]

    def alphabet(self, module: lightning.LightningModule) -> str:  # noqa: ARG002
        """What a run writes down as its characters."""
        return "".join(Alphabet().characters)

    # Export

    def classes(self, alphabet: Alphabet) -> int | None:
        """Answers of the network for an alphabet, None where it has no classes."""
        return len(alphabet)

    def network(self, experiment: Described, weights: Mapping[str, Tensor], alphabet: Alphabet) -> nn.Module:
        """The trained network as it is exported."""
        choice, classes = experiment["network"], self.classes(alphabet)
        fields = choice["fields"] if classes is None else {"classes": classes, **choice["fields"]}
        network = networks.build(choice["name"], **fields)
        network.load_state_dict(weights)
        return network

    @abstractmethod
    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:
        """What reading needs to know: `settings` of bundle.json."""

    def stretched(self, settings: Mapping[str, Any], stretch: float) -> dict[str, Any]:
        """Settings with lines made wider for reading. Raises ValueError where the task reads no lines."""
        if stretch != 1:
            raise ValueError(f"only lines are stretched for reading, and this run is of task {self.name}")
        return dict(settings)

    def partners(self, language: str, detector: str) -> dict[str, str]:  # noqa: ARG002
        """Settings that name the bundles that go with this one: language model and detector."""
        return {}

    def interpolated_with_start(
        self,
        experiment: dict[str, Any],  # noqa: ARG002
        weights: dict[str, Tensor],  # noqa: ARG002
        alpha: float,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Weights interpolated with those that the run began with; alpha: weight of its own. Raises ValueError."""
        raise ValueError("only a line recogniser that began with a bundle (start_from) can be interpolated with it")

    def quantization_batches(self, bundle: Bundle) -> Batches:
        """Images that show how large the numbers in the network get."""
        raise NotImplementedError(f"{self.name} says quantizable, and has no quantization_batches ({bundle.folder})")

    def ensemble_settings(
        self, members: Sequence[Bundle], names: Sequence[str], weights: Sequence[float]
    ) -> dict[str, Any]:
        """The settings of an ensemble. Raises BundleError where its members do not fit together."""
        raise NotImplementedError(f"{self.name} has a kind, and no ensemble_settings ({members}, {names}, {weights})")

    # Evaluation

    @abstractmethod
    def measured(self, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Scores of a bundle on its evaluation sets, and settings that were fitted to them, for bundle.json."""

    @abstractmethod
    def print_scores(self, bundle: str, options: EvaluationOptions) -> None:
        """Print what `text-recognizer evaluate` shows of a bundle: a shipped name or a folder."""

    # Model card

    @abstractmethod
    def purpose(self, network: str) -> str:
        """What the model is for, in a sentence. network: in words, "a CRNN"."""

    @abstractmethod
    def limits(self, sources: Sequence[str]) -> str:
        """What the model does not do well. sources: datasets that it learned from."""

    def evaluate_command(self, bundle: str) -> str:
        """The command that prints the scores of a card again."""
        return f"text-recognizer evaluate --model {bundle}"


def as_begun(network: NetworkChoice, begun: Described) -> NetworkChoice:
    """A network with the shape that a run began with, where `network` names no other one."""
    if begun["network"]["name"] != network.name:
        return network
    return NetworkChoice(network.name, begun["network"]["fields"] | network.fields)


def begun_alphabet(begun: Described) -> Alphabet:
    """The alphabet of a run; one that did not record it has the Western one."""
    return Alphabet(begun.get("alphabet", WESTERN_CHARACTERS))


_REGISTRY: dict[str, Task[Any]] = {}
_Class = TypeVar("_Class", bound=type[Task[Any]])


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: makes a task known as `name`, the `task` of YAML files and bundles."""

    def decorate(kind: _Class) -> _Class:
        if name in _REGISTRY:
            raise ValueError(f"two tasks are registered as {name!r}")
        kind.name = name
        _REGISTRY[name] = kind()
        return kind

    return decorate


def names() -> list[str]:
    """The registered tasks, those of this package first."""
    return list(_REGISTRY)


def find(name: str) -> Task[Any]:
    """The task of that name. Raises ValueError for an unknown one."""
    if name not in _REGISTRY:
        raise ValueError(f"unknown task {name!r}; there are: {', '.join(_REGISTRY)}")
    return _REGISTRY[name]
