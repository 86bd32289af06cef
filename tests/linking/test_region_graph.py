"""The region graph holds every true contact and statistics that add up."""

import cc3d
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spinome.linking.contacts import BINS
from spinome.linking.region_graph import region_graph
from volumes import draw_labels, draw_membrane, draw_shape

VOXEL = (40.0, 10.0, 10.0)


@pytest.fixture
def volume():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.repeat(rng.integers(0, 40, (6, 8, 8)), 3, 1), 3, 2).astype(np.uint32)
    return labels, rng.random(labels.shape).astype(np.float32)


def test_edges_are_the_contacts_of_cc3d(volume):
    labels, membrane = volume
    graph = region_graph(labels, membrane, VOXEL)
    contacts = cc3d.contacts(labels, connectivity=6, surface_area=True, anisotropy=VOXEL[::-1])
    expected = {tuple(sorted(pair)): area for pair, area in contacts.items() if 0 not in pair}
    found = {tuple(sorted(map(int, graph.labels[pair]))): m[0] for pair, m in zip(graph.pairs, graph.edge_moments)}
    assert set(found) == set(expected)


def test_areas_and_moments_by_hand():
    labels = np.array([[[1, 1, 2], [1, 3, 2]]])
    membrane = np.array([[[0.0, 0.2, 0.4], [0.6, 0.8, 1.0]]], np.float32)
    graph = region_graph(labels, membrane, VOXEL)
    assert graph.labels[graph.pairs].tolist() == [[1, 2], [1, 3], [2, 3]]
    face_y, face_x = 0.04 * 0.01, 0.04 * 0.01
    np.testing.assert_allclose(graph.edge_moments[:, 0], [face_x, face_y + face_x, face_x])
    # the value of a face is the higher of its two voxels
    np.testing.assert_allclose(graph.edge_moments[:, 1] / graph.edge_moments[:, 0], [0.4, 0.8, 1.0], rtol=1e-6)
    np.testing.assert_allclose(graph.region_moments[:, 1], [0.8, 1.4, 0.8], rtol=1e-6)


def test_a_region_of_more_voxels_than_float32_counts():
    labels = np.ones((1, 4097, 4100), np.uint8)
    labels[0, -1] = 2
    graph = region_graph(labels, np.zeros(labels.shape, np.float32), VOXEL)
    assert graph.region_histogram[:, 0].tolist() == graph.region_moments[:, 0].tolist() == [4096 * 4100, 4100]


def test_a_contact_of_more_faces_than_float32_counts():
    labels = np.ones((2, 4097, 4100), np.uint8)
    labels[1] = 2
    graph = region_graph(labels, np.zeros(labels.shape, np.float32), VOXEL)
    np.testing.assert_allclose(graph.edge_histogram[0, 0], 4097 * 4100 * VOXEL[1] * VOXEL[2] / 1e6)


def test_statistics_do_not_depend_on_the_numbers_of_labels(volume):
    labels, membrane = volume
    first = region_graph(labels, membrane, VOXEL)
    large = np.where(labels > 0, labels.astype(np.uint64) + (1 << 40), 0)
    second = region_graph(large, membrane, VOXEL)
    np.testing.assert_array_equal(first.pairs, second.pairs)
    np.testing.assert_allclose(first.edge_histogram, second.edge_histogram)


def graph_slowly(labels, membrane):
    """Labels, and by pair of labels, or by label, moments and histograms from one face, or voxel, after the other."""
    power = np.arange(5)
    face_um2 = (VOXEL[1] * VOXEL[2] / 1e6, VOXEL[0] * VOXEL[2] / 1e6, VOXEL[0] * VOXEL[1] / 1e6)
    regions, edges = {}, {}
    for label, value in zip(labels.ravel().tolist(), membrane.ravel().tolist()):
        if label:
            moments, histogram = regions.setdefault(label, (np.zeros(5), np.zeros(BINS)))
            moments += value**power
            histogram[min(int(value * BINS), BINS - 1)] += 1
    for axis, area in enumerate(face_um2):
        ends = [(np.moveaxis(volume, axis, 0)[:-1], np.moveaxis(volume, axis, 0)[1:]) for volume in (labels, membrane)]
        highest = np.maximum(*ends[1])
        for one, other, value in zip(*(end.ravel().tolist() for end in ends[0]), highest.ravel().tolist()):
            if one and other and one != other:
                pair = min(one, other), max(one, other)
                moments, histogram = edges.setdefault(pair, (np.zeros(5), np.zeros(BINS)))
                moments += area * value**power
                histogram[min(int(value * BINS), BINS - 1)] += area
    return [dict(sorted(found.items())) for found in (regions, edges)]


@settings(max_examples=60)
@given(st.randoms())
def test_graphs_are_those_of_a_slow_way(random):
    """Draws labels of any type and number, from one to a full volume of many, and membranes of all kinds."""
    shape = draw_shape(random, most=1500)
    labels, membrane = draw_labels(random, shape), draw_membrane(random, shape)
    assume(labels.any())
    graph = region_graph(labels, membrane, VOXEL)
    regions, edges = graph_slowly(labels, membrane)
    assert graph.labels.tolist() == list(regions)
    assert list(map(tuple, graph.labels[graph.pairs].tolist())) == list(edges)
    for expected, moments, histogram in (
        (regions, graph.region_moments, graph.region_histogram),
        (edges, graph.edge_moments, graph.edge_histogram),
    ):
        found = zip(moments, histogram, expected.values(), strict=True)
        for own_moments, own_histogram, (slow_moments, slow_histogram) in found:
            # sums are of whole numbers of 2**-62
            np.testing.assert_allclose(own_moments, slow_moments, atol=1e-15)
            np.testing.assert_allclose(own_histogram, slow_histogram)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="shape"):
        region_graph(np.ones((2, 2, 2), int), np.ones((2, 2, 3)), VOXEL)
    with pytest.raises(ValueError, match="every voxel is 0"):
        region_graph(np.zeros((2, 2, 2), int), np.zeros((2, 2, 2)), VOXEL)
