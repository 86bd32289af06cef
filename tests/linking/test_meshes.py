"""Meshes of linked dendrites, made cuboid by cuboid and welded, are those of the whole volume."""

import numpy as np
import pandas as pd
import pytest

from spinome.cuboids import cuboids
from spinome.linking.meshes import dendrite_mesh, dendrite_pieces, linked_meshes, meshed_dendrites

VOXEL = (40.0, 21.48, 7.16)
SHAFT, ORPHAN, ALONE = 2**62 + 1, 2**62 + 2, 9


@pytest.fixture(scope="module")
def tissue():
    """A shaft through the whole volume, an orphan with a neck to draw, and a second shaft."""
    labels = np.zeros((14, 30, 61), np.uint64)
    labels[3:9, 2:9, :], labels[4:8, 16:22, 20:40], labels[1:13, 25:30, 5:50] = SHAFT, ORPHAN, ALONE
    ends = [6.5, 16.5, 30.5, 6.5, 8.5, 30.5]
    columns = [f"{end}_{axis}_nm" for end in ("from", "to") for axis in "zyx"]
    places = pd.DataFrame([ends], columns=columns) * [*VOXEL, *VOXEL]
    return labels, pd.DataFrame({"orphan": [ORPHAN], "shaft": [SHAFT]}).join(places)


@pytest.mark.parametrize("size", [(14, 30, 20), (5, 9, 60), (3, 4, 7), (1, 30, 61)])
def test_any_cuboids_give_the_meshes_of_the_whole(tissue, size):
    labels, bridges = tissue
    shafts = np.array([ALONE, SHAFT])
    parts = {}
    for block in cuboids(labels.shape, size):
        pieces, segments = dendrite_pieces(lambda box: labels[box], block, labels.shape, bridges, shafts, VOXEL, 60.0)
        for number in pieces.labels.tolist():
            parts.setdefault(number, []).append((*pieces.of(number), segments[pieces.vertices_of(number)]))
    whole = dict(linked_meshes(labels, bridges, shafts, VOXEL, 60.0, 20.0))
    assert whole.keys() == parts.keys() == {1, 2}
    for number, mesh in whole.items():
        welded = dendrite_mesh(parts[number][::-1], VOXEL, 20.0)
        np.testing.assert_array_equal(welded.vertices, mesh.vertices)
        np.testing.assert_array_equal(welded.faces, mesh.faces)
        np.testing.assert_array_equal(welded.vertex_data["segment"], mesh.vertex_data["segment"])
    assert set(whole[1].vertex_data["segment"]) == {ALONE}
    # the neck is no segment's
    assert set(whole[2].vertex_data["segment"]) == {SHAFT, ORPHAN, 0}


def test_thick_shafts_and_those_with_an_orphan_are_meshed():
    kinds = ["shaft", "shaft", "shaft", "other"]
    segments = pd.DataFrame({"segment": [4, 3, 2, 1], "kind": kinds, "thickest_nm": [300.0, 100.0, 100.0, 900.0]})
    assert meshed_dendrites(segments, pd.DataFrame({"shaft": [2]}), 240.0).tolist() == [2, 4]
