import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from spinome.mesh.chunks import edge_graph
from spinome.mesh.surface import vertex_areas
from spinome.neurons.condense import condense


def halves(tube):
    """Features that step by 2 in each of 32 columns at the tube's middle."""
    return np.repeat((tube.vertices[:, 0] > 15_000)[:, None] * 2.0, 32, axis=1) - 20


def test_domains_follow_the_features_and_are_connected(tube):
    domains = condense(tube.vertices, tube.faces, halves(tube))
    assert len(domains.area_nm2) == 2
    right = tube.vertices[:, 0] > 15_000
    assert len(set(domains.label[right])) == len(set(domains.label[~right])) == 1
    graph = edge_graph(tube.vertices, tube.faces)
    for domain in range(2):
        inside = np.flatnonzero(domains.label == domain)
        assert connected_components(graph[inside][:, inside])[0] == 1


def test_area_is_conserved_and_means_are_weighted_by_it(tube):
    features = np.random.default_rng(1).normal(-20, 1.5, (len(tube.vertices), 32))
    domains = condense(tube.vertices, tube.faces, features)
    area = vertex_areas(tube.vertices, tube.faces)
    assert domains.area_nm2.sum() == pytest.approx(area.sum())
    inside = domains.label == 3
    mean = np.log(np.average(np.exp(features[inside]), axis=0, weights=area[inside]))
    assert np.allclose(domains.log_hks[3], mean, atol=1e-4)


def test_one_domain_a_component_where_features_are_equal(tube, sphere, joined):
    mesh = joined(tube, sphere)
    domains = condense(mesh.vertices, mesh.faces, np.full((len(mesh.vertices), 32), -20.0))
    assert len(domains.area_nm2) == 2


def test_the_order_of_the_vertices_does_not_matter(tube):
    order = np.random.default_rng(2).permutation(len(tube.vertices))
    place = np.argsort(order)
    features = halves(tube)
    here = condense(tube.vertices, tube.faces, features).label
    there = condense(tube.vertices[order], place[tube.faces], features[order]).label[place]
    assert len(set(zip(here.tolist(), there.tolist()))) == 2


def test_missing_features_are_an_error(tube):
    features = halves(tube)
    features[:5, 0] = np.nan
    with pytest.raises(ValueError, match="5 of 4800"):
        condense(tube.vertices, tube.faces, features)


def test_what_surrounds_a_domain_is_the_mean_over_it_and_its_neighbours_by_area(tube):
    features = np.repeat((tube.vertices[:, :1] // 10_000).clip(0, 2) * 3.0, 32, axis=1) - 20
    domains = condense(tube.vertices, tube.faces, features)
    first, second, _ = np.argsort(domains.centre_nm[:, 0])
    ends = [first, second]
    mean = np.average(domains.log_hks[ends], axis=0, weights=domains.area_nm2[ends])
    assert np.allclose(domains.around_log_hks[first], mean, atol=1e-4)
    every = np.average(domains.log_hks, axis=0, weights=domains.area_nm2)
    assert np.allclose(domains.around_log_hks[second], every, atol=1e-4)
