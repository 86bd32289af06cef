"""Soma, shaft or spine for each domain, by a forest on heat kernel signatures of the domain and its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold
from sklearn.tree._tree import Tree

from spinome.io.models import Model, load_model
from spinome.mesh.hks import TIMES_NM2
from spinome.neurons.classes import CLASSES
from spinome.neurons.condense import Domains

# parts that examples are cross-validated in, where there are as many groups
FOLDS = 5
SIGNATURE, SLOPE, CONTRAST = "log_hks", "slope", "against_surroundings"
_TIMES = [f"{time:.3g}_nm2" for time in TIMES_NM2]
FEATURES = [
    *(f"{SIGNATURE}_{time}" for time in _TIMES),
    *(f"{SLOPE}_{time}" for time in _TIMES[:-1]),
    *(f"{CONTRAST}_{time}" for time in _TIMES),
]
# between the name of a neuron and what its copy differs in; no name of a sample has spaces
COPY = " at "


def copy_name(neuron: str, vertices_per_um2: float) -> str:
    """The name of the copy of a neuron that has so many vertices per um^2."""
    return f"{neuron}{COPY}{vertices_per_um2:g} per um2"


def copied_from(name: str) -> str:
    """The neuron that a copy was made of; the name itself where it is none."""
    return name.partition(COPY)[0]


@dataclass(frozen=True)
class Examples:
    """Labelled domains: `features` (N, F), `label` (N,) codes, `weight` (N,), `group` (N,) kept together in folds."""

    features: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    group: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Examples:
        return Examples(*(values[chosen] for values in vars(self).values()))


def domain_features(domains: Domains) -> np.ndarray:
    """Features (D, 95) of domains, in the order of `FEATURES`.

    Log HKS; its slope from one time to the next, which tells a tube (HKS falls as t^-1/2 beyond its girth) from a sheet
    or a ball whatever its size; and log HKS less that of the domain with those it touches, which tells a spine from the
    shaft below it whatever the girth of the shaft.
    """
    return np.hstack([domains.log_hks, np.diff(domains.log_hks, axis=1), domains.log_hks - domains.around_log_hks])


def vertex_examples(
    features: np.ndarray, domain_of: np.ndarray, label: np.ndarray, branch: np.ndarray, neuron: str, weight: float = 1.0
) -> Examples:
    """Examples from labelled vertices: a row for each class that a domain has, weighted by its share of vertices.

    Parameters
    ----------
    features : (D, F)
    domain_of : (V,) domain of each vertex
    label : (V,) code of each vertex, below 0 or above the classes where it has none
    branch : (V,) branch of each vertex; that of the first vertex of a domain counts
    neuron : name, the beginning of every group
    weight : weight of all examples together
    """
    known = np.flatnonzero((label >= 0) & (label < len(CLASSES)))
    pair = domain_of[known].astype(np.int64) * len(CLASSES) + label[known]
    pair, first, count = np.unique(pair, return_index=True, return_counts=True)
    domain, code = np.divmod(pair, len(CLASSES))
    group = np.array([f"{neuron}:{number}" for number in branch[known[first]]], object)
    return Examples(features[domain], code, weight * count / max(count.sum(), 1), group)


def join_examples(parts: list[Examples]) -> Examples:
    """All examples in one."""
    return Examples(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def train_forest(examples: Examples, seed: int, trees: int = 100, leaf_fraction: float = 1e-4) -> Model:
    """Extremely randomised trees (Geurts et al. 2006) from examples.

    `leaf_fraction` of the total weight is the least that a leaf holds.
    """
    forest = ExtraTreesClassifier(
        trees, min_weight_fraction_leaf=leaf_fraction, max_features="sqrt", random_state=seed, n_jobs=1
    )
    forest.fit(examples.features, examples.label, sample_weight=examples.weight)
    for tree in forest.estimators_:
        _slim(tree.tree_)
    return Model(forest, FEATURES)


def load_forest(path: str | Path, hks: Mapping[str, Any] = MappingProxyType({})) -> Model:
    """Load a forest and check that it was trained on the features, and on signatures of the spectrum, that it is given.

    Parameters
    ----------
    hks : options of the signatures, as of `spinome.mesh.hks.log_hks`; which solver makes no difference, the largest
        eigenvalue that counts does

    Raises
    ------
    FileNotFoundError, ValueError: as `load_model`, and if the spectrum is another; the message names the file.
    """
    model = load_model(path, FEATURES)
    trained = model.card.get("options", {}).get("hks", hks).get("cutoff")
    if trained != hks.get("cutoff"):
        raise ValueError(
            f"{path}: was trained on signatures {_spectrum(trained)}, here they are {_spectrum(hks.get('cutoff'))}; "
            "train it again, set neurons.hks as it was, or name another file under `models`"
        )
    return model


def _spectrum(cutoff: float | None) -> str:
    return "of the full spectrum" if cutoff is None else f"cut off at {cutoff:g} nm^-2"


def folds(examples: Examples) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows to test for each fold; a group is in one fold alone. Empty where there is one group."""
    count = min(FOLDS, len(np.unique(examples.group)))
    if count < 2:
        return []
    return list(GroupKFold(count).split(examples.features, examples.label, examples.group))


def class_probabilities(model: Model, features: np.ndarray) -> np.ndarray:
    """Probabilities (N, 3) in the order of `CLASSES`, 0 for a class that the model does not know."""
    probability = np.zeros((len(features), len(CLASSES)))
    probability[:, model.estimator.classes_.astype(int)] = model.probabilities(features)
    # those of a leaf are rounded (`_slim`) and may miss a sum of 1
    return probability / probability.sum(axis=1, keepdims=True)


def _slim(tree: Tree, steps: int = 64) -> None:
    """Forget what a tree only needs to grow, and round its probabilities, so that its file is a quarter of the size."""
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    for name in ("impurity", "n_node_samples", "weighted_n_node_samples"):
        nodes[name] = 0
    nodes["threshold"] = nodes["threshold"].astype(np.float32)
    tree.__setstate__(state | {"nodes": nodes, "values": np.round(state["values"] * steps) / steps})
