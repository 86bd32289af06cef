"""Files of networks: weights as safetensors, with the card that says where they come from in the header."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from spinome.io.atomic import atomic

Net = TypeVar("Net", bound=nn.Module)


def write_network(path: str | Path, net: nn.Module, card: dict[str, Any]) -> None:
    """Write the weights of a net, and its card."""
    with atomic(path) as part:
        weights = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
        save_file(weights, part, {"spinome": json.dumps(card, sort_keys=True)})


def read_network(
    path: str | Path, make: Callable[[dict[str, Any]], Net], what: str, keys: str
) -> tuple[Net, dict[str, Any]]:
    """A net that is ready to be used, and its card.

    Parameters
    ----------
    make : makes an empty net for a card
    what : what it is, in words
    keys : the keys of the configuration that name another one, or train one

    Raises
    ------
    FileNotFoundError, ValueError: if there is no such file, or it is no such net; the message names it.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such {what}; see {keys}")
    try:
        with safe_open(path, "pt") as file:
            card = json.loads((file.metadata() or {})["spinome"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        net = make(card)
        net.load_state_dict(weights)
    except Exception as error:
        raise ValueError(f"{path}: is not a {what} of Spinome ({error}); train one or take the shipped one") from None
    return net.eval(), card
