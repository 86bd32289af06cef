"""Where a mesh is a soma: its signature is smooth there, and costs more than that of all the rest.

The work of selected inversion grows faster than the vertices only where there is much surface in little room, which is
in somata, whose inside has surfaces of its own (docs/numerical_core.md). It may be so where thick branches meet, too;
nothing else is lost there than vertices.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from spinome.mesh.surface import components, vertex_areas
from spinome.mesh.welding import same_rows

# a cube of this side that holds more surface than this is at a soma: a plane across it has 100 um^2, a branch of 2 um
# has 70 um^2 with its spines
CUBE_NM, BROAD_UM2 = 10_000.0, 200.0
# surface is summed over cubes of this side, of which an odd number make the large one
VOXEL_NM = CUBE_NM / 5
# patches of less surface than this gain nothing
LEAST_UM2 = 50.0


def broad(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Where there is much surface in little room: bool (V,).

    Parameters
    ----------
    vertices : (V, 3) nm
    faces : (F, 3)
    """
    area_um2 = vertex_areas(vertices, faces) / 1e6
    corner = np.floor(vertices / VOXEL_NM)
    first, voxel_of = same_rows(corner)
    voxels = corner[first]
    own = np.bincount(voxel_of, area_um2, len(voxels))
    one, other = cKDTree(voxels).query_pairs(CUBE_NM / VOXEL_NM / 2, p=np.inf, output_type="ndarray").T
    around = own + np.bincount(one, own[other], len(voxels)) + np.bincount(other, own[one], len(voxels))
    marked = (around > BROAD_UM2)[voxel_of]
    patch = components(len(vertices), faces[marked[faces].all(axis=1)])
    return marked & (np.bincount(patch, area_um2)[patch] > LEAST_UM2)
