"""The contacts of cuboids add up to those of the volume, to the last bit, however it is cut."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from spinome.cuboids import and_next, cuboids
from spinome.linking import contacts
from spinome.linking.contacts import find_contacts, join_contacts, read_contacts, save_contacts
from spinome.linking.region_graph import graph_of_contacts
from volumes import draw_cut, draw_labels, draw_membrane, draw_shape

VOXEL = (40.0, 8.3, 7.16)


def cut_up(labels, membrane, size, lost=()):
    """Contacts from cuboids of a size, joined backwards; those named in `lost` failed."""
    parts = []
    for block in cuboids(labels.shape, size):
        box = and_next(block, labels.shape)
        if block.name not in lost:
            parts.append(find_contacts(labels[box], membrane[box], VOXEL, block.shape))
    return join_contacts(lambda: parts[::-1])


def require_same(found, expected):
    for own, other in zip(astuple(found), astuple(expected), strict=True):
        np.testing.assert_array_equal(own, other)


@settings(max_examples=200)
@given(st.randoms())
def test_any_cuboids_give_the_contacts_of_the_whole(random):
    """Draws labels up to 2**64 - 1, some as long as the volume, in cuboids down to a single voxel."""
    shape = draw_shape(random)
    labels, membrane, size = draw_labels(random, shape), draw_membrane(random, shape), draw_cut(random, shape)
    note(f"cuboids of {size} in {shape}")
    whole = find_contacts(labels, membrane, VOXEL)
    assert whole.labels.dtype == whole.sides.dtype == np.uint64
    require_same(cut_up(labels, membrane, size), whole)


def test_a_region_through_every_cuboid_and_a_last_cuboid_of_one_voxel():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2**64 - 1, (5, 7, 31), np.uint64)
    labels[2, 3] = 2**63 + 1
    membrane = rng.random(labels.shape).astype(np.float32)
    whole = find_contacts(labels, membrane, VOXEL)
    assert whole.region_sums[whole.labels == 2**63 + 1, 0] == 31
    for size in ((5, 7, 10), (5, 7, 6), (2, 3, 30), (1, 1, 1)):
        require_same(cut_up(labels, membrane, size), whole)


def test_a_lost_cuboid_takes_nothing_but_its_own():
    labels = np.array([[[1, 1, 2, 2, 3, 4]]], np.uint64)
    membrane = np.full(labels.shape, 0.5, np.float32)
    found = cut_up(labels, membrane, (1, 1, 2), lost=["0-0-2"])
    # the second region is known from its first face alone, which is no region without voxels
    assert found.labels.tolist() == [1, 3, 4] and found.region_sums[:, 0].tolist() == [2, 1, 1]
    assert found.sides.tolist() == [[3, 4]]
    assert cut_up(labels, membrane, (1, 1, 2), lost=["0-0-0", "0-0-2", "0-0-4"]).sides.shape == (0, 2)


def test_what_is_written_is_read(tmp_path):
    found = find_contacts(np.array([[[2**64 - 1, 1]]], np.uint64), np.ones((1, 1, 2), np.float32), VOXEL)
    save_contacts(tmp_path / "part", found)
    require_same(read_contacts(tmp_path / "part"), found)


def test_values_and_weights_are_those_of_the_voxels():
    labels = np.array([[[1, 2]], [[1, 2]]], np.uint8)
    membrane = np.array([[[0.0, 1.0]], [[0.5, 0.25]]], np.float32)
    graph = graph_of_contacts(cut_up(labels, membrane, (1, 1, 1)), VOXEL)
    np.testing.assert_array_equal(
        graph.region_moments, [[2, 0.5, 0.25, 0.125, 0.0625], [2, 1.25, 1.0625, 1.015625, 1.00390625]]
    )
    np.testing.assert_allclose(graph.edge_moments[0, :2], np.array([2, 1.5]) * 0.04 * 0.0083)


def test_what_cannot_be_summed_is_told(monkeypatch):
    labels = np.array([[[1, 1, 1, 2]]])
    monkeypatch.setattr(contacts, "MOST_VOXELS", 2)
    with pytest.raises(ValueError, match="more than 2 voxels"):
        cut_up(labels, np.zeros(labels.shape, np.float32), (1, 1, 2))
