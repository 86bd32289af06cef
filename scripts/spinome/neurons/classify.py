"""Soma, shaft or spine for each domain, by a random forest on its heat kernel signature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold

from spinome.io.models import Model
from spinome.neurons.hks import TIMES_NM2

# the codes of labels on vertices, in truth and in results
CLASSES = ("shaft", "spine", "soma")
FEATURES = [*(f"log_hks_{time:.3g}_nm2" for time in TIMES_NM2), "soma_distance_um"]
# beyond this a soma says nothing more, and the forest cannot learn where a neuron's branches are
FARTHEST_SOMA_UM = 30.0
# edge of the cubes that stand for branches where the training data is one neuron
BLOCK_NM = 20_000.0


@dataclass(frozen=True)
class Examples:
    """Labelled domains: `features` (N, F), `label` (N,) codes, `weight` (N,), `group` (N,) kept together in folds."""

    features: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    group: np.ndarray


def domain_features(
    log_hks: np.ndarray, centre_nm: np.ndarray, soma_nm: tuple[float, float, float] | None = None
) -> np.ndarray:
    """Features (D, 33) of domains: log HKS, and the straight distance to the soma, NaN where none is known."""
    distance = np.full(len(log_hks), np.nan)
    if soma_nm is not None:
        distance = np.linalg.norm(centre_nm - np.asarray(soma_nm), axis=1) / 1000
    return np.column_stack([log_hks, np.minimum(distance, FARTHEST_SOMA_UM)])


def vertex_examples(
    features: np.ndarray, centre_nm: np.ndarray, domain_of: np.ndarray, label: np.ndarray, neuron: str
) -> Examples:
    """Examples from labelled vertices: a row for each class that a domain has, weighted by its share of vertices.

    Parameters
    ----------
    features : (D, F); centre_nm : (D, 3)
    domain_of : (V,) domain of each vertex
    label : (V,) code of each vertex, below 0 or above the classes where it has none
    neuron : name, the beginning of every group
    """
    known = (label >= 0) & (label < len(CLASSES))
    count = np.zeros((len(features), len(CLASSES)))
    np.add.at(count, (domain_of[known], label[known].astype(int)), 1)
    domain, code = np.nonzero(count)
    weight = count[domain, code]
    return Examples(features[domain], code, weight / weight.sum(), _groups(centre_nm[domain], neuron))


def join_examples(parts: list[Examples]) -> Examples:
    """All examples, each neuron with the same total weight, and once more with the soma unknown.

    The second half teaches the forest to do without the distance to the soma, so that one model serves
    neurons with and without a known soma.
    """
    features = np.concatenate([part.features for part in parts])
    blind = features.copy()
    blind[:, FEATURES.index("soma_distance_um")] = np.nan
    label, weight, group = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "weight", "group")
    )
    return Examples(np.concatenate([features, blind]), np.tile(label, 2), np.tile(weight, 2), np.tile(group, 2))


def train_forest(examples: Examples, seed: int, trees: int = 100, leaf_fraction: float = 2e-4) -> Model:
    """A forest from examples. `leaf_fraction` of the total weight is the least that a leaf holds."""
    forest = RandomForestClassifier(
        trees, min_weight_fraction_leaf=leaf_fraction, max_features="sqrt", random_state=seed, n_jobs=1
    )
    forest.fit(examples.features, examples.label, sample_weight=examples.weight)
    return Model(forest, FEATURES)


def cross_validate(examples: Examples, seed: int, folds: int = 5) -> np.ndarray:
    """Probabilities (N, 3) of each example from a forest that has not seen its group."""
    probability = np.zeros((len(examples.label), len(CLASSES)))
    folds = min(folds, len(np.unique(examples.group)))
    for train, test in GroupKFold(folds).split(examples.features, examples.label, examples.group):
        model = train_forest(
            Examples(*(getattr(examples, name)[train] for name in ("features", "label", "weight", "group"))), seed
        )
        probability[test] = class_probabilities(model, examples.features[test])
    return probability


def class_probabilities(model: Model, features: np.ndarray) -> np.ndarray:
    """Probabilities (N, 3) in the order of `CLASSES`, 0 for a class that the model does not know."""
    probability = np.zeros((len(features), len(CLASSES)))
    probability[:, model.estimator.classes_.astype(int)] = model.probabilities(features)
    return probability


def _groups(centre_nm: np.ndarray, neuron: str) -> np.ndarray:
    blocks = (centre_nm // BLOCK_NM).astype(int)
    return np.array([f"{neuron}:{x}:{y}:{z}" for x, y, z in blocks])
