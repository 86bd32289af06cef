"""Meshes of pieces are those of the whole volume, however it is cut."""

import numpy as np
import pytest
import zmesh
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.linking.pieces import cuboids_of, find_pieces, gather, read_pieces, save_pieces, simplified, weld_pieces
from volumes import draw_cut, draw_labels, draw_shape

VOXEL = (40.0, 21.48, 7.16)


def surfaces(labels, size):
    """Welded surfaces by label, from cuboids of a size; each cuboid that `cuboids_of` names is read."""
    pieces = {
        block.name: find_pieces(lambda box: labels[box], block, labels.shape) for block in cuboids(labels.shape, size)
    }
    found = {}
    for label in np.unique(labels[labels != 0]).tolist():
        ends = [(axis.min(), axis.max() + 1) for axis in np.nonzero(labels == label)]
        names = list(cuboids_of(np.ravel(ends), size))
        (own,) = gather(names[::-1], pieces.__getitem__, [label]).values()
        found[label] = weld_pieces(own)[:2]
    return found


@settings(max_examples=100)
@given(st.randoms())
def test_any_cuboids_give_the_surfaces_of_the_whole(random):
    shape = draw_shape(random, most=2000, longest=20)
    labels, size = draw_labels(random, shape), draw_cut(random, shape)
    assume(labels.any())
    labels = labels.astype(np.uint64)
    note(f"cuboids of {size} in {shape}")
    whole, parts = surfaces(labels, labels.shape), surfaces(labels, size)
    assert whole.keys() == parts.keys()
    for label, (vertices, faces) in whole.items():
        np.testing.assert_array_equal(parts[label][0], vertices)
        np.testing.assert_array_equal(parts[label][1], faces)


def test_a_surface_is_that_of_marching_cubes():
    labels = np.zeros((12, 14, 16), np.uint64)
    labels[3:9, 2:11, 4:] = 2**63 + 5
    vertices, faces = surfaces(labels, (5, 5, 5))[2**63 + 5]
    mesher = zmesh.Mesher((1, 1, 1))
    mesher.mesh(np.asfortranarray(np.pad(labels, 1).transpose(2, 1, 0)), close=False)
    mesh = mesher.get(2**63 + 5, normals=False, reduction_factor=0)
    assert len(faces) == len(mesh.faces)
    assert set(map(tuple, vertices.tolist())) == set(map(tuple, (np.rint(2 * mesh.vertices) - 2).astype(int).tolist()))
    # closed: every edge is in two faces
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


@pytest.mark.parametrize("long", [1, 600])
def test_a_simplified_surface_stays_where_it_was(long):
    labels = np.zeros((30, 40, 40), np.uint64)
    z, y, x = np.ogrid[:30, :40, :40]
    labels[((z - 15) * 40) ** 2 + ((y - 20) * 21.48) ** 2 + ((x - 20) * 24) ** 2 < 380**2] = 1
    vertices, faces = surfaces(labels, labels.shape)[1]
    if long > 1:
        # a second one farther away than zmesh can tell in nm
        faces = np.vstack([faces, faces + len(vertices)])
        vertices = np.vstack([vertices, vertices + np.array([2 * long * 40, 0, 0])])
    mesh = simplified(vertices, faces, (40.0, 21.48, 24.0), 20.0)
    assert 50 < len(mesh.vertices) < len(vertices) / 4
    near = mesh.vertices[mesh.vertices[:, 0] < 2000]
    away = np.linalg.norm(near - (np.array([20, 20, 15]) + 0.5) * [24.0, 21.48, 40.0], axis=1)
    assert np.abs(away - 380).max() < 60
    assert mesh.vertices[:, 0].max() - mesh.vertices[:, 0].min() > (long - 1) * 40 * 24


def test_what_is_written_is_read(tmp_path):
    labels = np.ones((2, 3, 4), np.uint8)
    (whole,) = cuboids(labels.shape, labels.shape)
    part = find_pieces(lambda box: labels[box], whole, labels.shape)
    save_pieces(tmp_path / "part", part, more=np.ones(3))
    for name, values in vars(read_pieces(tmp_path / "part")).items():
        np.testing.assert_array_equal(values, getattr(part, name))
    assert part.labels.tolist() == [1]
