import numpy as np
from scipy.sparse.csgraph import connected_components

from spinome.mesh.chunks import edge_graph, split


def test_every_vertex_is_owned_once_and_chunks_are_small(tube, sphere, joined):
    mesh = joined(tube, sphere)
    graph = edge_graph(mesh.vertices, mesh.faces)
    chunks = list(split(graph, max_vertices=500, overlap_nm=2000.0, max_overlapping=1500))
    owned = np.concatenate([chunk.vertices[chunk.owns] for chunk in chunks])
    assert np.array_equal(np.sort(owned), np.arange(len(mesh.vertices)))
    assert all(chunk.owns.sum() <= 500 and len(chunk.vertices) <= 1500 for chunk in chunks)
    assert all(connected_components(graph[c.vertices][:, c.vertices])[0] == 1 for c in chunks)


def test_overlap_reaches_as_far_as_asked(tube):
    graph = edge_graph(tube.vertices, tube.faces)
    for chunk in split(graph, max_vertices=1200, overlap_nm=3000.0, max_overlapping=10_000):
        along = tube.vertices[chunk.vertices, 0]
        owned = tube.vertices[chunk.vertices[chunk.owns], 0]
        for reach, end in ((owned.min() - along.min(), owned.min()), (along.max() - owned.max(), 30_000 - owned.max())):
            assert abs(reach - min(3000, end)) < 250


def test_a_tube_is_cut_across(tube):
    graph = edge_graph(tube.vertices, tube.faces)
    chunks = list(split(graph, max_vertices=2500, overlap_nm=0.0))
    spans = sorted(
        (tube.vertices[c.vertices[c.owns], 0].min(), tube.vertices[c.vertices[c.owns], 0].max()) for c in chunks
    )
    assert len(spans) == 2
    assert spans[1][0] > spans[0][1] - 500


def test_same_chunks_each_time(tube):
    graph = edge_graph(tube.vertices, tube.faces)
    first, second = (list(split(graph, max_vertices=900)) for _ in range(2))
    assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(first, second, strict=True))
