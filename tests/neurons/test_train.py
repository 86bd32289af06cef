import numpy as np
import pandas as pd
import pytest

from spinome.mesh.surface import vertex_areas
from spinome.neurons.classify import Examples, class_probabilities, domain_features
from spinome.neurons.condense import Domains
from spinome.neurons.evaluate import compare_points, evaluation
from spinome.neurons.pipeline import condense_mesh
from spinome.neurons.spines import Labelled
from spinome.neurons.train import COARSER, coarser_copies, copy_shares, neuron_examples, train, vertex_labels
from spinome.neurons.validate import held_out_predictions


@pytest.fixture
def rings(tube):
    """The tube in 30 domains of a micrometre, whose signature says in which half they are."""
    domain_of = np.minimum(tube.vertices[:, 0] // 1000, 29).astype(int)
    half = (np.arange(30) >= 15)[:, None] * 2.0
    log_hks = half - 20 + np.random.default_rng(0).normal(0, 0.1, (30, 32))
    return Domains(domain_of, log_hks, log_hks.mean(axis=0) + 0 * log_hks, np.zeros((30, 3)), np.ones(30))


def points(path, x, tags):
    frame = pd.DataFrame({"x_nm": x, "y_nm": 500.0, "z_nm": 0.0, "tag": tags})
    frame.to_csv(path, index=False)
    return str(path)


def test_points_and_vertices_train_together_by_their_weights(tmp_path, tube, rings):
    file = points(tmp_path / "points.csv", [2500.0, 7500, 22_500, 27_500, 5000], [*["shaft"] * 2, *["spine"] * 2, "?"])
    np.savez(tmp_path / "labels.npz", label=np.where(tube.vertices[:, 0] > 15_000, 1, 0))
    parts = {
        "points": neuron_examples("points", tube, rings, file, weight=0.5),
        "vertices": neuron_examples("vertices", tube, rings, str(tmp_path / "labels.npz")),
    }
    assert len(parts["points"].label) == 4
    assert {name: part.weight.sum() for name, part in parts.items()} == pytest.approx({"points": 0.5, "vertices": 1})
    found = class_probabilities(train(parts, 0), domain_features(rings)).argmax(axis=1)
    assert (found == (np.arange(30) >= 15)).all()


def test_a_point_far_from_the_surface_labels_nothing(tmp_path, tube, rings):
    file = points(tmp_path / "points.csv", [2500.0, 9e5], ["shaft", "spine"])
    assert (vertex_labels(tube, file, None) >= 0).sum() == 1
    with pytest.raises(ValueError, match=r"points\.csv: labels no place of n as shaft, spine, soma"):
        neuron_examples("n", tube, rings, points(tmp_path / "points.csv", [9e5], ["spine"]))


def test_points_are_evaluated_without_a_table_of_synapses(tmp_path, tube):
    spine = (tube.vertices[:, 0] > 15_000).astype(int)
    labelled = Labelled(np.eye(3)[spine], np.full(len(spine), -1))
    file = points(
        tmp_path / "points.csv", [2500.0, 7500, 22_500, 27_500, 9e5], ["shaft", "spine", "spine", "spine", "spine"]
    )
    compared = compare_points("n", tube, labelled, file)
    assert compared["found"].tolist() == [0, 0, 1, 1, -1]
    rows = {row["metric"]: row for row in evaluation(compared, pd.DataFrame())}
    assert rows["synapse_recall_spine"]["value"] == 0.5
    assert rows["synapse_covered"]["value"] == 0.8
    assert (
        rows["synapse_f1_shaft"]["ci_low"] <= rows["synapse_f1_shaft"]["value"] <= rows["synapse_f1_shaft"]["ci_high"]
    )
    # a label without a place is no error of the forest
    file = points(tmp_path / "points.csv", [2500.0, None], ["shaft", "spine"])
    assert compare_points("n", tube, labelled, file)["truth"].tolist() == [0]
    pd.DataFrame({"id": [1], "tag": ["spine"]}).to_csv(tmp_path / "ids.csv", index=False)
    with pytest.raises(ValueError, match="fill the column synapses"):
        compare_points("n", tube, labelled, str(tmp_path / "ids.csv"))


def test_a_dense_mesh_has_coarser_copies_that_are_unseen_with_it(tmp_path, bumpy_tube):
    copies = coarser_copies("n", bumpy_tube)
    for copy in copies.values():
        assert len(copy.domains.label) < len(bumpy_tube.vertices) == len(copy.given.label)
    copies = {"n": condense_mesh(bumpy_tube)} | {name: copy.given for name, copy in copies.items()}
    area_um2 = vertex_areas(bumpy_tube.vertices, bumpy_tube.faces).sum() / 1e6
    density = len(bumpy_tube.vertices) / area_um2
    assert list(copies) == ["n", *(f"n at {target:g} per um2" for target in COARSER if target < density / 1.5)]
    assert len(copies) > 1
    shares = copy_shares(copies)
    assert sum(shares.values()) == pytest.approx(1) and shares["n"] == 0.5
    assert copy_shares(["n"]) == {"n": 1.0}
    np.savez(tmp_path / "labels.npz", label=np.where(bumpy_tube.vertices[:, 0] > 6000, 1, 0))
    file = str(tmp_path / "labels.npz")
    parts = {name: neuron_examples(name, bumpy_tube, own, file, None, shares[name]) for name, own in copies.items()}
    # in folds by branch a copy goes with its mesh
    assert all(group.startswith("n:") for part in parts.values() for group in part.group)
    # each copy is unseen where the neuron is
    other = Examples(parts["n"].features, parts["n"].label, parts["n"].weight, parts["n"].group)
    predicted, _ = held_out_predictions({**parts, "m": other}, 0)
    by_neuron = predicted[predicted["held_out"] == "neuron"]
    assert set(by_neuron["neuron"]) == {*parts, "m"}
    assert len(by_neuron) == sum(len(part.label) for part in parts.values()) + len(other.label)
