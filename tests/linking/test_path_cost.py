"""The cheapest way agrees with scikit-image's search, goes around membranes and stops at the first target."""

import numpy as np
import pytest
from skimage.graph import MCP

from spinome.linking.path_cost import MEMBRANE_WEIGHT, cheapest_paths, label_membrane


def test_agrees_with_another_search():
    rng = np.random.default_rng(5)
    membrane = (rng.random((8, 20, 20)) * 20).astype(int).astype(np.float32) / 20
    source, target = np.zeros(membrane.shape, bool), np.full(membrane.shape, -1, np.int32)
    source[0, 0, 0] = True
    ends = [(7, 19, 19), (0, 19, 3), (4, 2, 17)]
    for number, place in enumerate(ends):
        target[place] = number
    found = cheapest_paths(source, target, 3, membrane, (10.0, 10.0, 10.0)).cost
    search = MCP(1 + MEMBRANE_WEIGHT * membrane, fully_connected=False)
    costs, _ = search.find_costs([(0, 0, 0)])
    start = 1 + MEMBRANE_WEIGHT * membrane[0, 0, 0]
    expected = [10 * (costs[place] - start) for place in ends]
    # a way ends at the first target it meets, and none of these lies on the way to another
    np.testing.assert_allclose(found, expected, rtol=0.02)


def test_goes_through_the_gap_in_a_membrane():
    membrane = np.zeros((1, 21, 21), np.float32)
    membrane[0, :, 10] = 1
    membrane[0, 20, 10] = 0
    source, target = np.zeros(membrane.shape, bool), np.full(membrane.shape, -1, np.int32)
    source[0, 15, 8], target[0, 15, 12] = True, 0
    paths = cheapest_paths(source, target, 1, membrane, (10.0, 10.0, 10.0))
    assert paths.cost[0] == pytest.approx(140)
    assert paths.start[0].tolist() == [0, 15, 8] and paths.stop[0].tolist() == [0, 15, 12]


def test_anisotropic_steps_cost_their_length():
    membrane = np.zeros((5, 5, 5), np.float32)
    source, target = np.zeros(membrane.shape, bool), np.full(membrane.shape, -1, np.int32)
    source[0, 0, 0] = True
    target[4, 0, 0], target[0, 0, 4] = 0, 1
    assert cheapest_paths(source, target, 2, membrane, (40.0, 8.0, 8.0)).cost.tolist() == [160, 32]


def test_what_cannot_be_reached_is_infinite():
    target = np.full((1, 1, 5), -1, np.int32)
    target[0, 0, 2], target[0, 0, 4] = 0, 1
    source = np.zeros(target.shape, bool)
    source[0, 0, 0] = True
    paths = cheapest_paths(source, target, 2, np.zeros(target.shape, np.float32), (1.0, 1.0, 1.0))
    assert paths.cost[0] == 2 and np.isinf(paths.cost[1]) and (paths.stop[1] == -1).all()


def test_borders_of_labels_stand_for_membranes():
    assert label_membrane(np.array([[[1, 1, 2, 2, 0, 3]]])).ravel().tolist() == [0, 1, 1, 0, 0.5, 0]
