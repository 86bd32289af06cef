"""Stubs: what a lost neck leaves on a shaft, a short protrusion that nothing carries on.

What lies far from the core of a candidate, on the way through it, hangs on its trunk (see `protrusions`). Small ones of
these are stubs.
"""

from __future__ import annotations

from typing import NamedTuple

import cc3d
import numpy as np
from numba import njit

from spinome.linking.ends import ahead_of, farther
from spinome.linking.protrusions import ways_out

STUB_UM3 = 0.05
FOOT_NM = 100.0  # what is less far out is a bump of the trunk, and as much farther away


class Stubs(NamedTuple):
    """Trunks and stubs of the candidates in a window.

    out_nm : (Z, Y, X) float32, way from the surface of the trunk, negative within, inf where a candidate has none
    stub : (Z, Y, X) bool, what is a stub
    """

    out_nm: np.ndarray
    stub: np.ndarray


def find_stubs(target: np.ndarray, depth: np.ndarray, size: np.ndarray) -> Stubs:
    """Find the trunks and stubs of all candidates.

    Parameters
    ----------
    target : (Z, Y, X) int32, number of the candidate of each voxel, -1 elsewhere
    depth : (Z, Y, X) distance of each voxel to the surface of its label, nm
    size : size of a voxel (z, y, x), nm
    """
    labels = (target + 1).astype(np.uint32)
    out = ways_out(labels, depth, size)
    number = cc3d.connected_components(np.where(np.isfinite(out) & (out > 0), labels, 0), connectivity=6)
    return Stubs(out, _smaller(number, int(number.max()), STUB_UM3 * 1e9 / np.prod(size)))


@njit(cache=True)
def _smaller(number, count, voxels):
    """Which voxels are of a part of fewer voxels than that."""
    held = np.zeros(count + 1, np.int64)
    for part in number.ravel():
        held[part] += 1
    held[0] = number.size
    out = np.empty(number.size, np.bool_)
    for voxel, part in enumerate(number.ravel()):
        out[voxel] = part != 0 and held[part] < voxels
    return out.reshape(number.shape)


@njit(cache=True)
def ahead(places, number, stubs, out, count, point, course, size, foot):
    """Of each candidate: least distance of a stub ahead of a point, how far that one is out, and least distance of its
    trunk; distances are longer where they are not straight ahead (`ends.ahead_of`).

    `places` (N, 3) are voxels of candidates and `number` (N,) whose they are.
    """
    stub, length, trunk = np.full(count, np.inf), np.zeros(count), np.full(count, np.inf)
    for row in range(len(places)):
        z, y, x = places[row, 0], places[row, 1], places[row, 2]
        far_out = out[z, y, x]
        if not np.isfinite(far_out):
            continue
        mine, inner = number[row], far_out <= 0
        if not inner and not stubs[z, y, x]:
            continue
        if farther(point, z, y, x, size, trunk[mine] if inner else stub[mine]):
            continue
        _, _, _, _, weighed = ahead_of(point, course, z, y, x, size)
        if inner:
            trunk[mine] = min(trunk[mine], weighed)
            continue
        # a bump on the trunk is not yet a stub
        weighed += max(foot - far_out, 0.0)
        if weighed < stub[mine]:
            stub[mine] = weighed
            length[mine] = far_out
    return stub, length, trunk
