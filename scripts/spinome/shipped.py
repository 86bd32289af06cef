"""The models that ship with Spinome, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
# inside of an installed package, or beside the workflow of a checkout
FOLDERS = (PACKAGE / "models", PACKAGE.parents[1] / "workflow" / "models")


def shipped_file(name: str, suffix: str = "") -> Path:
    """The file of a shipped model.

    Parameters
    ----------
    name : such as `neurons`
    suffix : where there are several of one name, such as `.skops`

    Raises
    ------
    ValueError: if no model of this name ships; the message lists those that do
    """
    folder = next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[-1])
    found = sorted(file for file in folder.glob(f"{name}.*") if file.suffix != ".md")
    chosen = [file for file in found if file.suffix == suffix] if suffix else found
    if not chosen:
        names = sorted({file.stem for file in folder.iterdir()}) if folder.is_dir() else []
        raise ValueError(f"{name}{suffix}: no such model ships with Spinome; there are {', '.join(names) or 'none'}")
    return chosen[0]


def load_shipped(name: str) -> Any:
    """Load a model that ships with Spinome.

    Parameters
    ----------
    name : `neurons` (forest of soma, shaft and spine), `detector` and `judge` (two-photon spines), `synapses`
        (network), `membranes` (network), `agglomeration`, `links` or `typing` (forests of the linking branch)

    Returns
    -------
    what the branch itself works with: a `spinome.io.models.Model`, a `spinome.synapses.network.unet.Network`, a
    `spinome.linking.membranes.MembraneNet`, or the detector with its facts

    Raises
    ------
    ValueError: if no model of this name ships
    """
    file = shipped_file(name)
    # imported where they are used: torch alone takes two seconds
    if name == "detector":
        from spinome.twophoton.detector import load_detector

        return load_detector(file)
    if name == "synapses":
        from spinome.synapses.network.unet import load_network

        return load_network(file)
    if name == "membranes":
        from spinome.linking.membranes import load_membranes

        return load_membranes(file)
    if name == "neurons":
        from spinome.neurons.classify import load_forest

        return load_forest(file)
    from spinome.io.models import load_model

    return load_model(file, features_of(name))


def features_of(name: str) -> list[str]:
    """The features that a shipped forest takes, in order."""
    if name == "judge":
        from spinome.twophoton.judge import FEATURES
    elif name == "agglomeration":
        from spinome.linking.edge_features import FEATURES
    elif name == "links":
        from spinome.linking.candidates import FEATURES
    else:
        from spinome.linking.shape import FEATURES
    return FEATURES
