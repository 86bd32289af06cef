"""The two kinds of voxel classifier behind one face: the network, and the published features with a forest.

Network files end in `.safetensors`, forests in `.skops`; that is how a file says which kind it holds. The network is
imported only where there is one, since torch takes seconds to load.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from spinome.cuboids import Cuboid
from spinome.flat_forest import complete_forest
from spinome.io.models import Model, load_model, save_model
from spinome.io.tables import read_table
from spinome.synapses.classify import Evidence, Recipe, halo
from spinome.synapses.forest.features import FEATURES
from spinome.synapses.objects.detect import forest_probability

if TYPE_CHECKING:
    from spinome.synapses.network.unet import Network

NETWORK_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Classifier:
    """What detection needs of a trained model.

    `probability` gives that of each voxel of a cuboid's core (float32), the same whatever the cuboids are, provided
    that they have the halo that `halo` tells for a volume; `card` says where the model comes from.
    """

    probability: Callable[[Evidence, Cuboid], np.ndarray]
    halo: Callable[[Evidence], tuple[int, int, int]]
    card: dict[str, Any]


def read_recipe(settings: Mapping[str, Any], profile: Sequence[str | Path]) -> Recipe:
    """The recipe of forests.

    Parameters
    ----------
    settings : `contrast vesicle_threshold original_features` of the configuration; nothing where a network is in use,
        which follows no recipe
    profile : no file, or that of the measured profile of a vesicle: `distance_nm level`
    """
    if not settings:
        return Recipe()
    measured = read_table(profile[0], ["distance_nm", "level"]).to_numpy(float) if profile else None
    return Recipe(settings["contrast"], settings["vesicle_threshold"], settings["original_features"], measured)


def load_classifier(path: str | Path, recipe: Recipe) -> Classifier:
    """Load a model of either kind; the recipe is for forests and must be that of their training."""
    if Path(path).suffix == NETWORK_SUFFIX:
        from spinome.synapses.network.unet import load_network

        return of_network(load_network(path))
    return of_forest(load_model(path, FEATURES), recipe)


def load_card(path: str | Path) -> dict[str, Any]:
    """The card of a model of either kind."""
    if Path(path).suffix == NETWORK_SUFFIX:
        with safe_open(path, "numpy") as file:
            return json.loads(file.metadata()["spinome"])
    return load_model(path, FEATURES).card


def save_classifier(path: str | Path, model: Model | Network) -> None:
    """Write a trained model of either kind."""
    if isinstance(model, Model):
        save_model(path, model)
    else:
        from spinome.synapses.network.unet import save_network

        save_network(path, model)


def of_forest(model: Model, recipe: Recipe) -> Classifier:
    """The published features and a forest; voxels that do not pass the membrane gate have probability 0."""
    return Classifier(
        partial(forest_probability, forest=complete_forest(model.estimator), recipe=recipe),
        lambda evidence: halo(evidence.voxel_nm, evidence.vesicles is not None, recipe.original),
        model.card,
    )


def of_network(network: Network) -> Classifier:
    """A network, which reads the image by tiles of its own and needs no halo."""
    from spinome.synapses.network.published import PublishedNet
    from spinome.synapses.network.resampled import resampled_probability
    from spinome.synapses.network.tiles import network_probability

    probability = resampled_probability if isinstance(network.net, PublishedNet) else network_probability
    return Classifier(partial(probability, network=network), lambda evidence: (0, 0, 0), network.card)
