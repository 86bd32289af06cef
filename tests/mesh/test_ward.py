import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from spinome.mesh.chunks import edge_graph
from spinome.mesh.ward import ward


def waves(points):
    """Features that vary smoothly over a surface, no two alike."""
    rng = np.random.default_rng(1)
    return np.stack([np.sin(points @ rng.normal(0, 1.0 / 800, 3) + rng.uniform(0, 6)) for _ in range(6)], axis=1)


@pytest.mark.parametrize("distance", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("shape", ["sphere", "coarse_tube"])
def test_the_clusters_are_those_of_scikit_learn(shape, distance, request):
    mesh = request.getfixturevalue(shape)
    graph, features = edge_graph(mesh.vertices, mesh.faces), waves(mesh.vertices)
    reference = AgglomerativeClustering(
        n_clusters=None, distance_threshold=distance, connectivity=graph, linkage="ward"
    ).fit(features)
    found = ward(graph, features, distance)
    assert found.max() + 1 == reference.n_clusters_ > 1
    assert adjusted_rand_score(found, reference.labels_) == 1


def test_clusters_are_connected_and_numbered_by_their_first_vertex(sphere):
    graph = edge_graph(sphere.vertices, sphere.faces)
    label = ward(graph, waves(sphere.vertices), 0.5)
    inside = graph.tocoo()
    inside = inside.data * (label[inside.row] == label[inside.col]), (inside.row, inside.col)
    kept = sp.coo_array(inside, shape=graph.shape).tocsr()
    kept.eliminate_zeros()
    assert connected_components(kept, directed=False)[0] == label.max() + 1
    _, first = np.unique(label, return_index=True)
    assert (np.diff(first) > 0).all()


def test_the_order_of_the_vertices_does_not_matter(coarse_tube):
    graph, features = edge_graph(coarse_tube.vertices, coarse_tube.faces), waves(coarse_tube.vertices)
    order = np.random.default_rng(0).permutation(len(features))
    shuffled = ward(graph[order][:, order], features[order], 0.5)
    assert adjusted_rand_score(shuffled, ward(graph, features, 0.5)[order]) == 1


def test_equal_features_make_one_cluster_of_each_component(sphere, tube, joined):
    mesh = joined(sphere, tube)
    label = ward(edge_graph(mesh.vertices, mesh.faces), np.zeros((len(mesh.vertices), 3)), 1e-9)
    assert label.tolist() == [0] * len(sphere.vertices) + [1] * len(tube.vertices)


def test_vertices_without_neighbours_stay_alone():
    assert ward(sp.csr_array((3, 3)), np.zeros((3, 2)), 1.0).tolist() == [0, 1, 2]
