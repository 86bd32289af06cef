"""Borders of regions: closed by fans, and told apart however many vertices there are."""

import numpy as np

from spinome.mesh.closed_volume import _borders


def test_borders_are_told_apart_in_a_mesh_of_very_many_vertices():
    """Numbers of edges times regions beyond 64 bits; the vertices themselves need not be there."""
    size, regions = 40_000_000, 200_000
    faces = np.array([[0, 1, 2], [0, 1, 2], [size - 3, size - 2, size - 1], [size - 3, size - 2, size - 1]])
    owner = np.array([0, regions - 1, 7, regions - 1])
    found = {tuple(map(int, row)) for row in zip(*_borders(faces, owner, size))}
    assert found == {
        (face[corner], face[(corner + 1) % 3], region)
        for face, region in zip(faces.tolist(), owner.tolist())
        for corner in range(3)
    }
