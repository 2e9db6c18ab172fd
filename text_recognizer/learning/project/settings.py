"""What a project's params.yaml says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from text_recognizer import __version__

PARAMS = Path("params.yaml")


@dataclass(frozen=True)
class Params:
    """name, version: of the model. start: the recogniser to begin with. minutes: of training at most, 0 for as many as
    the lines ask for. fields: of the experiment, by their dotted names."""

    name: str
    version: str
    start: str
    minutes: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)

    def overrides(self) -> list[str]:
        """The fields as the command line of `train` gives them."""
        return [
            f"--{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in self.fields.items()
        ]


def read_params(path: Path = PARAMS) -> Params:
    """The settings. Raises FileNotFoundError outside of a project, and ValueError for settings that make no sense, or
    of another version of the program."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path} here: this command runs in a folder that `project init` made")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        train = content["train"]
        params = Params(
            str(content["name"]),
            str(content["version"]),
            str(train["from"]),
            float(train.get("minutes") or 0),
            dict(train.get("fields") or {}),
        )
        program = str(content["program"])
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not as `project init` writes it: {error}") from error
    if program != __version__:
        raise ValueError(
            f"{path} asks for text-recognizer {program}, this is {__version__}: install that one, or write `program: "
            f'"{__version__}"` to do all stages anew with this one'
        )
    return params
