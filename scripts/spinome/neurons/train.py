"""Examples from neurons with truth, the forest they make, and what it scores on what it has not seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from spinome.io.meshes import Mesh
from spinome.io.models import Model
from spinome.neurons import truth
from spinome.neurons.classify import (
    CLASSES,
    Examples,
    cross_validate,
    domain_features,
    join_examples,
    train_forest,
    vertex_examples,
)
from spinome.neurons.surface import nearest_on_surface
from spinome.neurons.synapses import POSITION, read_synapses
from spinome.scores.classification import accuracy, f1_scores, weighted_f1


def neuron_examples(
    neuron: str,
    mesh: Mesh,
    domain_of: np.ndarray,
    domains: Mapping[str, np.ndarray],
    truth_file: str,
    synapse_file: str | None = None,
    soma_nm: tuple[float, float, float] | None = None,
) -> Examples:
    """Examples of one neuron.

    Parameters
    ----------
    domain_of : (V,) domain of each vertex of the mesh
    domains : arrays of `Domains` by name
    truth_file : labels of vertices (.npz) or of synapses (a table)
    synapse_file : the neuron's synapses, where the truth names them by id or by row
    soma_nm : where it is not given, the middle of the vertices labelled soma stands for it
    """
    label = vertex_labels(mesh, truth_file, synapse_file)
    soma_nm = soma_nm or truth.soma_centre(mesh, label)
    features = domain_features(domains["log_hks"], domains["centre_nm"], soma_nm)
    return vertex_examples(features, domains["centre_nm"], domain_of, label, neuron)


def vertex_labels(mesh: Mesh, truth_file: str, synapse_file: str | None) -> np.ndarray:
    """True code of each vertex (V,), -1 where none is known: of all, or of those under labelled synapses."""
    if not truth.is_table(truth_file):
        return truth.read_vertex_truth(truth_file, mesh).label
    table = truth.read_synapse_truth(truth_file)
    if set(truth.POINT) <= set(table):
        points, code = table[truth.POINT].to_numpy(float), table["label"].to_numpy()
    elif synapse_file:
        synapses = read_synapses(synapse_file)
        points, code = synapses[POSITION].to_numpy(float), truth.truth_of_synapses(table, synapses)
    else:
        raise ValueError(f"{truth_file}: names synapses by id or row; fill the column synapses of the sample sheet")
    known = (code >= 0) & np.isfinite(points).all(axis=1)
    vertex, _ = nearest_on_surface(mesh.vertices, mesh.faces, points[known])
    label = np.full(len(mesh.vertices), -1)
    label[vertex] = code[known]
    return label


def train(parts: Mapping[str, Examples], seed: int) -> tuple[Model, pd.DataFrame]:
    """A forest from the examples of neurons by name, and its scores where it was not trained.

    Returns
    -------
    the model, and a table `held_out neuron weighted_f1 accuracy f1_shaft f1_spine f1_soma weight`: scores on each
    neuron with folds over cubes of 20 um, and, where there is more than one neuron, by the others alone
    """
    rows = [_scores("cubes", name, part, _blind_and_seeing(part, seed)) for name, part in parts.items()]
    if len(parts) > 1:
        for name, part in parts.items():
            others = join_examples([other for key, other in parts.items() if key != name])
            model = train_forest(others, seed)
            rows.append(_scores("neuron", name, part, _predict(model, part)))
    return train_forest(join_examples(list(parts.values())), seed), pd.DataFrame(rows)


def _blind_and_seeing(part: Examples, seed: int) -> np.ndarray:
    """Cross-validated codes of a neuron's examples, with the soma as it is known."""
    return cross_validate(join_examples([part]), seed)[: len(part.label)].argmax(axis=1)


def _predict(model: Model, part: Examples) -> np.ndarray:
    return model.estimator.predict(part.features).astype(int)


def _scores(held_out: str, neuron: str, part: Examples, found: np.ndarray) -> dict:
    confusion = np.zeros((len(CLASSES), len(CLASSES) + 1))
    np.add.at(confusion, (part.label, found), part.weight)
    scores = {f"f1_{name}": score for name, score in zip(CLASSES, f1_scores(confusion))}
    return {
        "held_out": held_out,
        "neuron": neuron,
        "weighted_f1": weighted_f1(confusion),
        "accuracy": accuracy(confusion),
        **scores,
    }
