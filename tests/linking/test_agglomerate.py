"""The merge loop agrees with a plain one, the tree cuts at every threshold, and learning beats the mean."""

import copy

import h5py
import numpy as np
import pandas as pd
import pytest

from spinome.flat_forest import flatten_forest
from spinome.labels import compact
from spinome.linking.agglomerate import (
    agglomerate,
    agglomerate_in_place,
    assign,
    cut,
    train_forest,
    training_edges,
)
from spinome.linking.region_graph import region_graph
from spinome.scores.segmentation import score_segmentation

VOXEL = (10.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    labels = np.arange(1, 126).reshape(5, 5, 5).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    membrane = rng.random((5, 5, 5)).repeat(4, 0).repeat(4, 1).repeat(4, 2).astype(np.float32)
    return labels, membrane, region_graph(labels, membrane, VOXEL)


def plain_mean_agglomeration(graph, threshold):
    """Merge by the mean boundary with dictionaries and a search over all edges."""
    edges = {tuple(pair): moments[:2].copy() for pair, moments in zip(graph.pairs.tolist(), graph.edge_moments)}
    group = list(range(len(graph.labels)))
    while edges:
        (a, b), best = min(edges.items(), key=lambda item: item[1][1] / item[1][0])
        if best[1] / best[0] >= threshold:
            break
        merged = {}
        for (u, v), moments in edges.items():
            pair = tuple(sorted((a if u == b else u, a if v == b else v)))
            if pair[0] != pair[1]:
                merged[pair] = merged.get(pair, 0) + moments
        edges = merged
        group = [a if g == b else g for g in group]
    return np.array(group)


@pytest.mark.parametrize("threshold", [0.4, 0.6, 0.75])
def test_mean_priority_equals_a_plain_loop(small, threshold):
    _, _, graph = small
    found = cut(agglomerate(graph, "mean"), graph.labels, threshold)
    expected = plain_mean_agglomeration(graph, threshold)
    assert len(np.unique(found)) == len(np.unique(expected)) > 1
    assert len(np.unique(np.stack([found, expected]), axis=1).T) == len(np.unique(found))


def test_tree_is_whole_and_cuts_are_nested(small):
    _, _, graph = small
    tree = agglomerate(graph, "median")
    assert len(tree) == len(graph.labels) - 1
    assert (np.diff(tree["height"]) >= 0).all()
    fine, coarse = cut(tree, graph.labels, 0.5), cut(tree, graph.labels, 0.8)
    assert len(np.unique(np.stack([fine, coarse]), axis=1).T) == len(np.unique(fine))
    assert cut(tree, graph.labels, 0.0).tolist() == list(range(1, 126))
    assert (cut(tree, graph.labels, np.inf) == 1).all()


def test_regions_without_contact_stay_apart():
    labels = np.zeros((3, 3, 9), int)
    labels[..., :2], labels[..., 4], labels[..., 8] = 1, 2, 3
    graph = region_graph(labels, np.zeros(labels.shape), VOXEL)
    assert len(graph.pairs) == 0
    tree = agglomerate(graph, "mean")
    assert len(tree) == 0 and cut(tree, graph.labels, 1.0).tolist() == [1, 2, 3]


def test_flat_epoch_takes_known_edges_only(small):
    _, _, graph = small
    assignment = np.where(np.arange(125) < 25, 0, np.arange(125) // 50 + 1)
    features, different = training_edges(graph, assignment)
    known = (assignment[graph.pairs] > 0).all(axis=1)
    assert len(features) == known.sum()
    np.testing.assert_array_equal(different, np.diff(assignment[graph.pairs[known]], axis=1).ravel() != 0)


def test_a_truth_of_one_neurite_cannot_train(small):
    _, _, graph = small
    with pytest.raises(ValueError, match="all of one kind"):
        train_forest([(graph, np.ones(125, int))], seed=0, trees=2)


def test_assignment_takes_the_largest_share():
    superpixels, truth = np.array([1, 1, 1, 2, 2, 3]), np.array([7, 7, 8, 0, 0, 9])
    assert assign(superpixels, truth, np.array([1, 2, 3])).tolist() == [7, 0, 9]


def test_learned_on_one_real_volume_holds_on_another(shared_data):
    graphs = {}
    for part in ("train", "test"):
        with h5py.File(shared_data(f"em/gala_fib25/{part}.h5")) as file:
            membrane = file["boundary_probability"][()].astype(np.float32)
            superpixels, truth = file["watershed"][()], file["truth"][()]
        graphs[part] = (region_graph(superpixels, membrane, VOXEL), superpixels, truth)
    graph, superpixels, truth = graphs["train"]
    forest = flatten_forest(train_forest([(graph, assign(superpixels, truth, graph.labels))], seed=0))
    graph, superpixels, truth = graphs["test"]

    def error(tree):
        score = score_segmentation(cut(tree, graph.labels, 0.5)[compact(superpixels, graph.labels)], truth)
        return score.vi_split + score.vi_merge

    learned, mean = error(agglomerate(graph, "forest", forest)), error(agglomerate(graph, "mean"))
    # the published system reaches 0.657 from the same superpixels, the mean of the boundary 1.31
    assert learned < 0.75 < mean


def test_a_graph_is_used_up_where_it_may_be_and_nowhere_else():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.repeat(rng.integers(0, 40, (6, 8, 8)), 3, 1), 3, 2)
    graph = region_graph(labels, rng.random(labels.shape).astype(np.float32), VOXEL)
    before = copy.deepcopy(graph)
    tree = agglomerate(graph, "mean")
    for name, values in vars(before).items():
        np.testing.assert_array_equal(getattr(graph, name), values)
    pd.testing.assert_frame_equal(agglomerate_in_place(graph, "mean"), tree)
