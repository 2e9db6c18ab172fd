"""Networks: pure `torch.nn.Module`s, one file each, registered by name.

A network knows nothing of losses, optimisers or files. Importing this package imports every
network file, so that the registry is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

_REGISTRY: dict[str, tuple[type[nn.Module], type]] = {}
_Network = TypeVar("_Network", bound=type[nn.Module])


def register(name: str, config: type) -> Callable[[_Network], _Network]:
    """Class decorator: makes a network known as `name`, built from dataclass `config`."""

    def decorate(network: _Network) -> _Network:
        if name in _REGISTRY:
            raise ValueError(f"two networks are registered as {name!r}")
        _REGISTRY[name] = (network, config)
        return network

    return decorate


def names() -> list[str]:
    """The registered networks in alphabetical order."""
    return sorted(_REGISTRY)


def build(name: str, **fields: Any) -> nn.Module:
    """The network `name` with the given fields of its config. Raises ValueError for an unknown name or field."""
    if name not in _REGISTRY:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(names())}")
    network, config = _REGISTRY[name]
    try:
        return network(config(**fields))
    except TypeError as error:
        raise ValueError(f"network {name!r}: {error}") from error


def config_of(name: str) -> type:
    """The dataclass that describes network `name`. Raises ValueError for an unknown name."""
    if name not in _REGISTRY:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(names())}")
    return _REGISTRY[name][1]


def columns_per_frame(network: nn.Module) -> int | float:
    """Input columns that each CTC frame of a line network stands for; a fraction where frames do not divide them."""
    columns = float(network.columns_per_frame)  # type: ignore[arg-type]
    return int(columns) if columns.is_integer() else columns


def new_layers(network: nn.Module) -> tuple[str, ...]:
    """Names of the layers of a network that nobody has trained yet where it begins with weights from elsewhere."""
    return getattr(network, "new_layers", ())


from text_recognizer.learning.networks import (  # noqa: E402, F401
    crnn,
    fcn,
    lcnet_svtr,
    lenet,
    line_cnn,
    line_cnn_lstm,
    line_cnn_transformer,
    line_windows,
    mlp,
    resnet,
    resnet_transformer,
)
